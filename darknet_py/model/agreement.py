"""What was written for other programs, run beside NumPy: nobody is told that a file is done before it was.

Decision: the file is opened as a user opens it, by its path, in a back end that reads such files, and gets random
numbers; what comes out is held to NumPy's answer for the graph as it was lowered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..backends.backend import readers_of
from ..backends.session import open_file, open_session
from ..contract.contract import Contract
from ..contract.nms import box_iou
from ..contract.program import Program
from ..darknet.network import Network
from ..errors import BackendError
from ..ir.compare import difference

TOLERANCE = 1e-4  # of the largest number of an output, in float32
SAME_BOX = 0.9  # two boxes of one class are the same from this IoU on
SEED = 0


def check_exported(network: Network, path: Path, contract: Contract) -> str:
    """How far the outputs of a file are from NumPy's, in a sentence; or why nobody knows.

    Raises `BackendError` where a file of float32 computes something else: by more than `TOLERANCE`, or other boxes.
    """
    if contract.int8:
        return "not checked on random numbers: int8 is judged on pictures, above"
    if contract.boxes == "tensorrt":
        return "not checked: that needs TensorRT"
    able = [b for b in readers_of(path.suffix.lower()) if b.installed]
    if not able:
        titles = " or ".join(f"{b.title} (pip install {b.install})" for b in readers_of(path.suffix.lower()))
        return f"not checked: that needs {titles}"
    backend = able[0]
    feed = _random(contract)
    wanted = _expected(network, contract, feed)
    if not all(np.isfinite(array).all() for array in wanted):
        return "not checked: what the network makes of random numbers is NaN or infinite"
    got = open_file(path, backend.name).run(feed)
    if contract.is_suppressed:
        return _boxes_told(contract, wanted, got, backend.title)
    off = max((difference(a, b) for a, b in zip(got, wanted, strict=True)), default=0.0)
    told = f"{off:.1e} of the scale from NumPy, on random numbers in {backend.title}"
    if off > TOLERANCE and not contract.half:
        raise BackendError(f"{path} was written, and computes something else: {told}, where {TOLERANCE:.0e} is allowed")
    return f"checked: {told}"


def _random(contract: Contract) -> list[np.ndarray]:
    rng = np.random.default_rng(SEED)
    shapes = (contract.shape, *(s.shape for s in contract.states))
    return [rng.random((contract.batch or 1, *shape), np.float32) for shape in shapes]


def _expected(network: Network, contract: Contract, feed: Sequence[np.ndarray]) -> list[np.ndarray]:
    """NumPy's outputs, and states, for the numbers; boxes and scores where the file suppresses them itself."""
    program: Program = network.program()
    if contract.boxes == "input":
        program = program.before_heads()
    elif contract.boxes != "raw":
        program = program.with_boxes()
    return open_session(program.graph, "numpy").run(feed)


def _boxes_told(contract: Contract, wanted: Sequence[np.ndarray], got: Sequence[np.ndarray], title: str) -> str:
    """How many of the boxes that NumPy's numbers give the file gives too."""
    plain = replace(contract, boxes="decoded", outputs=("boxes", "scores"), nms_kind="default")
    size = contract.net_size
    expected = plain.decode(plain.sample(wanted[:2], 0), size, letterbox=False)
    found = contract.decode(contract.sample(got[: len(contract.outputs)], 0), size, letterbox=False)
    missing = 0
    for box, label in zip(expected.xywh, expected.cls, strict=True):
        near = box_iou(box[None], found.xywh[found.cls == label])
        missing += not (near >= SAME_BOX).any()
    if (missing or len(found) != len(expected)) and not contract.half and not contract.is_full(found):
        raise BackendError(f"the file finds other boxes than NumPy: {len(found)}, and {missing} of {len(expected)} not")
    if not len(expected):
        return f"checked: nothing is found in random numbers, as in NumPy, in {title}"
    return f"checked: {len(expected) - missing} of {len(expected)} boxes of random numbers are NumPy's, in {title}"
