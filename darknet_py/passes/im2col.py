"""Convolutions whose taps become channels first (im2col), for a runtime with one fast kernel. Sums in another order.

Either all taps become channels, and a 1x1 convolution is left; or, of an image with few channels, one column of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ..ir.builder import Builder
from ..ir.graph import Graph, Op, Value
from ..ir.rewrite import rewrite

LARGEST = 3  # kernels whose taps all become channels; larger ones would make very many
WORTH = 1.25  # times as few multiplications as are worth the memory traffic that they become


@dataclass(frozen=True)
class Costs:
    """What a runtime that keeps `block` channels together pays, in multiplications of a 1x1 convolution of stride 1.

    `tap`: for a number that becomes a channel; `strided`: for a multiplication in a convolution with strides, and
    `edge` besides, divided by the width of its results.
    """

    block: int
    tap: float
    strided: float
    edge: float


def unfold_convolutions(costs: Costs) -> Callable[[Graph], Graph]:
    """The pass for a runtime."""

    def transform(graph: Graph) -> Graph:
        def rule(b: Builder, op: Op) -> Op:
            if op.kind != "conv" or op.inputs[1] not in graph.data or not _is_plain(op):
                return op
            if _all_taps_pay(op, costs):
                return _all_taps(b, op, graph.data[op.inputs[1]])
            return _columns(b, op, graph.data[op.inputs[1]]) if _columns_pay(op, costs) else op

        return rewrite(graph, "im2col", rule)

    return transform


def _is_plain(conv: Op) -> bool:
    return conv.attrs.get("groups", 1) == 1 and conv.attrs.get("dilations", (1, 1)) == (1, 1)


def _all_taps_pay(conv: Op, costs: Costs) -> bool:
    (filters, channels, *size), (_, _, width) = conv.inputs[1].shape, conv.output.shape
    if channels % costs.block or max(size) > LARGEST or conv.attrs.get("strides", (1, 1)) == (1, 1):
        return False
    return filters * (costs.strided + costs.edge / width - 1) > costs.tap


def _columns_pay(conv: Op, costs: Costs) -> bool:
    """Whether a column of taps fills the blocks that so few channels leave empty."""
    filters, channels, rows, columns = conv.inputs[1].shape
    if channels >= costs.block or rows == 1:
        return False
    few, many = (-(-n // costs.block) * costs.block for n in (channels, rows * channels))
    _, across = conv.attrs.get("strides", (1, 1))
    direct = rows * columns * few * filters
    return ((rows * few + costs.tap) * many * across + columns * many * filters) * WORTH < direct


def _all_taps(b: Builder, conv: Op, weights: np.ndarray) -> Op:
    """A depthwise convolution picks the pixels of each tap; a 1x1 convolution multiplies them."""
    filters, _, rows, columns = weights.shape
    taps = [_pick(b, conv, (row, column)) for row in range(rows) for column in range(columns)]
    flat = weights.transpose(0, 2, 3, 1).reshape(filters, -1, 1, 1)
    return replace(conv, inputs=(b.concat(taps), b.const(flat), *conv.inputs[2:]), attrs={})


def _pick(b: Builder, conv: Op, tap: tuple[int, int]) -> Value:
    """The pixels that a tap of a convolution reads, of all channels."""
    x, strides, outer = conv.inputs[0], conv.attrs["strides"], conv.attrs.get("pads", (0, 0, 0, 0))
    pads, length = [0, 0, 0, 0], [1, 1]
    for axis in (0, 1):
        first = tap[axis] - outer[axis]
        last = first + strides[axis] * (conv.output.shape[1 + axis] - 1)
        behind = x.shape[1 + axis] - 1 - last
        pads[axis], pads[2 + axis] = max(0, -first), max(0, -behind)
        # The kernel is 1 among zeros: before it where the first pixels are not read, behind it where so many are left
        # that there were a result too many.
        length[axis] += max(0, first) + max(0, behind - strides[axis] + 1)
    kernel = np.zeros((x.shape[0], 1, *length))
    kernel[:, :, max(0, tap[0] - outer[0]), max(0, tap[1] - outer[1])] = 1
    return b.op("conv", x, b.const(kernel), strides=strides, pads=tuple(pads), groups=x.shape[0])


def _columns(b: Builder, conv: Op, weights: np.ndarray) -> Op:
    """A convolution picks the column of pixels around each one; one with kernels of a single row multiplies them."""
    filters, channels, rows, columns = weights.shape
    down, across = conv.attrs.get("strides", (1, 1))
    top, left, bottom, right = conv.attrs.get("pads", (0, 0, 0, 0))
    picks = np.eye(rows * channels).reshape(-1, rows, channels, 1).swapaxes(1, 2)
    x = b.op("conv", conv.inputs[0], b.const(picks), strides=(down, 1), pads=(top, 0, bottom, 0))
    flat = weights.swapaxes(1, 2).reshape(filters, rows * channels, 1, columns)
    attrs = {"strides": (1, across), "pads": (0, left, 0, right)}
    return replace(conv, inputs=(x, b.const(flat), *conv.inputs[2:]), attrs=attrs)
