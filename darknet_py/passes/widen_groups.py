"""Groups of few channels joined until they fill SIMD registers, with zeros between the channels that do not meet.

What is added is 0 times a finite number. A runtime that keeps channels in blocks computes a group of 4 channels
channel by channel, or leaves its layout for it; a group of one block is one product, however many zeros are in it.
"""

from __future__ import annotations

import numpy as np

from ..ir.builder import Builder
from ..ir.graph import Graph, Op, Value
from ..ir.rewrite import rewrite
from .definition import BLOCKED, OPENCV_5, Line, Pass


def widen_groups(block: int) -> Pass:
    """The pass for a runtime that keeps `block` channels together; depthwise convolutions are left alone.

    >>> b = Builder()
    >>> x = b.input("x", (32, 7, 7))
    >>> after = widen_groups(8)(b.graph(x, b.op("conv", x, b.const(np.ones((32, 4, 1, 1))), groups=8)))
    >>> [(op.attrs["groups"], op.inputs[1].shape) for op in after.ops]
    [(4, (32, 8, 1, 1))]
    """
    return Pass("widen_groups", True, _widen_groups, (block,))


LINES = (Line(50, widen_groups, (BLOCKED, OPENCV_5)),)


def _widen_groups(graph: Graph, block: int) -> Graph:
    def rule(b: Builder, op: Op) -> Value | None:
        joined = _joined(op, block) if op.kind == "conv" and op.inputs[1] in graph.data else 1
        if joined == 1:
            return None
        groups = op.attrs["groups"]
        weights = b.const(join_groups(graph.data[op.inputs[1]], groups, joined))
        attrs = {**op.attrs, "groups": groups // joined}
        return b.compute(op.output, "conv", op.inputs[0], weights, *op.inputs[2:], **attrs)

    return rewrite(graph, "wide", rule)


def _joined(op: Op, block: int) -> int:
    """How many groups make whole blocks of channels, both read and made; 1 if they do already or never will."""
    groups: int = op.attrs["groups"]
    n, c = op.inputs[1].shape[0] // groups, op.inputs[1].shape[1]
    if groups == 1 or c == n == 1:
        return 1
    fitting = (k for k in range(1, groups + 1) if groups % k == 0 and k * n % block == 0 and k * c % block == 0)
    return next(fitting, 1)


def join_groups(weights: np.ndarray, groups: int, joined: int) -> np.ndarray:
    """Weights (n, c / groups, kh, kw) as (n, joined c / groups, kh, kw), for groups / joined groups."""
    n, c = len(weights) // groups, weights.shape[1]
    wide = np.zeros((groups // joined, joined, n, joined, c, *weights.shape[2:]), np.float32)
    parts = weights.reshape(groups // joined, joined, n, c, *weights.shape[2:])
    for k in range(joined):
        wide[:, k, :, k] = parts[:, k]
    return wide.reshape(len(weights), joined * c, *weights.shape[2:])
