"""The optimizer: pure functions from graph to graph, run in order, with the checker after each.

A pass needs the parameters loaded and changes no number beyond float32 rounding (or says by how much). `PASSES` serve
every back end and exported files; what only one runtime gains from stands in that back end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from ..ir.check import InvalidGraph, check
from ..ir.graph import Graph
from .cascade_pools import cascade_pools
from .fold_batch_norm import fold_batch_norm
from .fold_constants import fold_constants
from .im2col import unfold_convolutions
from .maxout import maxout_of_slices
from .spread_channels import spread_channels
from .widen_groups import widen_groups
from .winograd import tile_convolutions

Pass = Callable[[Graph], Graph]

PASSES: tuple[Pass, ...] = (fold_constants, fold_batch_norm)


def optimize(graph: Graph, passes: Iterable[Pass] = PASSES) -> Graph:
    """Run passes over a graph with its parameters loaded, then drop what nothing reads."""
    for function in passes:
        try:
            graph = check(function(graph))
        except InvalidGraph as e:
            raise InvalidGraph(f"after the pass {function.__name__}: {e}") from None
    graph = graph.with_outputs(graph.outputs)
    read = {v for op in graph.ops for v in op.inputs} | {*graph.outputs, *(s.output for s in graph.states)}
    read.update(p.value for p in graph.params)
    return replace(graph, data={v: array for v, array in graph.data.items() if v in read})


__all__ = [
    "PASSES",
    "Pass",
    "cascade_pools",
    "fold_batch_norm",
    "fold_constants",
    "maxout_of_slices",
    "optimize",
    "spread_channels",
    "tile_convolutions",
    "unfold_convolutions",
    "widen_groups",
]
