"""The optimizer: pure functions from graph to graph, run in order, with the checker after each.

A pass needs the parameters loaded, changes no number beyond float32 rounding (or says by how much), and is listed in
`PASSES`; there is no other registry.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..ir.check import InvalidGraph, check
from ..ir.graph import Graph
from .fold_batch_norm import fold_batch_norm
from .fold_constants import fold_constants

Pass = Callable[[Graph], Graph]

PASSES: tuple[Pass, ...] = (fold_constants, fold_batch_norm)


def optimize(graph: Graph, passes: Iterable[Pass] = PASSES) -> Graph:
    """Run passes over a graph with its parameters loaded, then drop what nothing reads."""
    for function in passes:
        try:
            graph = check(function(graph))
        except InvalidGraph as e:
            raise InvalidGraph(f"after the pass {function.__name__}: {e}") from None
    return graph.with_outputs(graph.outputs)


__all__ = ["PASSES", "Pass", "fold_batch_norm", "fold_constants", "optimize"]
