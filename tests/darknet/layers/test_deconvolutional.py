"""[deconvolutional] of pjreddie's Darknet against answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import compiled, diagnosed, output


def test_every_pixel_spreads_its_kernel() -> None:
    cfg = "[deconvolutional]\nfilters=1\nsize=2\nstride=2\nactivation=linear"
    got = output(cfg, [[[1, 2]]], [[100], [1, 2, 3, 4]], "pjreddie")
    assert got.tolist() == [[[101, 102, 102, 104], [103, 104, 106, 108]]]


def test_overlapping_kernels_add_up() -> None:
    cfg = "[deconv]\nfilters=1\nsize=3\nstride=1\nactivation=linear"
    got = output(cfg, [[[1, 10]]], [[0], np.ones(9)], "pjreddie")
    assert got.tolist() == [[[1, 11, 11, 10]] * 3]


def test_weights_are_stored_input_channel_first() -> None:
    cfg = "[deconvolutional]\nfilters=2\nactivation=linear"
    got = output(cfg, [[[1]], [[10]], [[100]]], [[0, 0], [[1, 2], [3, 4], [5, 6]]], "pjreddie")
    assert got.ravel().tolist() == [531, 642]


def test_padding_cuts_off() -> None:
    shape = compiled("[deconvolutional]\nsize=3\nstride=2\npad=1", (1, 4, 5), "pjreddie").graph.layer_output(0).shape
    assert shape == (1, 7, 9)


def test_batch_normalization_lies_between_biases_and_weights() -> None:
    cfg = "[deconvolutional]\nbatch_normalize=1\nactivation=linear"
    roles = [p.role for p in compiled(cfg, (1, 1, 1), "pjreddie").graph.params]
    assert roles == ["biases", "scales", "mean", "variance", "weights"]
    got = output(cfg, [[[3]]], [[1], [10], [2], [4], [2]], "pjreddie")
    assert got.item() == pytest.approx((6 - 2) / 2 * 10 + 1, rel=1e-5)


def test_only_pjreddies_dialect_has_it() -> None:
    assert diagnosed("[deconvolutional]", dialect="alexeyab").code == "DK303"
