"""A depthwise convolution of an image of one row or column, whose padding is made before it.

OpenCV 4 reads beyond such an image where the convolution itself pads it (seen in 4.14, of 3x3 kernels), and computes
with whatever lies there.
"""

from __future__ import annotations

from ..ir.builder import Builder
from ..ir.graph import Graph, Op, Value
from ..ir.rewrite import rewrite
from .definition import OPENCV_4, Line, Pass


def _pad_narrow(graph: Graph) -> Graph:
    """Put a pad of zeros before a padded depthwise convolution of an image with a side of 1.

    >>> import numpy as np
    >>> b = Builder()
    >>> x = b.input("x", (4, 1, 5))
    >>> y = b.op("conv", x, b.const(np.ones((4, 1, 3, 3), np.float32)), pads=(1, 1, 1, 1), groups=4)
    >>> [(op.kind, op.output.shape) for op in pad_narrow(b.graph(x, y)).ops]
    [('pad', (4, 3, 7)), ('conv', (4, 1, 5))]
    """
    return rewrite(graph, "border", _pad)


pad_narrow = Pass("pad_narrow", True, _pad_narrow)
LINES = (Line(30, pad_narrow, (OPENCV_4,)),)


def _pad(b: Builder, op: Op) -> Value | None:
    if op.kind != "conv" or op.attrs["groups"] == 1 or not any(op.attrs["pads"]):
        return None
    channels, *sides = op.inputs[0].shape
    if min(sides) > 1 or op.attrs["groups"] != channels:
        return None
    padded = b.op("pad", op.inputs[0], pads=op.attrs["pads"], value=0.0)
    return b.compute(op.output, "conv", padded, *op.inputs[1:], **{**op.attrs, "pads": (0, 0, 0, 0)})
