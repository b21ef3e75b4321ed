"""What runtimes compute wrongly is written in another way: the passes that do so change no number, and are enough."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest
from graphs import computes_the_same, graph_of, kinds, numbers

from darknet_py.backends.session import open_session
from darknet_py.ir import Graph, Value
from darknet_py.ir.builder import Builder
from darknet_py.passes import optimize
from darknet_py.passes.copy_inputs import copy_inputs
from darknet_py.passes.crop_transposed import crop_transposed
from darknet_py.passes.cut_single_windows import cut_single_windows
from darknet_py.passes.part_elu import part_elu

Body = Callable[[Builder, Value], Value]


def agrees(graph: Graph, backend: str, batch: int) -> None:
    image = np.random.default_rng(1).random((batch, *graph.image.shape), np.float32)
    (wanted,) = open_session(graph, "numpy").run([image])
    (got,) = open_session(graph, backend).run([image])
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def joined(first: bool) -> Body:
    def body(b: Builder, x: Value) -> Value:
        constant = b.const(numbers(2, 4, 5))
        return b.concat([x, constant] if first else [constant, x])

    return body


@pytest.mark.parametrize("first", [True, False])
def test_an_input_that_is_joined_with_a_constant_is_copied(first: bool) -> None:
    before = graph_of(joined(first), (3, 4, 5))
    after = optimize(before, (copy_inputs,))
    assert kinds(after) == ["repeat_batch", "mul", "concat"]
    computes_the_same(before, after)


def test_what_is_joined_with_no_constant_is_not_copied() -> None:
    assert kinds(optimize(graph_of(lambda b, x: b.concat([x, x]), (3, 4, 5)), (copy_inputs,))) == ["concat"]
    computed = graph_of(lambda b, x: b.concat([b.op("relu", x), b.const(numbers(2, 4, 5))]), (3, 4, 5))
    assert kinds(optimize(computed, (copy_inputs,))) == ["relu", "repeat_batch", "concat"]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("first", [True, False])
def test_opencv_joins_an_input_with_a_constant(first: bool, batch: int) -> None:
    agrees(graph_of(joined(first), (3, 4, 5)), "opencv", batch)


def windows(width: int, size: int, step: int, pad: int, dilation: int = 1) -> Graph:
    def body(b: Builder, x: Value) -> Value:
        weights = b.const(numbers(2, 1, size, size))
        return b.op("conv", x, weights, strides=(1, step), pads=(pad,) * 4, dilations=(dilation,) * 2)

    return graph_of(body, (1, 9, width))


SINGLE = [(16, 3, 16, 1), (4, 3, 2, 0), (4, 4, 4, 1), (2, 3, 2, 1), (3, 3, 4, 0), (9, 3, 9, 1, 2)]


@pytest.mark.parametrize("case", SINGLE)
def test_a_single_window_is_cut_out(case: tuple[int, ...]) -> None:
    before = windows(*case)
    assert before.outputs[0].shape[2] == 1
    after = optimize(before, (cut_single_windows,))
    assert after.ops[-1].attrs["strides"] == (1, 1)
    computes_the_same(before, after)


@pytest.mark.parametrize("case", [(16, 3, 4, 1), (3, 3, 1, 0)])
def test_several_windows_and_steps_of_1_are_left_alone(case: tuple[int, ...]) -> None:
    before = windows(*case)
    assert optimize(before, (cut_single_windows,)).ops == before.ops


@pytest.mark.skipif(find_spec("openvino") is None, reason="needs openvino: pip install 'darknet-compiler[openvino]'")
@pytest.mark.parametrize("case", SINGLE)
def test_openvino_computes_a_single_window(case: tuple[int, ...]) -> None:
    agrees(windows(*case), "openvino", 2)


def transposed(size: int, pad: int, stride: int = 1) -> Graph:
    def body(b: Builder, x: Value) -> Value:
        return b.op("conv_transpose", x, b.const(numbers(2, 3, size, size)), strides=(stride,) * 2, pads=(pad,) * 4)

    return graph_of(body, (2, 12, 10))


@pytest.mark.parametrize("stride", [1, 2])
def test_the_edges_of_a_transposed_convolution_of_single_cells_are_cut_off_after_it(stride: int) -> None:
    before = transposed(1, 4, stride)
    after = optimize(before, (crop_transposed,))
    assert kinds(after) == ["conv_transpose", "slice"]
    computes_the_same(before, after)
    agrees(before, "opencv", 3)


@pytest.mark.parametrize(("size", "pad"), [(1, 0), (2, 1)])
def test_other_transposed_convolutions_are_left_alone(size: int, pad: int) -> None:
    assert kinds(optimize(transposed(size, pad), (crop_transposed,))) == ["conv_transpose"]


def test_a_division_and_its_elu_that_is_multiplied_are_parted() -> None:
    def body(b: Builder, x: Value) -> Value:
        return b.mul(b.op("elu", b.op("div", x, b.op("exp", x)), alpha=1.67), 1.05)

    before = graph_of(body, (3, 4, 5))
    after = optimize(before, (part_elu,))
    assert kinds(after) == ["exp", "div", "reshape", "elu", "mul"]
    computes_the_same(before, after)
    agrees(before, "opencv", 2)


def test_an_elu_of_something_else_is_not_parted() -> None:
    def body(b: Builder, x: Value) -> Value:
        return b.mul(b.op("elu", b.op("exp", x), alpha=1.67), 1.05)

    assert kinds(optimize(graph_of(body, (3, 4, 5)), (part_elu,))) == ["exp", "elu", "mul"]
