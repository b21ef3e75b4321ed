"""What becomes part of a convolution."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from darknet_py.backends.onnxruntime.fusion import Fused, fuse_convolutions
from darknet_py.ir import Graph, Value
from darknet_py.ir.builder import Builder

Body = Callable[[Builder, Value], Value | list[Value]]


def conv(b: Builder, x: Value) -> Value:
    return b.op("conv", x, b.const(np.ones((4, 4, 1, 1))))


def plans(body: Body) -> list[Fused]:
    b = Builder()
    x = b.input("images", (4, 2, 2))
    b.enter(0, "test")
    y = body(b, x)
    graph = Graph(x, tuple(b.ops), (), (), tuple(y) if isinstance(y, list) else (y,), data=b.data)
    found = fuse_convolutions(graph)
    return [found[op] for op in graph.ops if op in found]


def kinds(plan: Fused) -> list[str]:
    return [op.kind for op in plan.ops]


def test_an_activation_is_part_of_the_convolution() -> None:
    (plan,) = plans(lambda b, x: b.op("leaky_relu", conv(b, x), slope=0.1))
    assert kinds(plan) == ["conv", "leaky_relu"]
    assert plan.activation == {"activation": "LeakyRelu", "activation_params": [0.1]}


def test_an_addition_goes_to_the_convolution_that_is_computed_last() -> None:
    first, last = plans(lambda b, x: b.op("relu", b.add(conv(b, x), conv(b, x))))
    assert kinds(first) == ["conv"]
    assert kinds(last) == ["conv", "add", "relu"]
    assert last.addend is first.conv.output


def test_mish_takes_the_negated_convolution() -> None:
    (plan,) = plans(lambda b, x: b.op("mish", conv(b, x)))
    assert plan.negated
    assert kinds(plan) == ["conv", "mish"]


@pytest.mark.parametrize(
    "body",
    [
        lambda b, x: (lambda y: [y, b.op("relu", y)])(conv(b, x)),
        lambda b, x: (lambda y: b.add(b.op("relu", y), y))(conv(b, x)),
        lambda b, x: (lambda y: b.add(y, y))(conv(b, x)),
        lambda b, x: b.add(conv(b, x), b.op("reduce_mean", x, axes=(1, 2))),
        lambda b, x: b.add(conv(b, x), 1.0),
        lambda b, x: b.op("swish", conv(b, x)),
    ],
    ids=["an output", "two readers", "itself twice", "another shape", "a number", "an activation it has not"],
)
def test_what_a_convolution_cannot_take_stays_by_itself(body: Body) -> None:
    (plan,) = plans(body)
    assert kinds(plan) == ["conv"]
