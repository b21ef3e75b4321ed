"""A network that is off by a few units of the last place: what that changes, rounding may change too."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from darknet_py.backends.session import open_session
from darknet_py.ir import Graph, Value
from darknet_py.ir.builder import Builder

# What functions of runtimes are off by at the most, and of small results, as measured of onnxruntime.
LAST_PLACES = {"sigmoid": 6e-8, "softmax": 6e-8, "tanh": 6e-8, "swish": 1e-6, "mish": 1e-6}
OF_SMALL, OF_JUMPS, NOTHING = 2e-3, 5e-7, 1e-9  # the second of what a jump reads


def nudged(graph: Graph, feeds: list[list[np.ndarray]], rng: np.random.Generator, by: float) -> list[list[np.ndarray]]:
    """What a graph gives for its feeds if these, its parameters and its functions are off by a little."""
    params = {p.value for p in graph.params}
    data = {v: _near(a, rng, by) if v in params else a for v, a in graph.data.items()}
    session = open_session(_shaken(graph.with_data(data), rng), "numpy")
    return [session.run([_near(x, rng, by) for x in feed]) for feed in feeds]


def _shaken(graph: Graph, rng: np.random.Generator) -> Graph:
    """The graph with functions that are off as those of runtimes are: by a last place of 1, by more where small.

    What is rounded up or down is off before: it may lie on the edge of a jump.
    """
    b = Builder()
    for op in graph.ops:
        b.enter(op.layer, f"{op.output.name}.shaken")
        noise = b.const(rng.uniform(-1, 1, op.output.shape))
        if op.kind in ("ceil", "floor"):
            b.compute(op.output, op.kind, b.add(op.inputs[0], b.mul(noise, OF_JUMPS)))
            continue
        if op.kind not in LAST_PLACES:
            b.ops.append(op)
            continue
        exact, most = Value(f"{op.output.name}.exact", op.output.shape, op.output.batched), LAST_PLACES[op.kind]
        b.ops.append(replace(op, output=exact))
        off = b.mul(b.op("clip", b.mul(exact, OF_SMALL), low=-most, high=most), noise)
        if op.kind in ("sigmoid", "softmax"):  # next to nothing is nothing
            b.compute(op.output, "relu", b.add(b.add(exact, off), b.mul(noise, NOTHING)))
        else:
            b.compute(op.output, "add", exact, off)
    return replace(graph, ops=tuple(b.ops), data={**graph.data, **b.data})


def _near(array: np.ndarray, rng: np.random.Generator, by: float) -> np.ndarray:
    return (array * (1 + rng.uniform(-by, by, array.shape))).astype(np.float32)
