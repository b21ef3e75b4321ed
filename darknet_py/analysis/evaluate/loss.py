"""What a network in fewer bits loses against itself in float32: mAP where there are labels, else what it finds again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...contract.nms import box_iou
from ...errors import counted
from ...vision.labels import Labels
from ...vision.results import Results
from .record import Detected
from .score import score

OVERLAP = 0.5  # two boxes of one class are the same object from this IoU on
FEW = 500  # pictures; with fewer, an mAP moves by a hundredth when single boxes do


@dataclass(frozen=True)
class Loss:
    """What is lost on some pictures: `before` and `after` are mAP, or `before` 1 and `after` the part found again."""

    pictures: int
    before: float
    after: float
    is_map: bool

    @property
    def lost(self) -> float:
        """The difference; below 0 where fewer bits are better."""
        return self.before - self.after

    def __str__(self) -> str:
        """The loss in words, with the number of pictures.

        >>> print(Loss(32, 0.512, 0.509, True))
        mAP 0.512 to 0.509 (-0.003) on 32 pictures, which are few: a hundredth is chance
        """
        few = ", which are few: a hundredth is chance" if self.pictures < FEW else ""
        where = f"on {counted(self.pictures, 'picture')}"
        if self.is_map:
            return f"mAP {self.before:.3f} to {self.after:.3f} ({-self.lost:+.3f}) {where}{few}"
        return f"{self.after:.1%} of the answers are the same {where} without labels"


def map_of(found: Sequence[Detected], labels: Sequence[Labels], classes: int) -> float:
    """The mAP at an overlap of 0.5 over the classes that have objects, read at 101 points as COCO's AP50."""
    _, result = score(found, labels, classes, points=101)
    return result.map_present


def agreement(wanted: Sequence[Results], got: Sequence[Results]) -> float:
    """The part of the answers of two networks that are the same: objects of both, or the best class of a picture.

    Objects that only one of them finds count as different; 1 where none finds anything.
    """
    same = total = 0
    for a, b in zip(wanted, got, strict=True):
        if a.scores is not None and b.scores is not None:
            same, total = same + int(a.scores.argmax() == b.scores.argmax()), total + 1
            continue
        both = _matched(a, b)
        same, total = same + both, total + len(a.boxes) + len(b.boxes) - both
    return same / total if total else 1.0


def _matched(a: Results, b: Results) -> int:
    """How many objects both have, the surest taking the nearest box first."""
    if not len(a.boxes) or not len(b.boxes):
        return 0
    near = box_iou(a.boxes.xywh[:, None], b.boxes.xywh) * (a.boxes.cls[:, None] == b.boxes.cls)
    count = 0
    for i in np.argsort(-a.boxes.conf, kind="stable"):
        j = int(near[i].argmax())
        if near[i, j] >= OVERLAP:
            near[:, j] = 0
            count += 1
    return count
