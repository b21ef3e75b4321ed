"""Compute once what does not depend on the input, such as binarized weights and stretched parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir.graph import Graph, Op, Value
from ..ir.kernels import run_op
from .definition import FOLDING, Line, Pass


def _fold_constants(graph: Graph) -> Graph:
    """Replace each operation on constants by its result, as the reference executor computes it.

    What is the same for every sample, such as what follows an [implicit], is computed for one and repeated.

    >>> from darknet_py.ir.builder import Builder
    >>> b = Builder()
    >>> x = b.input("x", (1,))
    >>> after = fold_constants(b.graph(x, b.mul(x, b.add(b.const([2.0]), b.const([3.0])))))
    >>> [op.kind for op in after.ops], after.data[after.ops[0].inputs[1]].tolist()
    (['mul'], [5.0])
    """
    data, kept = dict(graph.data), []
    repeated: dict[Value, tuple[np.ndarray, Value]] = {}  # one sample, and what says how many there are
    for op in graph.ops:
        known = [data[v] if v in data else repeated[v][0] for v in op.inputs if v in data or v in repeated]
        if op.kind == "repeat_batch" and op.inputs[0] in data:
            repeated[op.output] = known[0], op.inputs[1]
        if len(known) < len(op.inputs) or op.kind == "repeat_batch":
            kept.append(op)
            continue
        result = run_op(op.kind, known, False, op.attrs)
        if not op.output.batched:
            data[op.output] = result
            continue
        like = next(repeated[v][1] for v in op.inputs if v in repeated)
        one = Value(f"{op.output.name}.one", op.output.shape, batched=False)
        data[one], repeated[op.output] = result, (result, like)
        kept.append(Op("repeat_batch", (one, like), op.output, {}, op.layer))
    return replace(graph, ops=tuple(kept), data=data)


fold_constants = Pass("fold_constants", True, _fold_constants)
LINES = (Line(10, fold_constants, FOLDING),)
