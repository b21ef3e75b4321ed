"""Maxout as the maximum of slices of channels, which stay slices in a blocked layout. Exact."""

from __future__ import annotations

import math
from dataclasses import replace

from ..ir.graph import Graph, Op, Value


def maxout_of_slices(graph: Graph) -> Graph:
    """Replace reshape (rounds, c h, w), reduce_max over the rounds, reshape (c, h, w) by maxima of slices."""
    readers, wanted = graph.readers(), {*graph.outputs, *(s.output for s in graph.states)}
    ops: list[Op] = []
    dropped: set[Op] = set()
    producers = {op.output: op for op in graph.ops}
    for op in graph.ops:
        chain = _chain(op, producers)
        inner = chain[:-1]
        if not chain or any(len(readers[o.output]) > 1 or o.output in wanted for o in inner):
            ops.append(op)
            continue
        dropped.update(inner)
        ops.extend(_maxima(chain[0].inputs[0], op))
    return replace(graph, ops=tuple(o for o in ops if o not in dropped))


def _chain(last: Op, producers: dict[Value, Op]) -> tuple[Op, ...]:
    """The three operations of a Maxout that ends in `last`, or none."""
    middle = producers.get(last.inputs[0]) if last.kind == "reshape" else None
    first = producers.get(middle.inputs[0]) if middle is not None and middle.kind == "reduce_max" else None
    if middle is None or first is None or first.kind != "reshape":
        return ()
    x, table, y = first.inputs[0].shape, first.output.shape, last.output.shape
    matches = len(x) == len(y) == 3 and x[1:] == y[1:] and middle.attrs["axes"] == (0,)
    return (first, middle, last) if matches and table == (x[0] // y[0], y[0] * y[1], y[2]) else ()


def _maxima(x: Value, last: Op) -> list[Op]:
    shape, name = last.output.shape, last.output.name
    channels, rounds = shape[0], math.prod(x.shape) // math.prod(shape)
    ops: list[Op] = []

    def op(kind: str, inputs: tuple[Value, ...], suffix: str, **attrs: object) -> Value:
        y = Value(f"{name}.{suffix}", shape, x.batched)
        ops.append(Op(kind, inputs, y, attrs, last.layer))
        return y

    parts = [
        op("slice", (x,), f"part{i}", axes=(0,), starts=(i * channels,), stops=((i + 1) * channels,), steps=(1,))
        for i in range(rounds)
    ]
    y = parts[0]
    for i, part in enumerate(parts[1:-1], 1):
        y = op("maximum", (y, part), f"maximum{i}")
    return [*ops, Op("maximum", (y, parts[-1]), last.output, {}, last.layer)]
