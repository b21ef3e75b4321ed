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

CPU = "CPUExecutionProvider"
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
        self, path: Path, *, threads: int | None = None, providers: Sequence[str] = (CPU,), optimized: bool = False
    ) -> None:
        options = session_options(threads)
        if optimized:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        try:
            # Without a second try, which onnxruntime announces on stdout.
            self._session = onnxruntime.InferenceSession(path, options, providers=list(providers), enable_fallback=0)
        except Exception as e:  # onnxruntime's own have no common base
            raise BackendError(f"onnxruntime refuses the file: {e}") from e
        self._inputs = [i.name for i in self._session.get_inputs()]

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        arrays = [np.ascontiguousarray(x, np.float32) for x in inputs]
        try:
            return list(self._session.run(None, dict(zip(self._inputs, arrays, strict=True))))
        except Exception as e:  # as above
            raise BackendError(f"onnxruntime fails: {e}") from e
