"""Static int8: a network with its convolutions in 8 bits, and what that costs in what it finds.

Decision: nobody gets an int8 network without its loss. Some pictures are kept out of the calibration; on these both
networks are run, matched and timed, and the figures are part of the result and of the file. From the last convolutions
on (the heads) everything stays in float32: there a rounding moves a box or turns a class.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from operator import truediv as divide
from pathlib import Path
from statistics import median
from typing import Any, TypeVar

import numpy as np

from ..backends.auto import timed
from ..backends.backend import DEFAULT, find_backend
from ..backends.precision import F32, INT8, Precision
from ..backends.session import Session, open_session
from ..contract.contract import Contract
from ..contract.nms import box_iou
from ..contract.program import Program
from ..contract.selection import Selection
from ..contract.thresholds import CONF, IOU
from ..errors import DataError, Say, counted, to_nobody
from ..ir.int8 import Calibration
from ..vision.datasets import labelled, list_pictures
from ..vision.inference import inputs_of, results_of
from ..vision.labels import Labels
from ..vision.results import Results
from ..vision.sources import Found, PictureFile, expand, pictures
from ..zoo.names import ByNumber
from .calibrate import calibrate
from .evaluate.loss import PrecisionLoss, map_of
from .evaluate.record import RECORDED, Detected

T = TypeVar("T")

HELD_OUT = 4  # every fourth picture
CALIBRATED = 64  # pictures at most: more say the same
ROUNDS = 5  # of the timing
OVERLAP = 0.5  # two boxes of one class are the same object from this IoU on


@dataclass(frozen=True)
class Loss:
    """How the int8 network compares with the float network on some pictures.

    `objects` is what the float network finds (a classifier: the best class of each picture). `recall` is the part of
    these that the int8 network finds too, with the same class and an IoU of at least `OVERLAP`; `precision` the part of
    its own objects that the float network has; `difference` the mean absolute difference of the probabilities of what
    both find. Each is None where there is nothing to divide by.
    """

    pictures: int
    objects: int
    recall: float | None
    precision: float | None
    difference: float | None

    def __str__(self) -> str:
        rates = (("recall", self.recall), ("precision", self.precision))
        told = [f"{name} {rate:.1%}" for name, rate in rates if rate is not None]
        told += [] if self.difference is None else [f"probabilities off by {self.difference:.3f} on average"]
        seen = f"{counted(self.objects, 'object')} in {counted(self.pictures, 'picture')}"
        return f"{', '.join(told) or 'nothing to compare'} ({seen})"


@dataclass(frozen=True)
class Quantization:
    """The loss on the pictures held out of the calibration and on the others, and the float time over the int8 time.

    `scored` is what the labels of those held out say of it, if a detector's have some.
    """

    held_out: Loss
    calibration: Loss
    speed: float
    runtime: str = "onnxruntime"
    scored: PrecisionLoss | None = None

    def __str__(self) -> str:
        labels = f"int8 against float32, by the labels of these: {self.scored}\n" if self.scored else ""
        return (
            f"int8 against float32, pictures held out: {self.held_out}\n{labels}"
            f"int8 against float32, pictures of the calibration: {self.calibration}\n"
            f"int8 is {self.speed:.2f} times as fast as float32 in {self.runtime} on this machine"
        )

    def to_dict(self) -> dict[str, Any]:
        """The figures as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, data: dict[str, Any]) -> Quantization:
        """The figures again."""
        losses = Loss(**data["held_out"]), Loss(**data["calibration"])
        scored = data.get("scored")
        runtime = data.get("runtime", cls.runtime)
        return cls(*losses, data["speed"], runtime, PrecisionLoss(**scored) if scored else None)


