"""onnxruntime, the default executor: any batch size in one session, all graph optimizations on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from ...errors import BackendError
from ...ir.graph import Graph
from ...ir.int8 import plan
from ...onnx.emitter import Emitter
from ...onnx.operators import feed, write_onnx
from ...onnx.stream import declare
from ...passes import optimize, passes_for
from ..device import Device
from ..precision import WHOLE, Precision
from .blocked import block_size, write_blocked
from .file import FileSession, open_model, session_options, write_optimized


class OnnxRuntimeSession:
    """A graph in onnxruntime."""

    def __init__(
        self, graph: Graph, threads: int | None, device: Device | None, save: Path | None, winograd: bool,
        precision: Precision,
    ) -> None:  # fmt: skip
        self._graph = graph
        options = session_options(threads)
        if save is not None:
            write_optimized(options, save)
        block = block_size() if device is None and precision.calibration is None else None
        written = _written(graph, block, winograd, precision)
        if block is not None:
            # Nothing is left for its pass over layouts, which takes more than half of a session's time to open.
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        # Given as they are: in the model they would be copied three times before the session has them.
        self._arrays = {name: onnxruntime.OrtValue.ortvalue_from_numpy(a) for name, a in written.arrays.items()}
        options.add_external_initializers(list(self._arrays), list(self._arrays.values()))
        model = declare(written.skeleton(), written.arrays).SerializeToString()
        self._session = open_model(model, options, device, "network")

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        arrays = feed(self._graph, inputs)
        try:
            return list(self._session.run(None, arrays))
        except Exception as e:
            raise BackendError(f"onnxruntime fails: {e}") from e


def _written(graph: Graph, block: int | None, winograd: bool, precision: Precision) -> Emitter:
    """The model: in blocks of channels, plain, or in 8 bits, for which onnxruntime has a layout of its own."""
    if precision.calibration is not None:
        small = plan(optimize(graph, passes_for("file")), precision.calibration, whole=True)
        return write_onnx(small.graph, int8=small)
    if block is None:
        return write_onnx(optimize(graph, passes_for("onnxruntime")))
    return write_blocked(optimize(graph, passes_for("onnxruntime, blocked", block, winograd=winograd)), block)


def open_session(
    graph: Graph,
    *,
    threads: int | None = None,
    device: Device | None = None,
    save: Path | None = None,
    winograd: bool = True,
    precision: Precision = WHOLE,
) -> OnnxRuntimeSession:
    """onnxruntime on a graph with its parameters loaded; `threads` None: one for each core,
    `device` None: the processor.

    `save` is a folder for the optimized model, which `FileSession` opens. Without `winograd`, 3x3 convolutions
    are slower, and round a quarter to a third as much. `precision` is f32, or int8 with its calibration.
    """
    return OnnxRuntimeSession(graph, threads, device, save, winograd, precision)


def open_file(path: Path, *, threads: int | None = None, device: Device | None = None) -> FileSession:
    """onnxruntime on an ONNX file; `threads` None: one for each core, `device` None: the processor."""
    return FileSession(path, threads=threads, device=device)
