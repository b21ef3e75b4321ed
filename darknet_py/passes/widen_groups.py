"""Groups of few channels joined until they fill SIMD registers, with zeros between the channels that do not meet.

Exact: what is added is 0 times a finite number. A runtime that keeps channels in blocks computes a group of 4 channels
channel by channel, or leaves its layout for it; a group of one block is one product, however many zeros are in it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ..ir.graph import Graph, Op, Value


def widen_groups(block: int) -> Callable[[Graph], Graph]:
    """The pass for a runtime that keeps `block` channels together; depthwise convolutions are left alone."""

    def widen(graph: Graph) -> Graph:
        ops, data = [], dict(graph.data)
        for op in graph.ops:
            joined = _joined(op, block) if op.kind == "conv" and op.inputs[1] in data else 1
            if joined > 1:
                groups = op.attrs["groups"]
                array = join_groups(data[op.inputs[1]], groups, joined)
                weights = Value(f"{op.output.name}.wide", array.shape, batched=False)
                data[weights] = array
                attrs = {**op.attrs, "groups": groups // joined}
                op = replace(op, inputs=(op.inputs[0], weights, *op.inputs[2:]), attrs=attrs)
            ops.append(op)
        return replace(graph, ops=tuple(ops), data=data)

    return widen


def _joined(op: Op, block: int) -> int:
    """How many groups make whole blocks of channels, both read and made; 1 if they do already or never will."""
    groups: int = op.attrs.get("groups", 1)
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
