"""What passes share that put several operations in the place of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .builder import Builder
from .graph import Graph, Op

Rule = Callable[[Builder, Op], Op]


def rewrite(graph: Graph, what: str, rule: Rule) -> Graph:
    """The graph with each operation as `rule` returns it, behind those that it gave to the builder.

    New values are named after the operation's layer and `what`.
    """
    b = Builder()
    for op in graph.ops:
        section = op.output.name.partition(".")[0].partition("_")[2]
        b.enter(op.layer, f"{section}.{what}")
        b.ops.append(rule(b, op))
    return replace(graph, ops=tuple(b.ops), data={**graph.data, **b.data})
