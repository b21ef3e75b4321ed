"""onnx.reference: the definition of ONNX in NumPy. Slow; it tells a mistake of the emitter from one of a runtime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from onnx.reference import ReferenceEvaluator

from ..ir.graph import Graph, Op, Value
from ..ir.kernels import FLOAT_MIN
from ..ir.ops import PRIMITIVES
from ..onnx.operators import feed, to_onnx


class OnnxReferenceSession:
    """The graph as emitted, without any optimization."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._evaluator = ReferenceEvaluator(to_onnx(_pad_pools(graph)))

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        arrays = feed(self._graph, inputs)
        with np.errstate(all="ignore"):
            return [np.asarray(y, np.float32) for y in self._evaluator.run(None, arrays)]


def open_session(graph: Graph) -> OnnxReferenceSession:
    """onnx.reference on a graph with its parameters loaded."""
    return OnnxReferenceSession(graph)


def _pad_pools(graph: Graph) -> Graph:
    """Each unevenly padded max_pool as a pad and a max_pool: onnx.reference mixes up the sides of `pads`."""
    ops: list[Op] = []
    for op in graph.ops:
        pads = op.attrs["pads"] if op.kind == "max_pool" else ()
        if pads[:2] == pads[2:]:
            ops.append(op)
            continue
        attrs = {**op.attrs, "pads": (0, 0, 0, 0)}
        x = op.inputs[0]
        padded = Value(f"{op.output.name}.border", PRIMITIVES["pad"].shape(x.shape, pads=pads, value=FLOAT_MIN))
        ops.append(Op("pad", (x,), padded, {"pads": pads, "value": float(FLOAT_MIN)}, op.layer))
        ops.append(Op("max_pool", (padded,), op.output, attrs, op.layer))
    return replace(graph, ops=tuple(ops))
