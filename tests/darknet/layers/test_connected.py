"""[connected] against answers worked out by hand: the order of its inputs, of its file, and what follows."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import compiled, output

from darknet_py.darknet.weights import Header, Weights, read_weights, write_weights


def test_every_input_counts_for_every_output() -> None:
    weights = [[10, 20], [[1, 0, 2], [0, 3, 0]]]
    assert output("[connected]\noutput=2\nactivation=linear", [[[1, 2, 3]]], weights).tolist() == [[[17]], [[26]]]


def test_an_image_is_read_channel_by_channel_row_by_row() -> None:
    image = np.arange(8).reshape(2, 2, 2)
    digits = 10.0 ** -np.arange(8)
    got = output("[conn]\noutput=1\nactivation=linear", image, [[0], [digits]])
    assert got.item() == pytest.approx(0.1234567)


def test_batch_normalization_comes_after_the_weights_in_the_file() -> None:
    cfg = "[connected]\noutput=1\nbatch_normalize=1\nactivation=linear"
    roles = [p.role for p in compiled(cfg, (1, 1, 2)).graph.params]
    assert roles == ["biases", "weights", "scales", "mean", "variance"]
    got = output(cfg, [[[1, 2]]], [[5], [[1, 1]], [10], [1], [4]])
    assert got.item() == pytest.approx((3 - 1) / 2 * 10 + 5, rel=1e-5)


def test_the_default_activation_is_logistic() -> None:
    assert output("[connected]", [[[0]]], [[0], [[1]]]).item() == 0.5


def test_swish_is_applied_although_the_cpu_code_forgets_it() -> None:
    got = output("[connected]\noutput=1\nactivation=swish", [[[2]]], [[0], [[1]]])
    assert got.item() == pytest.approx(2 / (1 + np.exp(-2)))


def test_a_header_of_version_1001_stores_the_matrix_transposed(tmp_path) -> None:  # type: ignore[no-untyped-def]
    graph = compiled("[connected]\noutput=2\nactivation=linear", (1, 1, 3)).graph
    biases, weights = (p.value for p in graph.params)
    matrix = np.arange(6, dtype=np.float32).reshape(2, 3)
    path = tmp_path / "t.weights"
    write_weights(path, graph, Weights(Header(1001, 0, 0), {biases: np.zeros(2, np.float32), weights: matrix}))
    stored = np.frombuffer(path.read_bytes()[-24:], np.float32)
    assert stored.tolist() == [0, 3, 1, 4, 2, 5]
    assert read_weights(path, graph).arrays[weights].tolist() == matrix.tolist()
