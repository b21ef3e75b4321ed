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
from .onnx import PROTOBUF_LIMIT, feed, to_onnx

SEVERITY_FATAL = 4  # whatever goes wrong arrives as an exception; nothing is printed


class OnnxRuntimeSession:
    """A graph in onnxruntime."""

    def __init__(self, graph: Graph, threads: int | None, providers: Sequence[str]) -> None:
        self._graph = graph
        options = onnxruntime.SessionOptions()
        options.log_severity_level = SEVERITY_FATAL
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        if threads is not None:
            options.intra_op_num_threads = threads
        model = to_onnx(graph)
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
    graph: Graph, *, threads: int | None = None, providers: Sequence[str] = ("CPUExecutionProvider",)
) -> OnnxRuntimeSession:
    """onnxruntime on a graph with its parameters loaded; `threads` None: one for each core."""
    return OnnxRuntimeSession(optimize(graph), threads, providers)


def _load(
    model: onnx.ModelProto, options: onnxruntime.SessionOptions, providers: list[str]
) -> onnxruntime.InferenceSession:
    if model.ByteSize() < PROTOBUF_LIMIT:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        onnx.save_model(model, path, save_as_external_data=True, location="model.data")
        return onnxruntime.InferenceSession(path, options, providers=providers)
