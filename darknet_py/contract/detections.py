"""What survives: the boxes of one picture, in its pixels, best first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .boxes import to_xyxy
from .candidates import Candidates


@dataclass(frozen=True)
class CodeText:
    """What a barcode or matrix code says, and its symbology in the words of zxing-cpp, such as `EAN-13`."""

    text: str
    format: str


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes of one picture, best first: `xyxy` (n, 4) float32 corners in its pixels, `conf` (n,), `cls` (n,) int.

    Corners may lie outside the picture, as Darknet's do; `clip` cuts them. `shape` is the picture's (height, width).
    `id` (n,) int says which object of a sequence each box is, from 1, 0 where that is not known; None: nobody asked.
    `codes` are what the codes in the boxes say, None for a box in which none was read; None: nobody asked.

    >>> boxes = Boxes(np.zeros((2, 4)), np.float32([0.9, 0.8]), np.array([0, 2]), (9, 9), np.array([7, 0]))
    >>> boxes[:1].track_ids, boxes.track_ids
    ([7], [7, None])
    """

    xyxy: np.ndarray
    conf: np.ndarray
    cls: np.ndarray
    shape: tuple[int, int]
    id: np.ndarray | None = None
    codes: tuple[CodeText | None, ...] | None = None

    def __len__(self) -> int:
        return len(self.conf)

    def __getitem__(self, index: Any) -> Boxes:
        """Some of the boxes: an index, a slice or a mask."""
        rows = np.atleast_1d(np.arange(len(self))[index])
        track = None if self.id is None else self.id[rows]
        codes = None if self.codes is None else tuple(self.codes[i] for i in rows)
        return Boxes(self.xyxy[rows], self.conf[rows], self.cls[rows], self.shape, track, codes)

    def __iter__(self) -> Iterator[Boxes]:
        return (self[i] for i in range(len(self)))

    def clip(self) -> Boxes:
        """The same boxes cut at the border of the picture."""
        return replace(self, xyxy=np.clip(self.xyxy, 0, self._scale))

    @property
    def track_ids(self) -> list[int | None]:
        """The track of each box, None where it has none."""
        return [self.track_id(i) for i in range(len(self))]

    def track_id(self, i: int) -> int | None:
        """The track of one box, None where it has none."""
        return None if self.id is None else int(self.id[i]) or None

    def code(self, i: int) -> CodeText | None:
        """What the code in one box says, None where none was read."""
        return None if self.codes is None else self.codes[i]

    @property
    def xywh(self) -> np.ndarray:
        """Centres, widths and heights in pixels, (n, 4)."""
        low, high = self.xyxy[:, :2], self.xyxy[:, 2:]
        with np.errstate(over="ignore", invalid="ignore"):  # boxes of a network that has learned nothing
            return np.concatenate([(low + high) / 2, high - low], 1)

    @property
    def xyxyn(self) -> np.ndarray:
        """Corners relative to the picture, (n, 4)."""
        return self.xyxy / self._scale

    @property
    def xywhn(self) -> np.ndarray:
        """Centres, widths and heights relative to the picture, (n, 4): Darknet's and YOLO's own form."""
        return self.xywh / self._scale

    @property
    def _scale(self) -> np.ndarray:
        height, width = self.shape
        return np.array([width, height, width, height], np.float32)


def to_boxes(candidates: Candidates, image_size: tuple[int, int]) -> Boxes:
    """A row for each probability that is not 0, sorted, with boxes in pixels of an image of (height, width).

    What is not finite, or becomes so in pixels, is left out.
    """
    row, label = candidates.likely
    confidence = candidates.probabilities[row, label]
    best = np.argsort(-confidence, kind="stable")
    with np.errstate(over="ignore", invalid="ignore"):
        xyxy = to_xyxy(candidates.boxes[row[best]], image_size)
    found = Boxes(xyxy, confidence[best], label[best], image_size)
    sound = np.isfinite(xyxy).all(axis=1) & np.isfinite(found.conf)
    return found if sound.all() else found[sound]
