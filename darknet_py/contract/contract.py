"""The contract of a network: what goes in and what comes out, as plain data with a JSON form.

Decision: one value for everybody. A cfg compiles to it, an exported file and an entry of the start cache carry it, and
a `Model` or a server needs nothing else to prepare a picture and to make boxes of what comes out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Self

import numpy as np

from ..errors import DataError, counted
from .boxes import Size, undo_letterbox
from .candidates import Candidates, join
from .decoders import Decoder, decode_heads, decoder_of
from .detections import Boxes, to_boxes
from .nms import nms
from .selection import ALL, Selection
from .thresholds import CONF, IOU
from .trust import CONTRACT, STATE, believe

BATCHED = ("padded", "tensorrt")  # of `boxes`: the network suppresses itself, each sample for itself
SUPPRESSED = ("nms", *BATCHED)
ROW = 7  # numbers of an object where boxes='nms': sample, left, top, right, bottom, score, class


@dataclass(frozen=True)
class StateSpec:
    """Memory of a recurrent layer: feed zeros first, then what came out; `shape` is without the batch axis."""

    input: str
    output: str
    shape: tuple[int, ...]


# How a picture is resized: as Darknet's image.c does it, or with Pillow's filters of that name, which average where a
# picture gets smaller.
INTERPOLATIONS = ("darknet", "bilinear", "bicubic")


@dataclass(frozen=True)
class Contract:
    """What goes into a network and what comes out of it.

    `shape` is one input: (channels, height, width), `colour` the order of the channels, and `scale` what 8-bit pixels
    are multiplied with. `resize` is how a picture gets that size: 'stretch', 'letterbox' (padded with 0.5), or 'crop'
    (the middle, for classifiers); with 'crop', `shorter_edge` is the length of its shorter side before (0: the width of
    the input), and `interpolation` one of `INTERPOLATIONS`. `class_names` is the list of names that the network itself
    asks for. `outputs` are the names of what comes out, and `boxes` is what that is: 'raw' (the
    outputs of the heads, which `decoders` read, or of the last layer where there are none), 'input' (the inputs of
    those heads that decoders can read as well), 'decoded', 'nms', 'padded' or 'tensorrt'; see `export_onnx`. `batch` is
    the only number of samples that is taken, None: any. The rest says where the network is from.
    """

    shape: tuple[int, ...]
    classes: int
    resize: str = "stretch"
    shorter_edge: int = 0
    interpolation: str = "darknet"
    names: tuple[str, ...] = ()
    class_names: str = ""
    names_origin: str = ""
    decoders: tuple[Decoder, ...] = ()
    states: tuple[StateSpec, ...] = ()
    outputs: tuple[str, ...] = ()
    boxes: str = "raw"
    threshold: float = CONF
    iou: float = IOU
    max_detections: int | None = None  # of a sample; where boxes='nms' of a class of it
    nms_kind: str = "default"
    nms_beta: float = 0.6
    batch: int | None = None
    input: str = "images"
    colour: str = "RGB"
    scale: float = 1 / 255
    half: bool = False
    int8: dict[str, Any] | None = None  # what the int8 form loses, as `quantize.Quantization` has it
    origin: str = ""
    producer: str = ""
    cfg: str = ""
    cfg_sha256: str = ""
    weights_sha256: str | None = None
    dialect: str = "alexeyab"
    diagnostics: tuple[str, ...] = ()

    @property
    def letterbox(self) -> bool:
        """Whether pictures are padded."""
        return self.resize == "letterbox"

    @property
    def is_suppressed(self) -> bool:
        """Whether what comes out are the boxes that the network's own suppression leaves."""
        return self.boxes in SUPPRESSED

    @property
    def every_class(self) -> range | None:
        """The `classes` that a model is asked for where it is measured: names that begin with 'dont_show' hide results
        from people, and Darknet's `detector map` and `valid` count them. None for a classifier.
        """
        return range(self.classes) if self.decoders else None

    @property
    def net_size(self) -> Size:
        """The (height, width) of the input of a network with decoders; `DataError` where that is no picture."""
        if len(self.shape) != 3:
            raise DataError(f"the network takes {self.shape[0]} numbers, no picture: boxes have nothing to be in")
        return self.shape[1], self.shape[2]

    @property
    def results(self) -> tuple[str, ...]:
        """The names of all that comes out: the outputs, then the states."""
        return (*self.outputs, *(s.output for s in self.states))

    def sample(self, outputs: Sequence[np.ndarray], index: int) -> list[np.ndarray]:
        """What the outputs of a batch say about one sample."""
        if self.boxes == "nms":
            if any(rows.shape[1:] != (ROW,) for rows in outputs):
                raise DataError(f"arrays of {[o.shape for o in outputs]} are not rows of {ROW} numbers for each object")
            return [rows[rows[:, 0] == index] for rows in outputs]
        return [o[index] for o in outputs]

    def samples(self, outputs: Sequence[np.ndarray], first: int, last: int) -> list[np.ndarray]:
        """The outputs of a batch as they would be of its samples from `first` until before `last` alone."""
        if self.boxes != "nms":
            return [o[first:last] for o in outputs]
        (table,) = outputs
        own = table[(table[:, 0] >= first) & (table[:, 0] < last)]
        own[:, 0] -= first
        return [own]

    def decode(
        self,
        outputs: Sequence[np.ndarray],
        image_size: Size,
        *,
        threshold: float | None = None,
        iou: float | None = None,
        letterbox: bool | None = None,
        selection: Selection = ALL,
    ) -> Boxes:
        """The objects in the outputs for one sample, of a picture of (height, width), best first.

        `outputs` are those of `sample`, without states. Thresholds and padding are the contract's own unless given;
        `selection` says which classes and how many of the objects are wanted.
        Raises `DataError` for a network without decoders, or where the outputs are none of its.
        """
        if not self.decoders:
            raise DataError(f"{self.cfg or 'the network'} has no layer that gives boxes")
        found = self._wanted(outputs, self.threshold if threshold is None else threshold, selection)
        if self.letterbox if letterbox is None else letterbox:
            found = found.with_boxes(undo_letterbox(found.boxes, image_size, self.net_size))
        if not self.is_suppressed or selection.agnostic:
            iou = self.iou if iou is None else iou
            found = nms(found, self.nms_kind, iou, self.nms_beta, agnostic=selection.agnostic)
        return to_boxes(found, image_size)[: selection.max_det]

    def _wanted(self, outputs: Sequence[np.ndarray], threshold: float, selection: Selection) -> Candidates:
        """The candidates of the classes that are wanted, each class as Darknet finds it with its threshold.

        Heads are decoded once for each threshold: in one with a class tree the threshold is of the objectness, which
        is not in the probabilities, so that they could not be compared with another one later.
        """
        if selection.takes_all:
            return self.candidates(outputs, threshold)
        limits = selection.limits(self.classes, threshold)
        distinct = sorted(set(limits[np.isfinite(limits)].tolist())) or [1.0]
        return join([self.candidates(outputs, limit).only(limits == limit) for limit in distinct])

    def beyond(self, threshold: float, iou: float, agnostic: bool = False) -> tuple[str, ...]:
        """What is asked of a network that suppresses its boxes itself and that it cannot give, a sentence each."""
        if not self.is_suppressed:
            return ()
        told = []
        if threshold < self.threshold:
            told.append(
                f"the file itself holds nothing below its own {self.threshold:g}, and cannot be asked for "
                f"{threshold:g}: export it again with --conf {threshold:g}"
            )
        if iou != self.iou:
            told.append(
                f"the file itself suppresses with an overlap of {self.iou:g}, and not of {iou:g}: export it again with "
                f"--iou {iou:g}"
            )
        if agnostic:
            told.append(
                "the file itself suppresses class by class, and boxes of other classes only among what that leaves: "
                "export it again without --boxes nms"
            )
        return tuple(told)

    def passed_over(self, conf: object, iou: object) -> tuple[str, ...]:
        """What is to be said of thresholds (None: not given) that a network has no boxes for, a sentence or none."""
        if self.decoders or (conf is None and iou is None):
            return ()
        return ("the network is a classifier: conf and iou are about boxes, and change nothing",)

    def is_full(self, boxes: Boxes) -> bool:
        """Whether the network may have left objects out: there are as many as its own suppression lets pass."""
        if not self.is_suppressed or self.max_detections is None:
            return False
        if self.boxes in BATCHED:
            return len(boxes) >= self.max_detections
        return int(np.bincount(boxes.cls, minlength=1).max()) >= self.max_detections

    def told_of_full(self) -> str:
        """What there is to say where `is_full`."""
        most, of = self.max_detections or 0, "picture" if self.boxes in BATCHED else "class"
        return (
            f"the file gives at most {counted(most, 'object')} of a {of}, and there may be more: export it again with "
            "a larger --max-det"
        )

    def candidates(self, outputs: Sequence[np.ndarray], threshold: float) -> Candidates:
        """The candidates in the outputs for one sample, relative to the network input, before suppression.

        What is NaN or infinite is no box: Darknet lets such a one take part in the suppression and prints what its C
        library makes of the numbers.
        """
        return self._candidates(outputs, threshold).finite()

    def _candidates(self, outputs: Sequence[np.ndarray], threshold: float) -> Candidates:
        if self.boxes in ("raw", "input"):
            if len(outputs) != len(self.decoders):
                raise DataError(f"{len(outputs)} arrays for {len(self.decoders)} heads")
            heads = list(zip(self.decoders, outputs, strict=True))
            return decode_heads(heads, self.net_size, threshold, raw=self.boxes == "input")
        xyxy, scores = self._listed(outputs)
        kept = scores.max(1, initial=0) > np.float32(threshold)
        xyxy, scores = xyxy[kept], np.where(scores[kept] > np.float32(threshold), scores[kept], np.float32(0))
        relative = xyxy / np.array([self.net_size[1], self.net_size[0]] * 2, np.float32)
        center, extent = (relative[:, :2] + relative[:, 2:]) / 2, relative[:, 2:] - relative[:, :2]
        boxes = np.concatenate([center, extent], axis=1).astype(np.float32)
        return Candidates(boxes, np.ones(len(boxes), np.float32), scores)

    def _listed(self, outputs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (n, 4) and scores (n, classes) in the outputs of a network that ends in them."""
        shapes = [o.shape for o in outputs]
        if self.boxes == "decoded":
            if len(shapes) != 2 or shapes != [(shapes[0][0], 4), (shapes[0][0], self.classes)]:
                raise DataError(f"arrays of {shapes} are not boxes and the scores of {self.classes} classes")
            return outputs[0], outputs[1]
        rows = self._rows(outputs)
        rows = rows[np.isfinite(rows).all(1)]
        label = rows[:, 6].astype(np.int64)
        if not ((label >= 0) & (label < self.classes)).all():
            raise DataError(f"the network gives a class that is none of its {self.classes}")
        scores = np.zeros((len(rows), self.classes), np.float32)
        scores[np.arange(len(rows)), label] = rows[:, 5]
        return rows[:, 1:5], scores

    def _rows(self, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """A row (k, 7) for each object in the outputs of a network that suppresses its boxes itself."""
        shapes = [o.shape for o in outputs]
        if self.boxes == "nms":
            if len(shapes) != 1 or shapes[0][1:] != (ROW,):
                raise DataError(f"arrays of {shapes} are not rows of {ROW} numbers for each object")
            return outputs[0]
        most = shapes[1][:1] if len(shapes) == 4 else ()
        if shapes != [(1,), (*most, 4), most, most]:
            raise DataError(f"arrays of {shapes} are not a number of objects, their boxes, scores and classes")
        count, boxes, scores, label = outputs
        found = slice(max(0, int(count[0])))
        columns = (np.zeros((len(scores), 1)), boxes, scores[:, None], label[:, None])
        return np.concatenate(columns, axis=1).astype(np.float32)[found]

    def to_dict(self) -> dict[str, Any]:
        """The contract as plain data, which `Contract.of` reads."""
        return {f.name: _plain(getattr(self, f.name)) for f in fields(self)}

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        """The contract again; `KeyError`, `TypeError` or `ValueError` for anything else."""
        decoders = tuple(decoder_of(d) for d in data["decoders"])
        states = tuple(StateSpec(s["input"], s["output"], tuple(s["shape"])) for s in data["states"])
        rest: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in data.items() if k not in ("decoders", "states")
        }
        made = cls(**rest, decoders=decoders, states=states)
        believe(made, CONTRACT)
        for state in states:
            believe(state, STATE)
        made.check()
        return made

    def check(self) -> None:
        """Raise `ValueError` where the fields do not go together."""
        if self.decoders and len(self.shape) != 3:
            raise ValueError(f"boxes in an input of {self.shape}")
        if self.decoders and self.classes != max(d.classes for d in self.decoders):
            raise ValueError(f"{self.classes} classes, and decoders for {[d.classes for d in self.decoders]}")
        if self.boxes in ("decoded", *SUPPRESSED) and not self.decoders:
            raise ValueError(f"boxes={self.boxes!r} without a decoder")
        counts = {"decoded": 2, "nms": 1, **dict.fromkeys(BATCHED, 4)}
        wanted = counts.get(self.boxes, len(self.decoders) or len(self.outputs))
        if self.outputs and len(self.outputs) != wanted:
            raise ValueError(f"{len(self.outputs)} outputs where there are {wanted}")


def resized(letterbox: bool, detects: bool) -> str:
    """How a picture gets its size: the `resize` of a contract."""
    return "letterbox" if letterbox else "stretch" if detects else "crop"


def _plain(value: Any) -> Any:
    """A value as JSON has it."""
    if isinstance(value, Decoder):
        return value.to_dict()
    if isinstance(value, tuple):
        return [_plain(v) for v in value]
    return {f.name: _plain(getattr(value, f.name)) for f in fields(value)} if is_dataclass(value) else value
