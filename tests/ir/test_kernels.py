"""Kernels of the reference that have a way of their own for what is large."""

from __future__ import annotations

import numpy as np
import pytest

from darknet_py.ir.kernels import KERNELS


@pytest.mark.parametrize(("kernel", "stride", "pad"), [(9, 1, 4), (9, 2, 8), (41, 3, 30)])
def test_a_mean_under_a_window_larger_than_the_image_needs_no_border_in_memory(
    kernel: int, stride: int, pad: int
) -> None:
    x = np.random.default_rng(0).random((2, 3, 7, 5), np.float32)
    got = KERNELS["avg_pool"](x, kernel=(kernel,) * 2, strides=(stride,) * 2, pads=(pad,) * 4)
    counts = [(n + 2 * pad - kernel) // stride + 1 for n in (7, 5)]
    assert got.shape == (2, 3, *counts)
    for i, j in np.ndindex(*counts):
        (top, left), low = (i * stride - pad, j * stride - pad), lambda n: max(0, n)
        inside = x[:, :, low(top) : low(top + kernel), low(left) : low(left + kernel)]
        np.testing.assert_allclose(got[:, :, i, j], inside.mean((2, 3)) if inside.size else np.nan, rtol=1e-6)
