"""Whether OpenCV survives an ONNX file: read and run once in another process, because a crash takes its process along.

Decision: OpenCV's importer dies of attributes and shapes that `onnx.checker` lets pass (a stride of 0 divides by zero,
a weight of another length is read past its end), and no list of checks is ever whole. So files that are not to the last
byte as they were exported are tried first. That costs a start of Python and one run, 0.3 to 1 second; a file as it was
exported costs the reading of its bytes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...errors import BackendError

SECONDS = 120  # after which a network that should run is one that hangs
REFUSED = 3  # what the other process ends with after a sentence on stderr


def survive(
    path: Path, data: bytes, inputs: Mapping[str, Sequence[int]], outputs: Sequence[str], engine: int | None
) -> None:
    """Return if another process reads and runs the model `data` of a file; else raise `BackendError`."""
    order = json.dumps([dict(inputs), list(outputs), engine]).encode() + b"\n" + data
    # The other process has this one's modules, wherever they were found.
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(p or str(Path.cwd()) for p in sys.path)}
    command = [sys.executable, "-c", f"from {__name__} import answer_trial; answer_trial()"]
    try:
        done = subprocess.run(command, input=order, capture_output=True, env=environment, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise BackendError(f"OpenCV does not come to an end with {path}: the file is damaged") from None
    except OSError as e:
        raise BackendError(f"cannot try {path} in another process: {e.strerror or e}") from None
    if done.returncode == REFUSED:
        raise BackendError(f"OpenCV refuses {path}: {done.stderr.decode(errors='replace').strip()[:500]}")
    if done.returncode:
        raise BackendError(
            f"OpenCV crashes on {path} (it was tried in another process): the file is damaged, or not for OpenCV"
        )


def answer_trial() -> None:
    """The other process: read an order from stdin, check, read and run."""
    try:
        order = json.loads(sys.stdin.buffer.readline())
        _run(sys.stdin.buffer.read(), *order)
    except Exception as e:  # whatever it is, it is what the user has to be told
        print(e, file=sys.stderr)
        sys.exit(REFUSED)
    sys.stderr.flush()
    os._exit(0)  # what OpenCV takes down at the end is nobody's business here


def _run(data: bytes, inputs: dict[str, list[int]], outputs: list[str], engine: int | None) -> None:
    import cv2
    import numpy as np
    import onnx

    from .log import silent_opencv

    onnx.checker.check_model(data, full_check=True)
    buffer = np.frombuffer(data, np.uint8)
    with silent_opencv():
        net = cv2.dnn.readNetFromONNX(buffer) if engine is None else cv2.dnn.readNetFromONNX(buffer, engine)
        for name, shape in inputs.items():
            net.setInput(np.full(shape, 0.5, np.float32), name)
        net.forward(outputs)
