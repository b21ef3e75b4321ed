"""Compute once what does not depend on the input, such as binarized weights and stretched parameters."""

from __future__ import annotations

from dataclasses import replace

from ..backends.numpy import run_op
from ..ir.graph import Graph


def fold_constants(graph: Graph) -> Graph:
    """Replace each operation on constants by its result, as the reference executor computes it. Exact."""
    data, kept = dict(graph.data), []
    for op in graph.ops:
        if not op.output.batched and all(v in data for v in op.inputs):
            data[op.output] = run_op(op.kind, [data[v] for v in op.inputs], False, op.attrs)
        else:
            kept.append(op)
    return replace(graph, ops=tuple(kept), data=data)
