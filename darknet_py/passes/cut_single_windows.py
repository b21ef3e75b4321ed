"""A convolution of one channel with one window across: what no window reaches is cut off, and its step is 1.

OpenVINO computes something else where such a convolution has a step of more than 1 (seen in 2026.4), of an exported
file too.
"""

from __future__ import annotations

from ..ir.builder import Builder
from ..ir.graph import Graph, Op, Value
from ..ir.rewrite import rewrite
from .definition import OPENVINO, Line, Pass


def _cut_single_windows(graph: Graph) -> Graph:
    """Cut the input of a convolution of one channel to the columns of its only window.

    >>> import numpy as np
    >>> b = Builder()
    >>> x = b.input("x", (1, 5, 16))
    >>> y = b.op("conv", x, b.const(np.ones((2, 1, 3, 3), np.float32)), strides=(1, 16), pads=(1, 1, 1, 1))
    >>> after = cut_single_windows(b.graph(x, y))
    >>> [(op.kind, op.output.shape) for op in after.ops], after.ops[1].attrs["strides"], after.ops[1].attrs["pads"]
    ([('slice', (1, 5, 2)), ('conv', (2, 5, 1))], (1, 1), (1, 1, 1, 0))
    """
    return rewrite(graph, "window", _cut)


cut_single_windows = Pass("cut_single_windows", True, _cut_single_windows)
LINES = (Line(30, cut_single_windows, ("file", OPENVINO)),)


def _cut(b: Builder, op: Op) -> Value | None:
    if op.kind != "conv" or op.inputs[0].shape[0] > 1 or op.output.shape[2] > 1 or op.attrs["strides"][1] == 1:
        return None
    top, left, bottom, _ = op.attrs["pads"]
    width = op.inputs[0].shape[2]
    reach = op.attrs["dilations"][1] * (op.inputs[1].shape[3] - 1) + 1 - left  # columns of the image, and to its right
    if reach < 1:
        return None  # the window lies in the padding
    x = b.slice(op.inputs[0], 2, 0, min(reach, width))
    attrs = dict(strides=(op.attrs["strides"][0], 1), pads=(top, left, bottom, max(0, reach - width)))
    return b.compute(op.output, "conv", x, *op.inputs[1:], **{**op.attrs, **attrs})
