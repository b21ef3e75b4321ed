"""OpenCV's DNN module, 4.8 and later, and 5: reads the emitted ONNX from memory, one network for each batch size.

Decision: OpenCV sees fixed shapes only. Its importers fold what they can from constants and trip over symbolic axes,
and a network is quickly read again when the batch size changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import onnx

from ...errors import BackendError
from ...ir.graph import Graph
from ...onnx.operators import feed, mish_of_softplus, write_onnx
from ...onnx.stream import fits, is_sealed, serialize
from ...passes import Pass, optimize, passes_for
from . import trial
from .log import silent_opencv

# What OpenCV computes wrongly without a word before some release, and is refused there: (primitive, that release, why).
# What all releases get wrong is written in another way by the emitter.
WRONG_BEFORE = (
    ("reduce_max", (4, 10), "takes the maximum over channels of something else"),
    ("reduce_mean", (4, 10), "takes the mean over channels of something else"),
    ("reduce_sum", (4, 10), "takes the sum over channels of something else"),
)

BLOCK = 8  # channels that OpenCV 5 keeps together


class OpenCVSession:
    """A graph in OpenCV; keeps the network of the last batch size, whose inputs and outputs are buffers of its own."""

    def __init__(self, graph: Graph, engine: int | None, winograd: bool) -> None:
        self._graph, self._engine, self._winograd = graph, engine, winograd
        self._lock = Lock()  # from the batch size to the copies of the results
        self._open(1)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        arrays, batch = feed(self._graph, inputs), len(inputs[0])
        known = dict(zip(self._graph.inputs, arrays.values(), strict=True))
        with self._lock:
            if batch != self._batch:
                self._open(batch)
            shapes = [(batch, *value.shape) for value in self._results]
            arrays = {name: x for name, x in arrays.items() if name in self._fed}
            known |= zip(self._results, _forward(self._net, arrays, self._outputs, shapes), strict=True)
            wanted, constants = self._wanted, self._constants
        return [known[v] if v in known else np.repeat(constants[v][None], batch, 0) for v in wanted]

    def profile(self) -> dict[str, float]:
        """Seconds of each layer of OpenCV in the last run; their names contain those of the network's layers."""
        with self._lock:
            names, (_, ticks) = self._net.getLayerNames(), self._net.getPerfProfile()
        return dict(zip(names, (np.ravel(ticks) / cv2.getTickFrequency()).tolist(), strict=True))

    def _open(self, batch: int) -> None:
        buffer = self._write(batch, self._winograd)
        if buffer is None and self._winograd:
            buffer = self._write(batch, winograd=False)  # whose kernels are up to four times smaller
        if buffer is None:
            raise BackendError("OpenCV reads networks of at most 2 GB: use onnxruntime")
        self._net, self._batch = _read(buffer, self._engine), batch
        self._net.enableWinograd(self._winograd)

    def _write(self, batch: int, winograd: bool) -> np.ndarray | None:
        """The network for OpenCV to read, None where it is too large; and what its results are.

        Arrays that the passes made are dropped: they can be several times as large as the weights.
        """
        graph = optimize(self._graph, passes_of_release(cv2.__version__, winograd))
        _refuse_what_is_wrong(graph, cv2.__version__)
        states = tuple(s.output for s in graph.states)
        self._wanted = graph.roots
        repeated = {op.output: graph.data[op.inputs[0]] for op in graph.ops if op.kind == "repeat_batch"}
        self._constants = {v: a for v, a in {**graph.data, **repeated}.items() if v in self._wanted}
        # What no layer computes, OpenCV cannot return: inputs and constants are given back here.
        kept = {op.output for op in graph.ops} - {*self._constants, *states}
        outputs = tuple(dict.fromkeys(v for v in graph.outputs if v in kept))
        self._results = (*outputs, *states)
        written = write_onnx(replace(graph, outputs=outputs), batch=batch, emitters={"mish": mish_of_softplus})
        self._outputs = [o.name for o in written.outputs]
        model = written.skeleton()
        self._fed = _drop_unread_inputs(model)
        return np.frombuffer(serialize(model, written.arrays), np.uint8) if fits(model, written.arrays) else None


