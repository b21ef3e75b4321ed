"""How a graph is read in 8 bits: a scale for each value, from the range that was measured for it on pictures."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ...ir.graph import Graph, Op, Value
from .schema import Scale
from .writer import LOW, Eight, scale_of_range

PIXELS = Scale((1 / 255,), (LOW,))  # of the input: a byte of a picture less 128

# What keeps the scale of its operand, and what has one of its own; of the rest, ranges are measured.
KEPT = ("max_pool", "pad", "reshape", "transpose", "slice", "gather", "upsample", "reduce_max")
FIXED: Mapping[str, Scale] = {
    "sigmoid": Scale((1 / 256,), (LOW,)), "tanh": Scale((1 / 128,), (0,)), "softmax": Scale((1 / 256,), (LOW,)),
}  # fmt: skip


def read_as_eight(graph: Graph, ranges: Mapping[Value, tuple[float, float]], floats: Collection[Op] = ()) -> Eight:
    """The scales of a graph whose values have these ranges; `floats` are computed in float all the same.

    What only moves numbers keeps the scale of its operand, and what cannot leave a range has that.
    """
    scales = {graph.image: PIXELS}
    apart = {*floats, *(op for op in graph.ops if op.kind == "softmax" and not _is_along_channels(op))}
    for op in graph.ops:
        if op in floats:
            continue
        first = op.inputs[0]
        if op.kind in KEPT and first in scales:
            scales[op.output] = scales[first]
        elif op.kind in FIXED:
            scales[op.output] = FIXED[op.kind]
        elif op.output in ranges:
            scales[op.output] = scale_of_range(*ranges[op.output])
    return Eight(scales, apart)


def _is_along_channels(op: Op) -> bool:
    rank = len(op.output.shape)
    return op.attrs["axis"] == (0 if rank == 3 else rank - 1)
