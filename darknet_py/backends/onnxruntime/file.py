"""Sessions of onnxruntime without the onnx package: their settings, and models that onnxruntime has optimized itself.

Decision: an optimized model is a small file beside one with its arrays, which onnxruntime maps instead of copying; to
open it again takes milliseconds whatever its size.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from ...errors import BackendError
from ..device import Device, needs
from . import BACKEND

CPU = "CPUExecutionProvider"
PROVIDERS = {
    "cuda": "CUDAExecutionProvider", "tensorrt": "TensorrtExecutionProvider", "directml": "DmlExecutionProvider",
    "coreml": "CoreMLExecutionProvider",
}  # fmt: skip
NUMBERED = ("cuda", "tensorrt", "directml")  # kinds of which a machine may have several

Provider = str | tuple[str, dict[str, str]]
SEVERITY_FATAL = 4  # whatever goes wrong arrives as an exception; nothing is printed
OPTIMIZED, ARRAYS = "model.onnx", "model.data"  # the two files of an optimized model
SMALL = "1024"  # bytes; smaller arrays stay in the first file


def session_options(threads: int | None) -> onnxruntime.SessionOptions:
    """Settings of every session; `threads` None: one for each core."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = SEVERITY_FATAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    # Within a run threads wait for work without sleeping; after it they would go on so for 50 ms, and take the
    # processor from whatever comes next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    if threads is not None:
        options.intra_op_num_threads = threads
    return options


def providers_of(device: Device | None) -> list[Provider]:
    """What onnxruntime is to compute with. Raises `BackendError` if what is installed has none for the device."""
    if device is None:
        return [CPU]
    name = PROVIDERS[device.kind]
    here = onnxruntime.get_available_providers()
    if name not in here:
        raise needs(device, BACKEND, f"onnxruntime {onnxruntime.__version__} is here with {', '.join(here)}")
    return [(name, {"device_id": str(device.number)}) if device.kind in NUMBERED else name]


def open_model(
    model: bytes | Path, options: onnxruntime.SessionOptions, device: Device | None, what: str
) -> onnxruntime.InferenceSession:
    """A session on a device. Raises `BackendError` where onnxruntime refuses, or would go on without the device."""
    providers = providers_of(device)
    if device is not None and device.kind == "directml":  # its documentation: no patterns of memory, one run at a time
        options.enable_mem_pattern = False
        options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    try:
        # Without a second try, which onnxruntime announces on stdout.
        session = onnxruntime.InferenceSession(model, options, providers=providers, enable_fallback=0)
    except Exception as e:  # onnxruntime's own have no common base
        raise BackendError(f"onnxruntime refuses the {what}: {e}") from e
    if device is not None and PROVIDERS[device.kind] not in session.get_providers():
        raise needs(device, BACKEND, f"onnxruntime has {PROVIDERS[device.kind]}, but cannot start it")
    return session


def write_optimized(options: onnxruntime.SessionOptions, folder: Path) -> None:
    """Have the session that is made with these options write its optimized model into a folder."""
    options.optimized_model_filepath = str(folder / OPTIMIZED)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", ARRAYS)
    options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", SMALL)


class FileSession:
    """An ONNX file in onnxruntime, which finds arrays in a second file itself. Raises `BackendError` where it refuses.

    `optimized` is a file that onnxruntime has written: what it did to the network is not tried again.
    """

    def __init__(
        self, path: Path, *, threads: int | None = None, device: Device | None = None, optimized: bool = False
    ) -> None:
        options = session_options(threads)
        if optimized:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._session = open_model(path, options, device, "file")
        self._inputs = [i.name for i in self._session.get_inputs()]

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        arrays = [np.ascontiguousarray(x, np.float32) for x in inputs]
        try:
            return list(self._session.run(None, dict(zip(self._inputs, arrays, strict=True))))
        except Exception as e:  # as above
            raise BackendError(f"onnxruntime fails: {e}") from e