class OpenCVFile:
    """An ONNX file in OpenCV, which wants fixed shapes: one sample at a time unless the file says otherwise."""

    def __init__(self, path: Path, engine: int | None) -> None:
        model = _read_file(path)
        try:
            for value in (*model.graph.input, *model.graph.output):
                batch = value.type.tensor_type.shape.dim[0]
                if batch.dim_param and value.name != "detections":
                    batch.dim_value = 1
            self._inputs = [i.name for i in model.graph.input]
            self._outputs = [o.name for o in model.graph.output]
            self._shapes = [[d.dim_value or -1 for d in o.type.tensor_type.shape.dim] for o in model.graph.output]
            inputs = [[d.dim_value for d in i.type.tensor_type.shape.dim] for i in model.graph.input]
            data = model.SerializeToString()
        except (IndexError, UnicodeDecodeError, ValueError) as e:
            raise BackendError(f"{path} is damaged: {e}") from None
        if not is_sealed(path):
            trial.survive(path, data, dict(zip(self._inputs, inputs, strict=True)), self._outputs, engine)
        self._net = _read(np.frombuffer(data, np.uint8), engine)
        self._lock = Lock()  # from the inputs to the copies of the results

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, in the order of the file."""
        arrays = [np.ascontiguousarray(x, np.float32) for x in inputs]
        if len(arrays) != len(self._inputs):
            raise BackendError(f"the file has {len(self._inputs)} inputs, not {len(arrays)}")
        with self._lock:
            return _forward(self._net, dict(zip(self._inputs, arrays, strict=True)), self._outputs, self._shapes)


def _read_file(path: Path) -> onnx.ModelProto:
    try:
        return onnx.load(path)
    except OSError as e:
        raise BackendError(f"cannot read {path}: {e.strerror or e}") from None
    except Exception as e:  # protobuf's own, which is no public name, and what onnx raises for lost arrays
        raise BackendError(f"{path} is no ONNX file: {e}") from None


def open_session(
    graph: Graph, *, engine: int | None = None, threads: int | None = None, winograd: bool = True
) -> OpenCVSession:
    """OpenCV on a graph with its parameters loaded.

    `engine` is one of cv2.dnn.ENGINE_* (OpenCV 5); `threads` is set for the whole process, as OpenCV has it. Without
    `winograd`, 3x3 convolutions are slower, and round a quarter to a tenth as much.
    """
    _set_threads(threads)
    return OpenCVSession(graph, engine, winograd)


def open_file(path: Path, *, engine: int | None = None, threads: int | None = None) -> OpenCVFile:
    """OpenCV on an ONNX file; `engine` and `threads` are those of `open_session`."""
    _set_threads(threads)
    return OpenCVFile(path, engine)


def passes_of_release(version: str, winograd: bool = True) -> tuple[Pass, ...]:
    """The passes for a release of OpenCV."""
    major = int(version.split(".")[0])
    return passes_for("opencv 5" if major >= 5 else "opencv 4", BLOCK, winograd=winograd)


def _drop_unread_inputs(model: onnx.ModelProto) -> frozenset[str]:
    """Take out the inputs that nothing reads, on which OpenCV 4 fails beside others; the names of those that are left.

    A network whose image only gave its size to a constant has one.
    """
    read = frozenset(name for node in model.graph.node for name in node.input)
    inputs = [value for value in model.graph.input if value.name in read]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return frozenset(value.name for value in inputs)


def _refuse_what_is_wrong(graph: Graph, version: str) -> None:
    release = tuple(map(int, version.split(".")[:2]))
    over_channels = {op.kind for op in graph.ops if op.kind.startswith("reduce_") and 0 in op.attrs["axes"]}
    for kind, since, what in WRONG_BEFORE:
        if kind in over_channels and release < since:
            raise BackendError(f"OpenCV {version} {what}: use {since[0]}.{since[1]} or later, or onnxruntime")


def _read(buffer: np.ndarray, engine: int | None) -> cv2.dnn.Net:
    try:
        with silent_opencv():
            return cv2.dnn.readNetFromONNX(buffer) if engine is None else cv2.dnn.readNetFromONNX(buffer, engine)
    except cv2.error as e:
        raise BackendError(f"OpenCV {cv2.__version__} refuses the network: {e.err or e}") from e


def _forward(
    net: cv2.dnn.Net, inputs: Mapping[str, np.ndarray], outputs: Sequence[str], shapes: Sequence[Sequence[int]]
) -> list[np.ndarray]:
    """The outputs in these shapes, copied: the next forward writes into the same buffers.

    OpenCV 4 drops axes of length 1.
    """
    try:
        for name, x in inputs.items():
            net.setInput(x, name)
        results = net.forward(outputs) if outputs else []
    except cv2.error as e:
        raise BackendError(f"OpenCV {cv2.__version__} fails: {e.err or e}") from e
    try:
        return [_shaped(y, shape) for y, shape in zip(results, shapes, strict=True)]
    except ValueError as e:
        raise BackendError(f"OpenCV {cv2.__version__} gives other shapes than the network has: {e}") from e


def _shaped(result: np.ndarray | None, shape: Sequence[int]) -> np.ndarray:
    """A result in its shape; OpenCV 5 gives None for an array without numbers."""
    if result is None:
        return np.zeros([max(n, 0) for n in shape], np.float32)
    return np.array(result, np.float32).reshape(shape)


def _set_threads(threads: int | None) -> None:
    if threads is not None:
        cv2.setNumThreads(threads)
