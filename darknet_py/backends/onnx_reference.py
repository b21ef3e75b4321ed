"""onnx.reference: the definition of ONNX in NumPy. Slow; it tells a mistake of the emitter from one of a runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import BackendError
from .backend import Backend

if TYPE_CHECKING:
    import numpy as np
    from onnx.reference import ReferenceEvaluator

    from ..ir.builder import Builder
    from ..ir.graph import Graph, Op, Value

BACKEND = Backend(
    "onnx.reference", "onnx.reference", __name__, package="onnx", distributions=("onnx",), reads=(".onnx",),
    threads="none", fast=False,
)  # fmt: skip

Inputs = Sequence["np.ndarray"]


class OnnxReferenceSession:
    """A model as it was written, without any optimization; `feed` names the inputs. Keeps nothing between runs."""

    def __init__(self, evaluator: ReferenceEvaluator, feed: Callable[[Inputs], dict[str, np.ndarray]]) -> None:
        self._evaluator, self._feed = evaluator, feed

    def run(self, inputs: Inputs) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        import numpy as np

        try:
            arrays = self._feed(inputs)
            with np.errstate(all="ignore"):
                return [np.asarray(y, np.float32) for y in self._evaluator.run(None, arrays)]
        except Exception as e:  # whatever NumPy raises inside an operator, as for a window that holds only NaN
            raise BackendError(f"onnx.reference fails: {e}") from e


def open_session(graph: Graph) -> OnnxReferenceSession:
    """onnx.reference on a graph with its parameters loaded."""
    from onnx.reference import ReferenceEvaluator

    from ..onnx.operators import feed, to_onnx

    return OnnxReferenceSession(ReferenceEvaluator(to_onnx(_pad_pools(graph))), partial(feed, graph))


def open_file(path: Path) -> OnnxReferenceSession:
    """onnx.reference on an ONNX file. Raises `BackendError` where it is damaged."""
    import onnx
    from onnx.reference import ReferenceEvaluator

    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
        evaluator = ReferenceEvaluator(model)
    except Exception as e:  # protobuf's own, and whatever a lying attribute makes NumPy raise
        raise BackendError(f"onnx.reference refuses {path}: {e}") from e
    return OnnxReferenceSession(evaluator, lambda inputs: dict(zip(evaluator.input_names, inputs, strict=True)))


def _pad_pools(graph: Graph) -> Graph:
    """Each unevenly padded max_pool as a pad and a max_pool: onnx.reference mixes up the sides of `pads`."""
    from ..ir.kernels import FLOAT_MIN
    from ..ir.rewrite import rewrite

    def rule(b: Builder, op: Op) -> Value | None:
        pads = op.attrs["pads"] if op.kind == "max_pool" else ()
        if pads[:2] == pads[2:]:
            return None
        padded = b.op("pad", op.inputs[0], pads=pads, value=float(FLOAT_MIN))
        return b.compute(op.output, "max_pool", padded, **{**op.attrs, "pads": (0, 0, 0, 0)})

    return rewrite(graph, "border", rule)
