"""An input that is joined with a constant, which is copied first.

OpenCV 4 gives something else for the constant where a concatenation takes it and the network's input themselves, of one
sample (seen in 4.14): a [history] after the image is one.
"""

from __future__ import annotations

from dataclasses import replace

from ..ir.builder import Builder
from ..ir.graph import Graph, Op, Value
from .definition import OPENCV_4, Line, Pass


def _copy_inputs(graph: Graph) -> Graph:
    """Put a product with 1 between an input and a concatenation with a constant.

    >>> import numpy as np
    >>> b = Builder()
    >>> x = b.input("x", (3, 4, 4))
    >>> y = b.concat([x, b.const(np.ones((1, 4, 4), np.float32))])
    >>> [op.kind for op in copy_inputs(b.graph(x, y)).ops]
    ['repeat_batch', 'mul', 'concat']
    """
    constant = {op.output for op in graph.ops if op.kind == "repeat_batch"}
    b = Builder()
    for op in graph.ops:
        joined = {*op.inputs} if op.kind == "concat" else set()
        b.ops.append(_copied(b, op, graph.inputs) if joined & constant and joined & {*graph.inputs} else op)
    return replace(graph, ops=tuple(b.ops), data={**graph.data, **b.data})


copy_inputs = Pass("copy_inputs", True, _copy_inputs)
LINES = (Line(35, copy_inputs, (OPENCV_4,)),)


def _copied(b: Builder, op: Op, inputs: tuple[Value, ...]) -> Op:
    b.enter(op.layer, f"{op.layer}.copy")
    return replace(op, inputs=tuple(b.mul(v, 1.0) if v in inputs else v for v in op.inputs))
