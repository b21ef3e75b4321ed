"""[local]: a convolution with a kernel of its own at each place."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import compiled, diagnosed, output


def reference(x: np.ndarray, biases: np.ndarray, weights: np.ndarray, stride: int, pad: int) -> np.ndarray:
    """local_layer.c in words: a kernel of its own for each place, row by row."""
    n, h, w = biases.shape
    k = weights.shape[-1]
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    y = biases.copy()
    for place in range(h * w):
        i, j = divmod(place, w)
        window = x[:, i * stride : i * stride + k, j * stride : j * stride + k]
        y[:, i, j] += [(weights[place, f] * window).sum() for f in range(n)]
    return y


def test_each_place_has_its_own_kernel_and_bias() -> None:
    got = output("[local]\nfilters=1\nactivation=linear", [[[1, 2], [3, 4]]], [[10, 20, 30, 40], [1, 10, 100, 1000]])
    assert got.tolist() == [[[11, 40], [330, 4040]]]


@pytest.mark.parametrize(("size", "stride", "pad"), [(3, 1, 1), (3, 2, 1), (3, 1, 0), (2, 2, 0), (1, 1, 0), (5, 2, 2)])
def test_windows_lie_as_in_a_convolution(size: int, stride: int, pad: int) -> None:
    rng = np.random.default_rng(0)
    cfg = f"[local]\nfilters=3\nsize={size}\nstride={stride}\npad={pad}\nactivation=linear"
    x = rng.standard_normal((2, 5, 6), np.float32)
    biases, weights = (p.value for p in compiled(cfg, x.shape).check().graph.params)
    b = rng.standard_normal(biases.shape, np.float32)
    w = rng.standard_normal((b[0].size, 3, 2, size, size), np.float32)
    assert weights.shape == (b[0].size * 3, 2, size, size)
    assert output(cfg, x, [b, w]) == pytest.approx(reference(x, b, w, stride, pad), abs=1e-5)


def test_the_default_activation_is_logistic() -> None:
    assert output("[local]", [[[0]]], [[0], [1]]).item() == 0.5


def test_padding_that_changes_the_size_is_an_error() -> None:
    assert diagnosed("[local]\nsize=5\npad=1").code == "DK309"
    assert diagnosed("[local]\nsize=5").code == "DK305"
