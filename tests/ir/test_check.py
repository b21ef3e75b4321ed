"""The checker finds what a lowering or a pass has broken, and names the operation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from darknet_py.darknet.compile import compile_cfg
from darknet_py.ir import Graph, InvalidGraph, Op, State, Value, check

CFG = """
[net]
width=8
height=6
channels=3
[convolutional]
batch_normalize=1
filters=4
size=3
pad=1
activation=leaky
[maxpool]
size=2
stride=2
"""


@pytest.fixture
def graph() -> Graph:
    return compile_cfg(CFG).check().graph


def op(graph: Graph, kind: str) -> int:
    return next(i for i, o in enumerate(graph.ops) if o.kind == kind)


def changed(graph: Graph, index: int, **fields: object) -> Graph:
    old = graph.ops[index]
    fields = {"kind": old.kind, "inputs": old.inputs, "output": old.output, "attrs": old.attrs, **fields}
    new = Op(**fields, layer=old.layer)  # type: ignore[arg-type]
    return replace(graph, ops=(*graph.ops[:index], new, *graph.ops[index + 1 :]))


def stranger(graph: Graph) -> Value:
    return Value("stranger", graph.image.shape)


BROKEN: dict[str, Callable[[Graph], Graph]] = {
    "unknown primitive": lambda g: changed(g, 0, kind="convolve"),
    "not defined yet": lambda g: replace(g, ops=g.ops[::-1]),
    "reads a value that is not": lambda g: changed(g, 0, inputs=(stranger(g), *g.ops[0].inputs[1:])),
    "its shape should be": lambda g: changed(g, 0, output=Value("x", (4, 6, 7))),
    "its batch axis should be": lambda g: changed(g, len(g.ops) - 1, output=Value("x", g.ops[-1].output.shape, False)),
    "its name is taken": lambda g: changed(g, 0, output=Value(g.image.name, g.ops[0].output.shape)),
    "the output": lambda g: replace(g, outputs=(stranger(g),)),
    "is not defined": lambda g: replace(g, states=(State(g.image, stranger(g)),)),
    "share a name": lambda g: replace(g, data={Value(g.image.name, ()): np.float32(1)}),
    "it lacks outside": lambda g: changed(g, op(g, "batch_norm"), attrs={"epsilon": 1e-5}),
    "unexpected keyword": lambda g: changed(g, 0, attrs={**g.ops[0].attrs, "stride": 2}),
    "missing 1 required": lambda g: changed(g, 0, inputs=g.ops[0].inputs[:1]),
    "values to unpack": lambda g: changed(g, 0, inputs=(g.ops[0].inputs[0],) * 2),
    "by zero": lambda g: changed(g, 0, attrs={**g.ops[0].attrs, "strides": (0, 0)}),
    "holds an array": lambda g: replace(g, data={Value("c", (2,), False): np.zeros(3, np.float32)}),
}


def test_a_sound_graph_comes_back_itself(graph: Graph) -> None:
    assert check(graph) is graph


@pytest.mark.parametrize("message", BROKEN)
def test_a_broken_graph_is_named(message: str, graph: Graph) -> None:
    with pytest.raises(InvalidGraph, match=message):
        check(BROKEN[message](graph))


def test_a_shape_that_a_primitive_refuses_is_named(graph: Graph) -> None:
    last = op(graph, "max_pool")
    with pytest.raises(InvalidGraph, match=r"^%1_maxpool.max_pool.* = max_pool\(.*: a window of 99 does not fit"):
        check(changed(graph, last, attrs={"kernel": (99, 99), "strides": (1, 1), "pads": (0, 0, 0, 0)}))