def quantize(
    program: Program, images: str | Path, say: Say = to_nobody, backend: str = DEFAULT
) -> tuple[Calibration, Quantization]:
    """What pictures tell of a program with its parameters loaded, for int8 in a back end, and what int8 loses there.

    `images` is a path, folder or glob of at least two pictures like those that the network will see; every fourth is
    held out, and at most `CALIBRATED` of the others are looked at. `say` is told what takes long. Raises `DataError`
    for too few pictures, and `BackendError` where the back end has no int8.
    """
    others, held_out = split_pictures(images)
    program = program.before_heads()
    say(calibrating(backend, len(others), images))
    calibration = calibrate(program, others, backend, tell=say)
    whole, small = (open_session(program.graph, backend, precision=p) for p in (F32, Precision(INT8, calibration)))
    runtime = find_backend(backend).title
    return calibration, compare_int8(whole, small, program.contract, held_out, others, runtime)


def calibrating(backend: str, count: int, images: str | Path) -> str:
    """What is said before pictures are looked at."""
    return f"calibrating int8 for {backend} on {counted(count, 'picture')} of {images}"


def compare_int8(
    whole: Session, small: Session, contract: Contract, held_out: Sequence[Found], others: Sequence[Found],
    runtime: str = DEFAULT,
) -> Quantization:  # fmt: skip
    """What the int8 form of a network loses against the float32 one in the same runtime, and how much faster it is."""
    reference, candidate = (_Opened(session, contract) for session in (whole, small))
    labels = labels_of(held_out, contract)
    first, scored = _compare(reference, candidate, held_out, labels)
    second, _ = _compare(reference, candidate, others)
    speeds = [divide(*(timed(s, reference.inputs) for s in (whole, small))) for _ in range(ROUNDS)]
    return Quantization(first, second, median(speeds), runtime, scored)


def labels_of(files: Sequence[Found], contract: Contract) -> list[Labels] | None:
    """The labels of pictures; None where none has any, or where a network gives no boxes, or only the sure ones."""
    examples = [labelled(f.path) for f in files if isinstance(f, PictureFile)]
    is_scored = contract.decoders and not contract.is_suppressed and len(examples) == len(files)
    if not is_scored or all(example.labels is None for example in examples):
        return None
    return [example.read(contract.names)[0] for example in examples]


def _compare(
    reference: _Opened, candidate: _Opened, files: Sequence[Found], labels: Sequence[Labels] | None = None
) -> tuple[Loss, PrecisionLoss | None]:
    """What the second loses on some pictures, and in mAP where there are labels."""
    both = [[opened.look(f, is_scored=labels is not None) for f in files] for opened in (reference, candidate)]
    found = loss(*([results for results, _ in seen] for seen in both))
    if labels is None:
        return found, None
    classes = reference.contract.classes
    before, after = (map_of([all_ for _, all_ in seen if all_ is not None], labels, classes) for seen in both)
    return found, PrecisionLoss(len(files), before, after, is_map=True)


def split_pictures(images: str | Path) -> tuple[list[Found], list[Found]]:
    """The pictures of a path, folder, glob or data set to calibrate with, `CALIBRATED` at most, and those held out.

    Raises `DataError` for less than one of each.
    """
    path = Path(images)
    if path.is_dir() or path.suffix == ".data":
        files: list[Found] = [PictureFile(p) for p in list_pictures(path, "train")]
    else:
        files = expand(images, videos=False)
    held_out = files[HELD_OUT - 1 :: HELD_OUT] or files[-1:]
    rest = [f for i, f in enumerate(files, 1) if i % HELD_OUT] if len(files) >= HELD_OUT else files[:-1]
    others = [f for f in evenly(rest, CALIBRATED) if f not in held_out]  # a picture may be listed twice
    if not others:
        for file in files:
            list(pictures(file, 3))  # what is none, or is not there, is told as that
        raise DataError(f"{images}: that is one picture; int8 needs one to calibrate with and one to measure the loss")
    return others, held_out


