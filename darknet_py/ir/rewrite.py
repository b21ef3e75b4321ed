"""What passes share that put several operations in the place of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .builder import Builder
from .graph import Graph, Op, Value

# Computes `op.output` by operations that it gives to the builder, and returns it; None: the operation stays as it is.
Rule = Callable[[Builder, Op], Value | None]


def rewrite(graph: Graph, what: str, rule: Rule) -> Graph:
    """The graph with what `rule` makes of each operation; new values are named after the layer and `what`."""
    b = Builder()
    sections = {info.index: info.section for info in graph.layers}
    for op in graph.ops:
        b.enter(op.layer, f"{sections.get(op.layer, 'layer')}.{what}")
        if rule(b, op) is None:
            b.ops.append(op)
    return replace(graph, ops=tuple(b.ops), data={**graph.data, **b.data})
