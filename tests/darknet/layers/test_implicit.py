"""[implicit] and its PyTorch names: a layer that is its parameter."""

from __future__ import annotations

import numpy as np
from tiny import COPY, compiled, diagnosed, output


def test_the_output_is_the_parameter() -> None:
    got = output("[implicit]\nfilters=2\natoms=3\nmean=1\nstd=0.5", np.zeros((1, 2, 2)), [[1, 2, 3, 4, 5, 6]])
    assert got.tolist() == [[[1], [2], [3]], [[4], [5], [6]]]


def test_darknets_default_is_128_filters() -> None:
    assert compiled("[implicit]", (1, 2, 2)).graph.layer_output(0).shape == (128, 1, 1)


def test_pytorchs_three_are_the_same_parameter() -> None:
    for section in ("implicit_add", "implicit_mul", "implicit_cat"):
        got = output(f"{COPY}[{section}]\nfilters=3", np.zeros((1, 2, 2)), [[7, 8, 9]], "pytorch")
        assert got.tolist() == [[[7]], [[8]], [[9]]]


def test_a_batch_repeats_the_parameter() -> None:
    graph = compiled("[implicit]\nfilters=1", (1, 1, 1)).graph
    assert graph.layer_output(0).batched


def test_pytorch_needs_filters() -> None:
    assert diagnosed(COPY + "[implicit_add]").code == "DK209"
    assert diagnosed("[implicit]\nfilters=0").code == "DK204"
