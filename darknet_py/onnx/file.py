"""Run an ONNX file that `export_onnx` wrote: its session in a runtime, and its contract as a `Model` needs it.

Decision: the file says itself what goes in and how boxes come out, so nothing is looked for beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from ..backends.session import Session
from ..contract.contract import Contract
from ..errors import BackendError
from .metadata import contract_of, read_onnx

Outputs = list[np.ndarray]


class OnnxFile:
    """An ONNX file: its contract, and the sizes of its inputs."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        model = read_onnx(self.path)
        # How many samples the file takes at a time; None: any number.
        self.contract: Contract = replace(contract_of(model), origin="ONNX", names_origin=str(self.path))
        self.batch = self.contract.batch

    def open_session(self, backend: str, **options: Any) -> Session:
        """The file in a runtime. Raises `BackendError` where that is none for ONNX, or refuses it."""
        if backend not in _OPENERS:
            raise BackendError(f"the back end {backend!r} does not run ONNX files; use one of {', '.join(_OPENERS)}")
        return _OPENERS[backend](self.path, **options)


class _OpenCV:
    """An ONNX file in OpenCV, which wants fixed shapes: one sample at a time unless the file says otherwise."""

    def __init__(self, path: Path) -> None:
        import cv2

        model = onnx.load(path)
        for value in (*model.graph.input, *model.graph.output):
            batch = value.type.tensor_type.shape.dim[0]
            if batch.dim_param and value.name != "detections":
                batch.dim_value = 1
        self._inputs = [i.name for i in model.graph.input]
        self._shapes = {o.name: [d.dim_value for d in o.type.tensor_type.shape.dim] for o in model.graph.output}
        try:
            self._net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
        except cv2.error as e:
            raise BackendError(f"OpenCV {cv2.__version__} refuses the file: {e.err or e}") from e

    def run(self, inputs: Sequence[np.ndarray]) -> Outputs:
        import cv2

        try:
            for name, array in zip(self._inputs, inputs, strict=True):
                self._net.setInput(np.ascontiguousarray(array, np.float32), name)
            results = self._net.forward(list(self._shapes))
        except cv2.error as e:
            raise BackendError(f"OpenCV {cv2.__version__} fails: {e.err or e}") from e
        # The buffers are reused by the next forward, and lose axes of length 1 in OpenCV 4.
        shapes = ([n or -1 for n in shape] for shape in self._shapes.values())
        return [np.array(y, np.float32).reshape(shape) for y, shape in zip(results, shapes, strict=True)]


class _Reference:
    """An ONNX file in the reference evaluator of the onnx package."""

    def __init__(self, path: Path) -> None:
        from onnx.reference import ReferenceEvaluator

        self._evaluator = ReferenceEvaluator(onnx.load(path))

    def run(self, inputs: Sequence[np.ndarray]) -> Outputs:
        feed = dict(zip(self._evaluator.input_names, inputs, strict=True))
        return [np.asarray(o, np.float32) for o in self._evaluator.run(None, feed)]


def _onnxruntime(path: Path, **options: Any) -> Session:
    from ..backends.onnxruntime.file import FileSession

    return FileSession(path, **options)


def _openvino(path: Path, **options: Any) -> Session:
    try:
        from ..backends.openvino import open_file
    except ModuleNotFoundError:
        raise BackendError("OpenVINO is not installed: pip install 'darknet-compiler[openvino]'") from None
    return open_file(path, **options)


def _auto(path: Path, *, threads: int | None = None, **options: Any) -> Session:
    from ..backends.auto import fastest
    from ..backends.session import available_backends

    file = OnnxFile(path)
    openers: dict[str, Callable[[], Session]] = {"onnxruntime": partial(_onnxruntime, path, threads=threads)}
    if "openvino" in available_backends():
        openers["openvino"] = partial(_openvino, path, threads=threads)
    if file.batch is not None and threads is None:  # OpenCV would take one sample at a time, and has no such option
        openers["opencv"] = partial(_OpenCV, path)
    shapes = [file.contract.shape, *(s.shape for s in file.contract.states)]
    with path.open("rb") as opened:
        content = hashlib.file_digest(opened, "sha256").hexdigest()
    return fastest(openers, shapes, f"{content}\n{threads}", batch=file.batch or 1, **options)


_OPENERS: dict[str, Callable[..., Session]] = {
    "auto": _auto,
    "onnxruntime": _onnxruntime,
    "opencv": _OpenCV,
    "openvino": _openvino,
    "onnx.reference": _Reference,
}
