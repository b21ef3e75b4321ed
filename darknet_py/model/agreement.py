"""What was written for other programs, run beside NumPy: nobody is told that a file is done before it was.

Decision: the file is opened as a user opens it, by its path, in a back end that reads such files, and gets random
numbers; what comes out is held to NumPy's answer for the graph as it was lowered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..backends.backend import readers_of
from ..backends.session import open_file, open_session
from ..contract.contract import Contract
from ..contract.nms import box_iou
from ..darknet.network import Network
from ..darknet.program import program_of
from ..errors import BackendError, DataError
from ..ir import Graph
from ..ir.compare import difference, is_same

TOLERANCE = 1e-4  # of the largest number of an output, in float32
SAME_BOX = 0.9  # two boxes of one class are the same from this IoU on
SEED = 0


@dataclass(frozen=True)
class Agreement:
    """How a file agrees with NumPy, in a runtime called `title`; without one nobody knows, and `told` says why.

    `off` is the largest difference of an output, relative to its scale; where the file suppresses boxes itself it is
    None, and `missing` of the `boxes` that NumPy's numbers give are not among those that the file `found`. `tolerance`
    is what float32 explains.
    """

    told: str = ""
    title: str = ""
    off: float | None = None
    boxes: int = 0
    found: int = 0
    missing: int = 0
    tolerance: float = TOLERANCE

    @property
    def is_right(self) -> bool:
        """Whether there is no difference, or none that float32 does not explain."""
        if self.off is not None:
            return self.off <= self.tolerance
        return self.missing == 0 and self.found == self.boxes

    def __str__(self) -> str:
        if not self.title:
            return f"not checked: {self.told}"
        if self.off is not None:
            return f"{self.off:.1e} of the scale from NumPy, on random numbers in {self.title}"
        if not self.boxes:
            return f"nothing is found in random numbers, as in NumPy, in {self.title}"
        return f"{self.boxes - self.missing} of {self.boxes} boxes of random numbers are NumPy's, in {self.title}"


def check_network(network: Network, written: Graph) -> str:
    """How a network that was written back agrees with the one that it was written from, or with its first layers.

    Raises `BackendError` where it computes something else.
    """
    own = network.graph
    if len(written.layers) < len(own.layers):
        own = own.with_outputs(
            own.layer_output(info.index) for info in written.layers if info.output in written.outputs
        )
    if is_same(own, written):
        return "checked: the same operations on the same numbers"
    feed = random_inputs(network.program().contract)
    both = [open_session(graph, "numpy").run(feed) for graph in (own, written)]
    off = max(map(difference, both[1], both[0]), default=0.0)
    told = f"{off:.1e} of the scale from the network that it was written from, on random numbers"
    if not off <= TOLERANCE:
        raise BackendError(f"{network.cfg} was written back, and computes something else: {told}")
    return f"checked: {told}"


def check_exported(network: Network, path: Path, contract: Contract) -> str:
    """How a file agrees with NumPy, in a sentence.

    Raises `BackendError` where a file of float32 computes something else.
    """
    found = compare_exported(network, path, contract)
    if found.title and not found.is_right and not contract.half:
        raise BackendError(f"{path} was written, and computes something else: {found}")
    return f"checked: {found}" if found.title else str(found)


def compare_exported(network: Network, path: Path, contract: Contract) -> Agreement:
    """How a file agrees with NumPy on the network that it was written from. Raises `BackendError` if it cannot run."""
    if contract.int8 is not None:
        return Agreement("int8 is judged on pictures, not on random numbers")
    if contract.boxes == "tensorrt":
        return Agreement("that needs TensorRT")
    able = readers_of(path.suffix.lower())
    if not able:
        return Agreement(f"nothing here reads {path.suffix or 'such'} files")
    backend = next((b for b in able if b.installed), None)
    if backend is None:
        return Agreement("that needs " + " or ".join(f"{b.title} (pip install {b.install})" for b in able))
    if contract.shape != network.graph.image.shape:
        shapes = contract.shape, network.graph.image.shape
        raise DataError(f"{path} takes {shapes[0]}, and {network.cfg} {shapes[1]}: it was written from another network")
    feed = random_inputs(contract)
    wanted = _expected(network, contract, feed)
    if not all(np.isfinite(array).all() for array in wanted):
        return Agreement("what the network makes of random numbers is NaN or infinite")
    got = open_file(path, backend.name).run(feed)
    if len(got) != len(wanted) and not contract.is_suppressed:
        raise DataError(f"{path} gives {len(got)} arrays, and {network.cfg} {len(wanted)}: it is of another network")
    if contract.is_suppressed:
        return _compare_boxes(contract, wanted, got, backend.title)
    names = contract.results or ("",) * len(got)
    least = [float(name == "scores") for name in names]  # where nothing is found all are next to 0, and so is rounding
    triples = zip(got, wanted, least, strict=True)
    return Agreement(title=backend.title, off=max((difference(*one) for one in triples), default=0.0))


def random_inputs(contract: Contract) -> list[np.ndarray]:
    """Random numbers for the inputs of a network, the image and its states."""
    rng = np.random.default_rng(SEED)
    shapes = (contract.shape, *(s.shape for s in contract.states))
    return [rng.random((contract.batch or 1, *shape), np.float32) for shape in shapes]


def _expected(network: Network, contract: Contract, feed: Sequence[np.ndarray]) -> list[np.ndarray]:
    """NumPy's outputs, and states, for the numbers; boxes and scores where the file suppresses them itself."""
    program = program_of(network.compilation, network.graph)  # without names of classes, which may not fit
    return open_session(program.ending_in(contract.boxes).graph, "numpy").run(feed)


def _compare_boxes(
    contract: Contract, wanted: Sequence[np.ndarray], got: Sequence[np.ndarray], title: str
) -> Agreement:
    """How the boxes that the file gives agree with those of NumPy's numbers, of the first sample."""
    plain = replace(contract, boxes="decoded", outputs=("boxes", "scores"), nms_kind="default")
    size = contract.net_size
    expected = plain.decode(plain.sample(wanted[:2], 0), size, letterbox=False)
    found = contract.decode(contract.sample(got[: len(contract.outputs)], 0), size, letterbox=False)
    if contract.is_full(found):
        expected = expected[: len(found)]
    missing = 0
    for box, label in zip(expected.xywh, expected.cls, strict=True):
        others = found.xywh[found.cls == label]
        off = np.abs(others - box).max(axis=1)  # of a box without a width to speak of, an IoU is rounding
        missing += not (box_iou(box[None], others) >= SAME_BOX).any() and not (off <= TOLERANCE * max(size)).any()
    return Agreement(title=title, boxes=len(expected), found=len(found), missing=missing)
