"""onnx.reference: the definition of ONNX in NumPy. Slow; it tells a mistake of the emitter from one of a runtime."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

from ..ir.builder import Builder
from ..ir.graph import Graph, Op, Value
from ..ir.kernels import FLOAT_MIN
from ..ir.rewrite import rewrite
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


class FileSession:
    """An ONNX file in the reference evaluator of the onnx package."""

    def __init__(self, path: Path) -> None:
        self._evaluator = ReferenceEvaluator(onnx.load(path))

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        feed = dict(zip(self._evaluator.input_names, inputs, strict=True))
        return [np.asarray(o, np.float32) for o in self._evaluator.run(None, feed)]


def open_session(graph: Graph) -> OnnxReferenceSession:
    """onnx.reference on a graph with its parameters loaded."""
    return OnnxReferenceSession(graph)


def open_file(path: Path) -> FileSession:
    """onnx.reference on an ONNX file."""
    return FileSession(path)


def _pad_pools(graph: Graph) -> Graph:
    """Each unevenly padded max_pool as a pad and a max_pool: onnx.reference mixes up the sides of `pads`."""

    def rule(b: Builder, op: Op) -> Value | None:
        pads = op.attrs["pads"] if op.kind == "max_pool" else ()
        if pads[:2] == pads[2:]:
            return None
        padded = b.op("pad", op.inputs[0], pads=pads, value=float(FLOAT_MIN))
        return b.compute(op.output, "max_pool", padded, **{**op.attrs, "pads": (0, 0, 0, 0)})

    return rewrite(graph, "border", rule)
