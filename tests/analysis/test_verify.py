"""Verification finds a difference, and where it begins."""

from __future__ import annotations

import json

import numpy as np
import pytest
from agree import RUNTIMES, network, random_inputs

from darknet_py.analysis.verify import format_report, verify
from darknet_py.backends.onnxruntime import session as onnxruntime
from darknet_py.errors import BackendError, DataError
from darknet_py.ir import Graph
from darknet_py.ir.compare import difference

NETWORK = """
[net]
width=16
height=12
channels=3
[convolutional]
filters=4
size=3
pad=1
batch_normalize=1
activation=leaky
[convolutional]
filters=4
activation=linear
[shortcut]
from=-2
activation=linear
"""


@pytest.fixture
def graph() -> Graph:
    whole = network(NETWORK)
    return whole.with_outputs([whole.layers[-1].output])


def test_back_ends_agree(graph: Graph) -> None:
    report = verify(graph, random_inputs(graph, 2))
    assert report.passed
    assert report.worst < 1e-5
    assert report.backends == RUNTIMES
    assert [r.name for r in report.layers] == ["0_convolutional", "1_convolutional", "2_shortcut"]
    assert [r.name for r in report.outputs] == ["2_shortcut"]
    assert "back ends agree" in format_report(report)
    assert json.loads(json.dumps(report.to_dict()))["passed"]


def test_a_difference_is_found_in_the_layer_where_it_begins(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    def spoiled(given: Graph, _: object) -> Graph:
        weights = next(p.value for p in given.params if p.layer == 1 and p.role == "weights")
        return given.with_data({weights: given.data[weights] * 1.01})

    monkeypatch.setattr(onnxruntime, "optimize", spoiled)
    report = verify(graph, random_inputs(graph, 1), ["onnxruntime"])
    first, second, third = (r.differences["onnxruntime"] for r in report.layers)
    assert first < report.tolerance < min(second, third)
    text = format_report(report)
    assert "back ends differ" in text
    assert "1_convolutional" in text
    assert "0_convolutional" not in text
    assert "0_convolutional" in format_report(report, all_layers=True)


def test_a_back_end_that_fails_is_reported_and_the_others_run(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(given: Graph, _: object) -> Graph:
        raise BackendError("not today")

    monkeypatch.setattr(onnxruntime, "optimize", refuse)
    report = verify(graph, random_inputs(graph, 1), ["onnxruntime", "onnx.reference"])
    assert report.failures == {"onnxruntime": "not today"}
    assert not report.passed
    assert "onnxruntime failed: not today" in format_report(report)
    assert report.backends == ("onnx.reference",)


def test_states_start_as_zeros() -> None:
    graph = network("[net]\ninputs=6\n[rnn]\noutput=3\nhidden=4\n")
    assert verify(graph, random_inputs(graph, 1)[:1], ["onnxruntime"]).passed


def test_wrong_inputs_and_names_are_errors(graph: Graph) -> None:
    image = random_inputs(graph, 1)
    with pytest.raises(DataError, match="wants an array"):
        verify(graph, [image[0][:, :1]])
    with pytest.raises(DataError, match="2 arrays"):
        verify(graph, [*image, *image])
    with pytest.raises(BackendError, match="did you mean 'opencv'"):
        verify(graph, image, ["opencb"])


def test_differences_are_relative_and_strict_about_what_is_no_number() -> None:
    wanted = np.array([4.0, -2.0, np.nan, -3.4e38], np.float32)
    assert difference(wanted + np.float32([0.4, 0, 0, 0]), wanted) == pytest.approx(0.1)
    assert difference(np.nan_to_num(wanted), wanted) == float("inf")
    assert difference(wanted[:2], wanted) == float("inf")
    assert difference(replace_at(wanted, 3, 0), wanted) == float("inf")


def replace_at(array: np.ndarray, index: int, value: float) -> np.ndarray:
    copy = array.copy()
    copy[index] = value
    return copy


@pytest.mark.fault("inspect-does-not-see-nan")
def test_back_ends_do_not_agree_about_what_is_no_number(graph: Graph) -> None:
    biases = next(p.value for p in graph.params if p.layer == 1 and p.role == "biases")
    spoiled = graph.with_data({biases: np.full_like(graph.data[biases], np.nan)})
    report = verify(spoiled, random_inputs(graph, 1), ["onnxruntime"])
    assert not report.passed
    assert report.unknown == {"2_shortcut": 1.0}
    assert "agree:" not in format_report(report)
    assert "100.0% of the numbers are NaN or infinite" in format_report(report)
