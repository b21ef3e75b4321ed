"""OpenVINO, the extra `[openvino]`: reads the emitted ONNX from memory and compiles it for one batch size at a time.

Decision: float32 inside unless another precision is asked for. Where a CPU can, OpenVINO computes in bfloat16 unless
told otherwise: with AMX yolov3-tiny is four times as fast then, and off by 6e-3 of its scale instead of 1e-6.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from threading import Lock
from typing import Any, Final

import numpy as np

from ...errors import BackendError
from ...files import is_file
from ...ir.graph import Graph
from ...ir.int8 import plan
from ...onnx.emitter import Emitter
from ...onnx.operators import feed, mish_of_softplus, write_onnx
from ...onnx.stream import readable
from ...passes import optimize, passes_for
from ..device import Device, needs
from ..precision import BF16, INT8, WHOLE, Precision
from . import BACKEND

CPU = "CPU"
ROUNDS = "FakeQuantize"  # OpenVINO's operation that puts numbers on a grid
SHARED: Final = ("C", "A", "W")  # what an array has to be for a tensor to share it: NumPy's flags
TELEMETRY = "openvino_telemetry"


def _import() -> Any:
    """The package `openvino`, which reports each import to its makers unless it finds no package to do it with."""
    hidden = TELEMETRY not in sys.modules
    if hidden:
        sys.modules[TELEMETRY] = None  # type: ignore[assignment]  # what makes an import fail
    try:
        import openvino
    finally:
        if hidden:
            del sys.modules[TELEMETRY]
    return openvino


ov = _import()


@dataclass(frozen=True)
class OpenVINOSettings:
    """The options of this back end.

    `threads` None: one for each core. `cache` is a folder where OpenVINO keeps what it compiled, for faster starts.
    `device` None: the processor. `streams` runs go at a time, on `threads` each.
    """

    threads: int | None = None
    cache: str | Path | None = None
    device: Device | None = None
    streams: int = 1
    precision: Precision = WHOLE

    def config(self) -> dict[str, Any]:
        """The same in OpenVINO's words."""
        hint = _rest().kind if self.precision.kind == INT8 else self.precision.kind
        config: dict[str, Any] = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        if self.streams > 1:
            config |= {"PERFORMANCE_HINT": "THROUGHPUT", "NUM_STREAMS": self.streams}
        if self.threads is not None:
            config["INFERENCE_NUM_THREADS"] = self.threads * self.streams
        if self.cache is not None:
            config["CACHE_DIR"] = str(self.cache)
        return config


