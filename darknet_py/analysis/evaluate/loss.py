"""What a network loses in fewer bits: mAP where there are labels, else what it finds again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...errors import counted
from ...vision.labels import Labels
from .record import Detected
from .score import score

FEW = 500  # pictures; with fewer, an mAP moves by a hundredth when single boxes do


@dataclass(frozen=True)
class PrecisionLoss:
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

        >>> print(PrecisionLoss(32, 0.512, 0.509, True))
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
