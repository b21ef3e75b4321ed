"""A program: a graph and its contract, which is all that a cfg compiles to and all that a back end or a file needs."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ..ir.check import check
from ..ir.graph import Graph, Value
from .contract import Contract


@dataclass(frozen=True, eq=False)
class Program:
    """`contract` is about `graph.outputs`: where there are decoders these are the outputs of their heads."""

    graph: Graph
    contract: Contract

    @property
    def sources(self) -> tuple[Value, ...]:
        """What each decoder reads with `boxes='input'`: the input of its head where it can take that, else its output.

        Sessions end there: decoding looks at what the heads get, and only squashes what it keeps.
        """
        found = []
        for index, decoder in zip(self.graph.heads, self.contract.decoders, strict=True):
            info = self.graph.layer(index)
            found.append(self.graph.layer_inputs(info)[0] if decoder.reads_input else info.output)
        return tuple(found)

    def before_heads(self) -> Program:
        """The same program, ending in `sources`."""
        if not self.contract.decoders:
            return self
        return Program(self.graph.with_outputs(self.sources), replace(self.contract, boxes="input"))

    def tails(self) -> list[Graph | None]:
        """The operations of each head after its source; None where that is its output."""
        return [self._tail(*pair) for pair in zip(self.graph.heads, self.sources, strict=True)]

    def _tail(self, index: int, source: Value) -> Graph | None:
        graph, output = self.graph, self.graph.layer_output(index)
        if source is output:
            return None
        ops = tuple(op for op in graph.ops if op.layer == index)
        data = {v: graph.data[v] for op in ops for v in op.inputs if v in graph.data}
        return check(replace(graph, image=source, ops=ops, params=(), states=(), outputs=(output,), data=data))