class OpenVINOSession:
    """An ONNX model in OpenVINO; keeps what was compiled for the last batch size, and a request for each stream.

    More requests than streams would not be faster: each takes all the threads of its stream.
    """

    def __init__(self, model: bytes | Path, settings: OpenVINOSettings) -> None:
        self._core = ov.Core()
        self._device = _device_name(self._core, settings.device)
        self._config, self._streams = settings.config(), settings.streams
        self._batch: int | None = None
        self._lock = Lock()  # of the batch size, and what was compiled for it
        try:
            self._model = self._core.read_model(model)
        except Exception as e:  # OpenVINO's are plain RuntimeErrors
            raise BackendError(f"OpenVINO refuses the network: {_without_weights(model) or e}") from e
        self._kinds = [port.get_element_type().to_dtype() for port in self._model.inputs]
        ops = self._model.get_ops()
        if settings.precision.is_whole and any(op.get_type_name() == ROUNDS for op in ops):
            # A file of 8 bits computes as a graph of 8 bits does.
            self._config["INFERENCE_PRECISION_HINT"] = _rest().kind
        if any(map(_gives_one_number, ops)):
            # Its code for fused operations refuses such a product, or ends the process: "Layout rank can't be larger".
            self._config["SNIPPETS_MODE"] = "DISABLE"
        batch = self._model.inputs[0].partial_shape[0]
        self._open(1 if batch.is_dynamic else batch.get_length())

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs for a batch of inputs, in the order of the model."""
        with self._lock:
            if len(inputs[0]) != self._batch:
                self._open(len(inputs[0]))
            free = self._free
        request = free.get()
        try:
            # By hand: what `infer` does to find out what it was given takes as long as a layer of a small network.
            # A tensor shares no array that is read-only, and does not keep the one that it shares.
            given = [np.require(x, kind, SHARED) for x, kind in zip(inputs, self._kinds, strict=True)]
            for i, array in enumerate(given):
                request.set_input_tensor(i, ov.Tensor(array, shared_memory=True))
            request.infer(share_outputs=True)
            return [np.array(request.get_output_tensor(i).data) for i in range(len(self._model.outputs))]
        except Exception as e:  # as above
            raise BackendError(f"OpenVINO fails: {e}") from e
        finally:
            free.put(request)

    def _open(self, batch: int) -> None:
        shapes = {port: [batch, *list(port.partial_shape)[1:]] for port in self._model.inputs}
        try:
            if any(port.partial_shape != ov.PartialShape(shape) for port, shape in shapes.items()):
                self._model.reshape(shapes)
            compiled = self._core.compile_model(self._model, self._device, self._config)
            free: SimpleQueue[Any] = SimpleQueue()
            for _ in range(self._streams):
                free.put(compiled.create_infer_request())
        except Exception as e:  # as above
            raise BackendError(f"OpenVINO refuses the network: {e}") from e
        self._batch, self._free = batch, free


def _without_weights(model: bytes | Path) -> str:
    """In words, that a file of OpenVINO lacks the file of its weights; nothing where it has it."""
    if not isinstance(model, Path) or model.suffix.lower() != ".xml" or is_file(beside := model.with_suffix(".bin")):
        return ""
    return f"the weights of {model} belong beside it, and there is no {beside.name}: copy both files"


def _rest() -> Precision:
    """What a network of 8 bits computes in where it stays in float: bfloat16 if that is faster here."""
    rest = Precision(BF16)
    return rest if rest.find_lack(BACKEND) is None else WHOLE


def _device_name(core: Any, device: Device | None) -> str:
    """OpenVINO's name of a device. Raises `BackendError` if it has none of that name."""
    if device is None:
        return CPU
    name, here = device.which.upper() or CPU, core.available_devices
    if name not in here and name.partition(".")[0] not in {d.partition(".")[0] for d in here} | {"AUTO"}:
        raise needs(device, BACKEND, f"OpenVINO has {', '.join(here)} here")
    return name


def _gives_one_number(op: Any) -> bool:
    """Whether an operation is a product of matrices with one column, such as that of a [gru] of one unit."""
    if op.get_type_name() != "MatMul":
        return False
    shape = op.output(0).partial_shape
    return bool(shape.rank.is_static and len(shape) and shape[-1] == 1)


class GraphSession(OpenVINOSession):
    """A graph in OpenVINO."""

    def __init__(self, graph: Graph, settings: OpenVINOSettings) -> None:
        self._graph = graph
        written = _written(graph, settings.precision)
        with readable(written.skeleton(), written.arrays) as model:
            super().__init__(model, settings)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        return super().run(list(feed(self._graph, inputs).values()))


def _written(graph: Graph, precision: Precision) -> Emitter:
    """A graph as OpenVINO reads it: it computes activations in the product before them, and rounds what comes out."""
    emitters = {"mish": mish_of_softplus}
    if precision.calibration is None:
        return write_onnx(optimize(graph, passes_for("openvino")), emitters=emitters)
    small = plan(optimize(graph, passes_for("file")), precision.calibration, whole=False)
    return write_onnx(small.graph, emitters=emitters, int8=small)


def open_session(graph: Graph, **options: Any) -> GraphSession:
    """OpenVINO on a graph with its parameters loaded; `options` are the fields of `OpenVINOSettings`."""
    return GraphSession(graph, OpenVINOSettings(**options))


def open_file(path: Path, **options: Any) -> OpenVINOSession:
    """OpenVINO on an ONNX file, or its own; `options` are the fields of `OpenVINOSettings`."""
    return OpenVINOSession(path, OpenVINOSettings(**options))
