"""The taps of some convolutions made channels of the image (im2col), for OpenCV 5.

A tap is one place of a kernel: 3x3 kernels have nine. A convolution multiplies, for each tap, the pixels under that tap
by the weights of that tap, and adds everything up. Instead, the pixels under each tap can be picked first and laid side
by side as channels. What is left to multiply has a smaller kernel and more channels, and gives the same sums. Picking
is a convolution too, by kernels of zeros with a single 1.

This pays in OpenCV 5 in two cases. Its 1x1 convolutions, and its 3x3 ones without strides, are about twice as fast as
all others. And it reads channels in blocks of 8 even where there are only 3.

- **All taps**, of a convolution with strides: every tap is picked by a depthwise convolution with these strides, and a
  1x1 convolution without strides multiplies.
- **A column of taps**, of a convolution that reads fewer channels than a block has, as the first layer does: one
  convolution picks the rows of the kernel, (rows x channels) channels that fill the block, and a convolution with a
  kernel of one row multiplies.

Both write and read more numbers than the convolution did, so each is done only where it is estimated to take less time.
tools/bench/PASSES.md, "Taps as channels", has the measurements.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..ir.builder import Builder
from ..ir.graph import Graph, Op, Value
from ..ir.rewrite import rewrite
from .definition import OPENCV_5, Line, Pass

LARGEST = 3  # kernels whose taps all become channels; larger ones would make very many
WORTH = 1.25  # times as few multiplications as are worth the memory traffic that they become


@dataclass(frozen=True)
class TapCosts:
    """What a runtime that keeps `block` channels together pays, in multiplications of a 1x1 convolution of stride 1.

    `tap`: for a number that becomes a channel; `strided`: for a multiplication in a convolution with strides, and
    `edge` besides, divided by the width of its results.
    """

    block: int
    tap: float
    strided: float
    edge: float


def unfold_convolutions(costs: TapCosts) -> Pass:
    """The pass for a runtime.

    >>> b = Builder()
    >>> x = b.input("x", (64, 16, 16))
    >>> y = b.op("conv", x, b.const(np.ones((128, 64, 3, 3))), strides=(2, 2), pads=(1, 1, 1, 1))
    >>> after = unfold_convolutions(TapCosts(8, tap=60, strided=1.35, edge=12))(b.graph(x, y))
    >>> [op.kind for op in after.ops].count("conv"), after.ops[-1].inputs[1].shape
    (10, (128, 576, 1, 1))
    """
    return Pass("unfold_convolutions", "sums are added up in another order", _unfold_convolutions, (costs,))


# OpenCV 5 multiplies ten pixels at once: in a convolution with strides it computes their addresses for every block, and
# each by itself where they leave a row.
LINES = (Line(70, lambda block: unfold_convolutions(TapCosts(block, tap=60, strided=1.35, edge=12)), (OPENCV_5,)),)


def _unfold_convolutions(graph: Graph, costs: TapCosts) -> Graph:
    def rule(b: Builder, op: Op) -> Value | None:
        if op.kind != "conv" or op.inputs[1] not in graph.data or not _is_plain(op):
            return None
        if _all_taps_pay(op, costs):
            return _all_taps(b, op, graph.data[op.inputs[1]])
        return _columns(b, op, graph.data[op.inputs[1]]) if _columns_pay(op, costs) else None

    return rewrite(graph, "im2col", rule)


def _is_plain(conv: Op) -> bool:
    return conv.attrs["groups"] == 1 and conv.attrs["dilations"] == (1, 1)


def _all_taps_pay(conv: Op, costs: TapCosts) -> bool:
    """Whether what strides cost for each filter is more than what it costs to make a channel of a number."""
    (filters, channels, *size), (_, _, width) = conv.inputs[1].shape, conv.output.shape
    if channels % costs.block or max(size) > LARGEST or conv.attrs["strides"] == (1, 1):
        return False
    return filters * (costs.strided + costs.edge / width - 1) > costs.tap


def _columns_pay(conv: Op, costs: TapCosts) -> bool:
    """Whether a column of taps fills the blocks that so few channels leave empty."""
    filters, channels, rows, columns = conv.inputs[1].shape
    if channels >= costs.block or rows == 1:
        return False
    few, many = (-(-n // costs.block) * costs.block for n in (channels, rows * channels))
    _, across = conv.attrs["strides"]
    direct = rows * columns * few * filters
    return ((rows * few + costs.tap) * many * across + columns * many * filters) * WORTH < direct


def _all_taps(b: Builder, conv: Op, weights: np.ndarray) -> Value:
    """A depthwise convolution picks the pixels of each tap; a 1x1 convolution multiplies them."""
    filters, _, rows, columns = weights.shape
    taps = [_pick(b, conv, (row, column)) for row in range(rows) for column in range(columns)]
    flat = weights.transpose(0, 2, 3, 1).reshape(filters, -1, 1, 1)
    return b.compute(conv.output, "conv", b.concat(taps), b.const(flat), *conv.inputs[2:])


def _pick(b: Builder, conv: Op, tap: tuple[int, int]) -> Value:
    """The pixels that a tap of a convolution reads, of all channels."""
    x, strides, outer = conv.inputs[0], conv.attrs["strides"], conv.attrs["pads"]
    pads, length = [0, 0, 0, 0], [1, 1]
    for axis in (0, 1):
        first = tap[axis] - outer[axis]
        last = first + strides[axis] * (conv.output.shape[1 + axis] - 1)
        left = x.shape[1 + axis] - 1 - last  # pixels after the last one that is read
        pads[axis], pads[2 + axis] = max(0, -first), max(0, -left)
        # The kernel is a 1 among zeros. Zeros before it pass over the pixels before the first. Zeros after it take up
        # pixels after the last, where these would make room for one result too many.
        length[axis] += max(0, first) + max(0, left - strides[axis] + 1)
    kernel = np.zeros((x.shape[0], 1, *length))
    kernel[:, :, max(0, tap[0] - outer[0]), max(0, tap[1] - outer[1])] = 1
    return b.op("conv", x, b.const(kernel), strides=strides, pads=tuple(pads), groups=x.shape[0])


def _columns(b: Builder, conv: Op, weights: np.ndarray) -> Value:
    """A convolution picks the column of pixels around each one; one with kernels of a single row multiplies them."""
    filters, channels, rows, columns = weights.shape
    (down, across), (top, left, bottom, right) = conv.attrs["strides"], conv.attrs["pads"]
    picks = np.eye(rows * channels).reshape(-1, rows, channels, 1).swapaxes(1, 2)
    x = b.op("conv", conv.inputs[0], b.const(picks), strides=(down, 1), pads=(top, 0, bottom, 0))
    flat = b.const(weights.swapaxes(1, 2).reshape(filters, rows * channels, 1, columns))
    attrs = {"strides": (1, across), "pads": (0, left, 0, right)}
    return b.compute(conv.output, "conv", x, flat, *conv.inputs[2:], **attrs)
