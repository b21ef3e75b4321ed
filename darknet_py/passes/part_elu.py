"""A division whose elu is multiplied: between the two comes a reshape to the same shape.

OpenCV, 4 and 5, takes the three for something else when it reads them, and the process ends (seen in 4.14 and 5.0, of
selu after normalize_channels), in exported files too.
"""

from __future__ import annotations

from dataclasses import replace

from ..ir.builder import Builder
from ..ir.graph import Graph, Op, Value
from .definition import OPENCV_4, OPENCV_5, Line, Pass


def _part_elu(graph: Graph) -> Graph:
    """Put a reshape between a division and an elu that a product reads.

    >>> b = Builder()
    >>> x = b.input("x", (3, 4, 4))
    >>> y = b.mul(b.op("elu", b.op("div", x, b.op("exp", x))), 1.05)
    >>> [op.kind for op in part_elu(b.graph(x, y)).ops]
    ['exp', 'div', 'reshape', 'elu', 'mul']
    """
    producers, multiplied = graph.producers(), {v for op in graph.ops if op.kind == "mul" for v in op.inputs}
    b = Builder()
    for op in graph.ops:
        divided = op.kind == "elu" and op.output in multiplied and _kind(producers, op.inputs[0]) == "div"
        b.ops.append(_parted(b, op) if divided else op)
    return replace(graph, ops=tuple(b.ops))


part_elu = Pass("part_elu", True, _part_elu)
LINES = (Line(37, part_elu, ("file", OPENCV_4, OPENCV_5)),)


def _kind(producers: dict[Value, Op], value: Value) -> str:
    return producers[value].kind if value in producers else ""


def _parted(b: Builder, op: Op) -> Op:
    b.enter(op.layer, f"{op.layer}.part")
    x = op.inputs[0]
    return replace(op, inputs=(b.op("reshape", x, shape=x.shape),))
