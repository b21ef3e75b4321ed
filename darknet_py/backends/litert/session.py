"""LiteRT's interpreter, the extra `[litert]`: one sample at a time, and images turned to have their channels last."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
from ai_edge_litert.interpreter import Interpreter

from ...errors import BackendError
from ...ir.graph import Graph
from ...onnx.emitter import output_names
from ...onnx.operators import feed
from ...passes import optimize, passes_for
from .file import to_tflite

LOW, HIGH = -128, 127


class LiteRTSession:
    """A network in LiteRT: its interpreter has one place for each tensor, so runs wait for each other."""

    def __init__(self, model: memoryview | Path, threads: int | None) -> None:
        self._lock = Lock()
        given = {"model_path": str(model)} if isinstance(model, Path) else {"model_content": bytes(model)}
        try:
            self._net = Interpreter(num_threads=threads, **given)
            self._net.allocate_tensors()
        except Exception as e:  # ValueError and RuntimeError, as it comes
            raise BackendError(f"LiteRT refuses the network: {e}") from e
        self._inputs, self._outputs = self._net.get_input_details(), self._net.get_output_details()

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        with self._lock:
            samples = [self._sample([x[i : i + 1] for x in inputs]) for i in range(len(inputs[0]))]
        return [np.concatenate(arrays) for arrays in zip(*samples, strict=True)]

    def _sample(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        try:
            for told, array in zip(self._inputs, inputs, strict=True):
                last = array.transpose(0, 2, 3, 1) if array.ndim == 4 else array
                self._net.set_tensor(told["index"], _stored(np.ascontiguousarray(last, np.float32), told))
            self._net.invoke()
            return [_read(self._net.get_tensor(told["index"]), told) for told in self._outputs]
        except (ValueError, RuntimeError) as e:
            raise BackendError(f"LiteRT fails: {e}") from e


def _stored(array: np.ndarray, told: dict[str, Any]) -> np.ndarray:
    """Numbers as a tensor has them."""
    if told["dtype"] is np.float32:
        return array
    scale, zero = told["quantization"]
    return np.clip(np.rint(array / scale) + zero, LOW, HIGH).astype(told["dtype"])


def _read(array: np.ndarray, told: dict[str, Any]) -> np.ndarray:
    """The numbers of a tensor, the channels of an image first."""
    if told["dtype"] is not np.float32:
        scale, zero = told["quantization"]
        array = (array.astype(np.float32) - zero) * np.float32(scale)
    return np.array(array.transpose(0, 3, 1, 2) if array.ndim == 4 else array, np.float32, order="C")


class LiteRTGraphSession(LiteRTSession):
    """A graph in LiteRT."""

    def __init__(self, graph: Graph, threads: int | None) -> None:
        self._graph = graph
        model, _ = to_tflite(graph, output_names(graph))
        super().__init__(model, threads)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        return super().run(list(feed(self._graph, inputs).values()))


def open_session(graph: Graph, *, threads: int | None = None) -> LiteRTGraphSession:
    """LiteRT on a graph with its parameters loaded; `threads` None: one."""
    return LiteRTGraphSession(optimize(graph, passes_for("litert")), threads)


def open_file(path: Path, *, threads: int | None = None) -> LiteRTSession:
    """LiteRT on a .tflite file; `threads` None: one."""
    return LiteRTSession(path, threads)
