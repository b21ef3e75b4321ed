"""One number for each channel, spread over the image before it meets one.

OpenCV 5 leaves its blocked layout to broadcast, which takes longer than writing the numbers out.
"""

from __future__ import annotations

from ..ir.builder import Builder
from ..ir.graph import Graph, Op, Value
from ..ir.rewrite import rewrite
from .definition import OPENCV_5, Line, Pass

BINARY = frozenset({"add", "sub", "mul", "div", "maximum"})


def _spread_channels(graph: Graph) -> Graph:
    """Upsample the (c, 1, 1) operand of an operation whose other operand is (c, h, w); constants stay.

    >>> b = Builder()
    >>> x = b.input("x", (4, 3, 5))
    >>> after = spread_channels(b.graph(x, b.mul(x, b.op("reduce_mean", x, axes=(1, 2)))))
    >>> [(op.kind, op.output.shape) for op in after.ops]
    [('reduce_mean', (4, 1, 1)), ('upsample', (4, 3, 5)), ('mul', (4, 3, 5))]
    """
    return rewrite(graph, "spread", _spread)


spread_channels = Pass("spread_channels", True, _spread_channels)
LINES = (Line(60, spread_channels, (OPENCV_5,)),)


def _spread(b: Builder, op: Op) -> Value | None:
    shape = op.output.shape
    if op.kind not in BINARY or len(shape) != 3 or shape[1:] == (1, 1):
        return None
    small = [v for v in op.inputs if v.batched and v.shape == (shape[0], 1, 1)]
    if len(small) != 1 or any(v.shape != shape for v in op.inputs if v is not small[0]):
        return None
    inputs = (b.op("upsample", v, scale=shape[1:]) if v is small[0] else v for v in op.inputs)
    return b.compute(op.output, op.kind, *inputs)
