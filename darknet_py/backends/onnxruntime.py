"""onnxruntime, the default executor: any batch size in one session, all graph optimizations on."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from ..errors import BackendError
from ..ir.graph import Graph
from ..passes import optimize
from .blocked import block_size, to_blocked
from .onnx import PROTOBUF_LIMIT, feed, to_onnx
from .ort import session_options, write_optimized

CPU = "CPUExecutionProvider"


class OnnxRuntimeSession:
    """A graph in onnxruntime."""

    def __init__(self, graph: Graph, threads: int | None, providers: Sequence[str], save: Path | None) -> None:
        self._graph = graph
        options = session_options(threads)
        if save is not None:
            write_optimized(options, save)
        block = block_size() if list(providers) == [CPU] else None
        model = to_onnx(graph) if block is None else to_blocked(graph, block)
        try:
            self._session = _load(model, options, list(providers))
        except Exception as e:
            raise BackendError(f"onnxruntime refuses the network: {e}") from e

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        arrays = feed(self._graph, inputs)
        try:
            return list(self._session.run(None, arrays))
        except Exception as e:
            raise BackendError(f"onnxruntime fails: {e}") from e


def open_session(
    graph: Graph,
    *,
    threads: int | None = None,
    providers: Sequence[str] = (CPU,),
    save: Path | None = None,
) -> OnnxRuntimeSession:
    """onnxruntime on a graph with its parameters loaded; `threads` None: one for each core.

    `save` is a folder for the optimized model, which `ort.OptimizedSession` opens.
    """
    return OnnxRuntimeSession(optimize(graph), threads, providers, save)


def _load(
    model: onnx.ModelProto, options: onnxruntime.SessionOptions, providers: list[str]
) -> onnxruntime.InferenceSession:
    if model.ByteSize() < PROTOBUF_LIMIT:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save_model(model, path, save_as_external_data=True, location="model.data")
        return onnxruntime.InferenceSession(path, options, providers=providers)
