"""The range of each value of a graph on some pictures, which is what its 8 bits have to cover.

Decision: the mean over the pictures of the least and of the largest number, as TensorFlow Lite's own tools have it: one
odd picture does not widen what all others need. Values are measured some at a time, so that memory does not grow with
the network.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ..backends.session import open_session
from ..contract.contract import Contract
from ..ir.graph import Graph, Value
from ..vision.inference import inputs_of
from ..vision.sources import Found, pictures

AT_ONCE = 1 << 25  # numbers: 128 MB of values are kept at a time


def measure_ranges(graph: Graph, contract: Contract, files: Sequence[Found]) -> dict[Value, tuple[float, float]]:
    """The (least, largest) number of each computed value of a graph with its parameters loaded."""
    inputs = [inputs_of(picture, contract) for f in files for picture in pictures(f, contract.shape[0])]
    found: dict[Value, tuple[float, float]] = {}
    for values in _groups([op.output for op in graph.ops if op.output.batched]):
        session = open_session(graph.with_outputs(values), "onnxruntime", winograd=False)
        limits = np.array([[(y.min(), y.max()) for y in session.run(x)] for x in inputs], np.float64).mean(0)
        found |= {v: (float(low), float(high)) for v, (low, high) in zip(values, limits, strict=True)}
    return found


def _groups(values: Sequence[Value]) -> Iterator[list[Value]]:
    group: list[Value] = []
    size = 0
    for value in values:
        own = int(np.prod(value.shape))
        if group and size + own > AT_ONCE:
            yield group
            group, size = [], 0
        group.append(value)
        size += own
    if group:
        yield group