def evenly(items: Sequence[T], most: int) -> tuple[T, ...]:
    """At most so many, evenly from all.

    >>> evenly(range(10), 4)
    (0, 3, 6, 9)
    """
    step = max(1, -(-len(items) // most))
    return tuple(items[::step])


def loss(wanted: Sequence[Results], got: Sequence[Results]) -> Loss:
    """What the second results lose against the first, picture by picture."""
    compare = _compare_boxes if not wanted or wanted[0].scores is None else _compare_classes
    matched = np.array([pair for a, b in zip(wanted, got, strict=True) for pair in compare(a, b)]).reshape(-1, 2)
    objects, own = (sum(len(r) if r.scores is None else 1 for r in results) for results in (wanted, got))
    if not objects or not own or not len(matched):
        return Loss(len(wanted), objects, 0.0 if objects else None, 0.0 if own else None, None)
    off = float(np.abs(matched[:, 0] - matched[:, 1]).mean())
    return Loss(len(wanted), objects, len(matched) / objects, len(matched) / own, off)


def without_picture(results: Results) -> Results:
    """The same with a picture of its size that takes no memory: of thousands of pictures only what is found is kept.

    >>> from ..vision.results import Boxes
    >>> none = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), (48, 64))
    >>> found = without_picture(Results(np.ones((48, 64, 3), np.uint8), "dog.jpg", {}, none))
    >>> found.orig_shape, found.orig_img.strides
    ((48, 64), (0, 0, 0))
    """
    return replace(results, orig_img=np.broadcast_to(np.uint8(0), results.orig_img.shape))


def agreement(wanted: Sequence[Results], got: Sequence[Results]) -> float:
    """The part of what a network finds that another one finds too, or of its findings that are true if that is less.

    For classifiers of the best classes; 1 where none finds anything.
    """
    found = loss(wanted, got)
    return min((part for part in (found.recall, found.precision) if part is not None), default=1.0)


def precision_loss(
    wanted: Sequence[Results], got: Sequence[Results], labels: Sequence[Labels] | None, classes: int
) -> PrecisionLoss:
    """What the second results lose: mAP by the labels of the pictures, without labels the part found again."""
    if labels is None:
        return PrecisionLoss(len(wanted), 1.0, agreement(wanted, got), is_map=False)
    before, after = (map_of([Detected.of(one) for one in results], labels, classes) for results in (wanted, got))
    return PrecisionLoss(len(wanted), before, after, is_map=True)


def _compare_classes(a: Results, b: Results) -> Iterable[tuple[float, float]]:
    """The probabilities of the best class, if it is the same."""
    assert a.scores is not None
    assert b.scores is not None
    best = int(a.scores.argmax())
    return [(a.scores[best], b.scores[best])] if best == b.scores.argmax() else []


def _compare_boxes(a: Results, b: Results) -> Iterator[tuple[float, float]]:
    """The probabilities of the objects that both have, the surest taking the nearest box first."""
    near = box_iou(a.boxes.xywh[:, None], b.boxes.xywh) * (a.boxes.cls[:, None] == b.boxes.cls)
    for i in np.argsort(-a.boxes.conf, kind="stable") if near.size else ():
        j = int(near[i].argmax())
        if near[i, j] >= OVERLAP:
            near[:, j] = 0
            yield float(a.boxes.conf[i]), float(b.boxes.conf[j])


class _Opened:
    """A network in onnxruntime, and the inputs that its last picture became."""

    def __init__(self, session: Session, contract: Contract) -> None:
        self.session, self.contract = session, contract
        self.inputs: list[np.ndarray] = []

    def look(self, file: Found, *, is_scored: bool = False) -> tuple[Results, Detected | None]:
        """What it finds in a picture with Darknet's thresholds, and all that counts in an mAP if it `is_scored`."""
        contract = self.contract
        (picture,) = pictures(file, contract.shape[0])
        self.inputs = inputs_of(picture, contract)
        results = self.session.run(self.inputs)
        outputs = contract.sample(results[: len(results) - len(contract.states)], 0)
        found = partial(results_of, outputs, picture, contract, ByNumber(contract.names), iou=IOU)
        shown = without_picture(found(threshold=CONF))
        if not is_scored:
            return shown, None
        return shown, Detected.of(found(threshold=RECORDED, selection=Selection(tuple(contract.every_class or ()))))
