"""OpenCV's DNN module, 4.8 and later, and 5: reads the emitted ONNX from memory, one network for each batch size.

Decision: OpenCV sees fixed shapes only. Its importers fold what they can from constants and trip over symbolic axes,
and a network is quickly read again when the batch size changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Lock

import cv2
import numpy as np
import onnx

from ..errors import BackendError
from ..ir.graph import Graph
from ..onnx.operators import feed, mish_of_softplus, write_onnx
from ..onnx.stream import fits, serialize
from ..passes import Pass, optimize, passes_for
from .opencv_log import silent_opencv

# What OpenCV computes wrongly without a word before some release, and is refused there: (primitive, that release, why).
# What all releases get wrong is written in another way by the emitter.
WRONG_BEFORE = (
    ("reduce_max", (4, 10), "takes the maximum over channels of something else"),
    ("reduce_mean", (4, 10), "takes the mean over channels of something else"),
    ("reduce_sum", (4, 10), "takes the sum over channels of something else"),
)

BLOCK = 8  # channels that OpenCV 5 keeps together


class OpenCVSession:
    """A graph in OpenCV; keeps the network of the last batch size."""

    def __init__(self, graph: Graph, engine: int | None, winograd: bool) -> None:
        self._graph, self._engine, self._winograd = graph, engine, winograd
        self._lock = Lock()  # inputs are set and outputs read in buffers of the network
        self._open(1)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        arrays = feed(self._graph, inputs)
        with self._lock:
            return self._run(arrays, len(inputs[0]))

    def _run(self, arrays: dict[str, np.ndarray], batch: int) -> list[np.ndarray]:
        if batch != self._batch:
            self._open(batch)
        known = dict(zip(self._graph.inputs, arrays.values(), strict=True))
        try:
            for name, x in arrays.items():
                self._net.setInput(x, name)
            results = self._net.forward(self._outputs) if self._outputs else []
        except cv2.error as e:
            raise BackendError(f"OpenCV {cv2.__version__} fails: {e.err or e}") from e
        # The buffers are reused by the next forward, and lose axes of length 1 in OpenCV 4.
        for value, y in zip(self._results, results, strict=True):
            known[value] = np.array(y, np.float32).reshape(self._batch, *value.shape)
        return [known[v] if v in known else np.repeat(self._constants[v][None], self._batch, 0) for v in self._wanted]

    def profile(self) -> dict[str, float]:
        """Seconds of each layer of OpenCV in the last run; their names contain those of the network's layers."""
        with self._lock:
            ticks, names = np.ravel(self._net.getPerfProfile()[1]), self._net.getLayerNames()
        return dict(zip(names, (ticks / cv2.getTickFrequency()).tolist(), strict=True))

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
        return np.frombuffer(serialize(model, written.arrays), np.uint8) if fits(model, written.arrays) else None


class FileSession:
    """An ONNX file in OpenCV, which wants fixed shapes: one sample at a time unless the file says otherwise."""

    def __init__(self, path: Path) -> None:
        model = onnx.load(path)
        for value in (*model.graph.input, *model.graph.output):
            batch = value.type.tensor_type.shape.dim[0]
            if batch.dim_param and value.name != "detections":
                batch.dim_value = 1
        self._lock = Lock()  # as above
        self._inputs = [i.name for i in model.graph.input]
        self._shapes = {o.name: [d.dim_value for d in o.type.tensor_type.shape.dim] for o in model.graph.output}
        try:
            self._net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
        except cv2.error as e:
            raise BackendError(f"OpenCV {cv2.__version__} refuses the file: {e.err or e}") from e

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        shapes = ([n or -1 for n in shape] for shape in self._shapes.values())
        with self._lock:
            try:
                for name, array in zip(self._inputs, inputs, strict=True):
                    self._net.setInput(np.ascontiguousarray(array, np.float32), name)
                results = self._net.forward(list(self._shapes))
            except cv2.error as e:
                raise BackendError(f"OpenCV {cv2.__version__} fails: {e.err or e}") from e
            # The buffers are reused by the next forward, and lose axes of length 1 in OpenCV 4.
            return [np.array(y, np.float32).reshape(shape) for y, shape in zip(results, shapes, strict=True)]


def open_session(
    graph: Graph, *, engine: int | None = None, threads: int | None = None, winograd: bool = True
) -> OpenCVSession:
    """OpenCV on a graph with its parameters loaded.

    `engine` is one of cv2.dnn.ENGINE_* (OpenCV 5); `threads` is set for the whole process, as OpenCV has it. Without
    `winograd`, 3x3 convolutions are slower, and round a quarter to a tenth as much.
    """
    if threads is not None:
        cv2.setNumThreads(threads)
    return OpenCVSession(graph, engine, winograd)


def open_file(path: Path) -> FileSession:
    """OpenCV on an ONNX file."""
    return FileSession(path)


def passes_of_release(version: str, winograd: bool = True) -> tuple[Pass, ...]:
    """The passes for a release of OpenCV."""
    major = int(version.split(".")[0])
    return passes_for("opencv 5" if major >= 5 else "opencv 4", BLOCK, winograd=winograd)


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
