"""The pools of a spatial pyramid (5, 9 and 13 wide, of one value) computed from one another, each 5 wide.

A maximum over 9 x 9 is one over 5 x 5 of maxima over 5 x 5; what lies outside the image never wins in either.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from ..ir.graph import Graph, Op, Value
from .definition import BLOCKED, NCNN, OPENCV_4, OPENCV_5, Line, Pass


def _cascade_pools(graph: Graph) -> Graph:
    """Let each centred max_pool of stride 1 read the next smaller one of the same value.

    >>> from darknet_py.ir.builder import Builder
    >>> b = Builder()
    >>> x = b.input("x", (1, 19, 19))
    >>> pools = [b.op("max_pool", x, kernel=(n, n), strides=(1, 1), pads=(n // 2,) * 4) for n in (5, 9, 13)]
    >>> [op.attrs["kernel"] for op in cascade_pools(b.graph(x, *pools)).ops]
    [(5, 5), (5, 5), (5, 5)]
    """
    pools: dict[Value, list[Op]] = {}
    for op in graph.ops:
        if op.kind == "max_pool" and _is_centred(op):
            pools.setdefault(op.inputs[0], []).append(op)
    smaller: dict[Op, Op] = {}
    for group in pools.values():
        ordered = sorted(group, key=lambda op: op.attrs["kernel"])
        smaller.update((b, a) for a, b in pairwise(ordered) if b.attrs["kernel"] > a.attrs["kernel"])
    ops: list[Op] = []
    written: set[Op] = set()

    def write(op: Op) -> None:
        if op in written:
            return
        written.add(op)
        if op in smaller:
            write(smaller[op])  # it may come later: cfgs have 5, 9, 13 and 13, 9, 5
            op = _rest(op, smaller[op])
        ops.append(op)

    for op in graph.ops:
        write(op)
    return replace(graph, ops=tuple(ops))


cascade_pools = Pass("cascade_pools", True, _cascade_pools)
LINES = (Line(40, cascade_pools, (NCNN, BLOCKED, OPENCV_4, OPENCV_5)),)


def _is_centred(op: Op) -> bool:
    (height, width), half = op.attrs["kernel"], op.attrs["kernel"][0] // 2
    square = height == width and height % 2 == 1 and height > 1
    return square and op.attrs["strides"] == (1, 1) and op.attrs["pads"] == (half,) * 4


def _rest(op: Op, inner: Op) -> Op:
    size = op.attrs["kernel"][0] - inner.attrs["kernel"][0] + 1
    attrs = {**op.attrs, "kernel": (size, size), "pads": (size // 2,) * 4}
    return replace(op, inputs=(inner.output,), attrs=attrs)
