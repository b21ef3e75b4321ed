"""[batchnorm] and [normalization] against answers worked out by hand, in both epsilons."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import compiled, diagnosed, output


def test_batchnorm_normalizes_each_channel() -> None:
    roles = [p.role for p in compiled("[batchnorm]", (2, 1, 1)).graph.params]
    assert roles == ["biases", "scales", "mean", "variance"]
    got = output("[batchnorm]", [[[3]], [[5]]], [[1, 2], [10, 20], [1, 5], [4, 9]])
    assert got.ravel().tolist() == pytest.approx([11, 2], rel=1e-5)


def test_pjreddies_epsilon_is_outside_of_the_root() -> None:
    weights = [[0], [1], [0], [1e-12]]
    alexeyab, pjreddie = (output("[batchnorm]", [[[1]]], weights, d).item() for d in ("alexeyab", "pjreddie"))
    assert alexeyab == pytest.approx(1e-5**-0.5, rel=1e-4)
    assert pjreddie == pytest.approx(5e5, rel=1e-4)


def windows(size: int, channels: int) -> list[float]:
    """The running sum of each channel over the squares 1, 10, 100 …; with beta=-1 the layer multiplies by it."""
    x = np.sqrt(10.0 ** np.arange(channels)).reshape(channels, 1, 1)
    got = output(f"[lrn]\nsize={size}\nalpha=1\nbeta=-1\nkappa=0", x)
    return (got / x).round(3).ravel().tolist()


def test_the_running_window_begins_with_one_channel_too_few() -> None:
    # channel 1 is missing at first; it enters nowhere, and is taken off at channel 3
    assert windows(3, 4) == [1, 101, 1100, 1090]


def test_a_window_of_one_channel_takes_the_first_off_again() -> None:
    assert windows(1, 3) == [0, 9, 99]


def test_an_even_window_reaches_further_ahead() -> None:
    assert windows(4, 4) == [11, 1011, 1010, 1000]


def test_normalization_divides_by_a_power() -> None:
    cfg = "[lrn]\nsize=3\nalpha=0.5\nbeta=2\nkappa=1"
    x = np.array([1.0, 2.0, 4.0])
    norms = [1 + 0.5 * 1, 1 + 0.5 * (1 + 16), 1 + 0.5 * 16]
    got = output(cfg, x.reshape(3, 1, 1))
    assert got.ravel().tolist() == pytest.approx(list(x / np.square(norms)))


def test_a_window_beyond_the_channels_is_an_error() -> None:
    assert diagnosed("[normalization]\nsize=10").code == "DK309"
