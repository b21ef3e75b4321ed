"""A program: a graph and its contract, which is all that a cfg compiles to and all that a back end or a file needs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import BackendError
from ..ir.builder import Builder
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

    def with_boxes(self) -> Program:
        """The same program, ending in two outputs: boxes (n, 4) in pixels of the input, and scores (n, classes).

        Raises `BackendError` if it has no heads.
        """
        graph, decoders = self.graph, self.contract.decoders
        if not decoders:
            raise BackendError("the network has no layer that gives boxes: export it with boxes=raw")
        b = Builder()
        boxes, scores = [], []
        for index, decoder in zip(graph.heads, decoders, strict=True):
            info = graph.layer(index)
            b.enter(index, f"{info.section}.boxes")
            found = decoder.lower_boxes(b, info.output, self.contract.net_size)
            boxes.append(found[0])
            scores.append(found[1])
        classes = max(s.shape[1] for s in scores)
        outputs = (b.concat(boxes), b.concat([_widened(b, s, classes) for s in scores]))
        whole = replace(graph, ops=(*graph.ops, *b.ops), data={**graph.data, **b.data}, outputs=outputs)
        return Program(check(whole), replace(self.contract, boxes="decoded", outputs=("boxes", "scores")))

    def ending_in(self, boxes: str) -> Program:
        """The same program, ending as a contract has it whose `boxes` are these; suppression is not of the graph."""
        if boxes == "raw":
            return self
        return self.before_heads() if boxes == "input" else self.with_boxes()

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


def _widened(b: Builder, scores: Value, classes: int) -> Value:
    missing = classes - scores.shape[1]
    if not missing:
        return scores
    return b.concat([scores, b.const(np.zeros((scores.shape[0], missing)))], axis=1)
