"""The optimizer: pure functions from graph to graph, run in order, with the checker after each.

A file for each idea; `table` says which back end takes which, in which order and at which price.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..ir.check import InvalidGraph, check
from ..ir.graph import Graph
from .definition import Pass
from .fold_constants import fold_constants
from .table import passes_for

PASSES = passes_for("file")


def optimize(graph: Graph, passes: Iterable[Pass] = PASSES) -> Graph:
    """Run passes over a graph with its parameters loaded, then drop what nothing reads.

    `InvalidGraph`, a bug of this package, says after which pass the graph was broken.
    """
    for step in passes:
        try:
            graph = check(step(graph))
        except InvalidGraph as e:
            raise InvalidGraph(f"after the pass {step.name}: {e}") from None
    graph = graph.with_outputs(graph.outputs)
    read = {v for op in graph.ops for v in op.inputs} | {*graph.roots}
    read.update(p.value for p in graph.params)
    return replace(graph, data={v: array for v, array in graph.data.items() if v in read})


__all__ = ["PASSES", "Pass", "fold_constants", "optimize", "passes_for"]
