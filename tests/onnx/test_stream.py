"""A model that is written in pieces is the model, checked around its arrays."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import onnx
import pytest
from goldens import goldens

from darknet_py.ir import Graph
from darknet_py.onnx.operators import to_onnx, write_onnx
from darknet_py.onnx.stream import check_model, declare, write_model


@pytest.fixture
def graph() -> Graph:
    return goldens()["yolo_two_heads"].graph()


@pytest.mark.parametrize("half", [False, True])
def test_a_model_written_in_pieces_is_the_model(graph: Graph, half: bool) -> None:
    smaller = graph.ops if half else ()
    parts = write_onnx(graph, half=smaller)
    assert parts.arrays
    file = BytesIO()
    write_model(file, parts.skeleton(), parts.arrays)
    assert onnx.load_from_string(file.getvalue()) == to_onnx(graph, half=smaller)


def test_the_check_sees_what_is_wrong_around_the_arrays(graph: Graph) -> None:
    parts = write_onnx(graph)
    model = parts.skeleton()
    check_model(model, parts.arrays)
    name = next(n for n in parts.arrays if n.endswith("weights"))
    with pytest.raises(onnx.shape_inference.InferenceError):
        check_model(model, {**parts.arrays, name: np.zeros((3, 1, 1, 1), np.float32)})


def test_declared_arrays_are_the_reader_s_to_give(graph: Graph) -> None:
    parts = write_onnx(graph)
    model = declare(parts.skeleton(), parts.arrays)
    apart = {i.name: i for i in model.graph.initializer if i.data_location == onnx.TensorProto.EXTERNAL}
    assert {n: tuple(i.dims) for n, i in apart.items()} == {n: a.shape for n, a in parts.arrays.items()}
    assert not any(i.raw_data for i in apart.values())
