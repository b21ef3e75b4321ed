"""A transposed convolution of 1x1 kernels, whose edges are cut off after it.

OpenCV 4 writes beyond its memory where the padding of the operation itself cuts them off (seen in 4.14), in exported
files too.
"""

from __future__ import annotations

from ..ir.builder import Builder
from ..ir.graph import Graph, Op, Value
from ..ir.rewrite import rewrite
from .definition import OPENCV_4, Line, Pass


def _crop_transposed(graph: Graph) -> Graph:
    """Put a slice after a padded transposed convolution of 1x1 kernels.

    >>> import numpy as np
    >>> b = Builder()
    >>> x = b.input("x", (2, 5, 6))
    >>> y = b.op("conv_transpose", x, b.const(np.ones((2, 3, 1, 1), np.float32)), pads=(1, 1, 1, 1))
    >>> [(op.kind, op.output.shape) for op in crop_transposed(b.graph(x, y)).ops]
    [('conv_transpose', (3, 5, 6)), ('slice', (3, 3, 4))]
    """
    return rewrite(graph, "crop", _crop)


crop_transposed = Pass("crop_transposed", True, _crop_transposed)
LINES = (Line(36, crop_transposed, ("file", OPENCV_4)),)


def _crop(b: Builder, op: Op) -> Value | None:
    if op.kind != "conv_transpose" or op.inputs[1].shape[2:] != (1, 1) or not any(op.attrs["pads"]):
        return None
    whole = b.op("conv_transpose", *op.inputs, **{**op.attrs, "pads": (0, 0, 0, 0)})
    starts = op.attrs["pads"][:2]
    stops = tuple(start + n for start, n in zip(starts, op.output.shape[1:], strict=True))
    return b.compute(op.output, "slice", whole, axes=(1, 2), starts=starts, stops=stops, steps=(1, 1))
