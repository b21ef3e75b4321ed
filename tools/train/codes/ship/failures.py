"""What the network misses and what it takes for codes: the worst drawn pictures as a sheet, of photos the names.

Decision: only pictures that are drawn here are shown; photos are other people's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np

from darknet_py.analysis.evaluate.record import Detected
from darknet_py.model.model import Model
from darknet_py.vision.labels import Labels
from tools.markdown import table

from ..scene import draw_picture
from ..score.arithmetic import SHOWN, score_photos
from ..score.photos import CLASSES, Photo
from ..source import MEASURED, MEASURED_SEED, labels_of

COLUMNS, ROWS, SIDE = 6, 4, 200
MOST = 150_000  # bytes of the sheet
TRUTH, FOUND = (60, 200, 60), (40, 40, 230)  # BGR


@dataclass(frozen=True)
class Failure:
    """The classes of the codes of a picture that were missed, and of the boxes that are of no code, by their number."""

    missed: Counter[str]
    false: Counter[str]

    @property
    def count(self) -> int:
        """All of them."""
        return self.missed.total() + self.false.total()


def failure(found: Detected, labels: Labels) -> Failure:
    """What was missed and what is false above .25, by the right class and an overlap of half."""
    scored = score_photos([found.above(SHOWN)], [labels], len(CLASSES), 0.5)
    hits = np.bincount(scored.cls[scored.hit], minlength=len(CLASSES))
    missed = Counter({name: int(n) for name, n in zip(CLASSES, scored.objects[0] - hits, strict=True) if n})
    return Failure(missed, Counter(CLASSES[cls] for cls in scored.cls[~scored.hit]))


def names_table(found: Sequence[Detected], photos: Sequence[Photo]) -> str:
    """A table of the photos in which something was missed or false, without the photos."""
    pairs = [(photo.path.name, failure(one, photo.labels)) for one, photo in zip(found, photos, strict=True)]
    rows = [(name, _words(of.missed), _words(of.false)) for name, of in pairs if of.count]
    return table(("photo", "missed", "false"), rows, words=3) + "\n"


def worst_drawn(model: Model, size: int, count: int = MEASURED) -> np.ndarray:
    """The drawn pictures of the measurement with most missed and false, (rows * side, columns * side, 3) BGR uint8."""
    worst = []
    for number in range(count):
        picture = draw_picture(MEASURED_SEED, number, size, held_out=True)
        found, labels = Detected.of(model(picture.image, SHOWN)[0]), labels_of(picture)
        worst.append((failure(found, labels).count, number, picture.image, labels.boxes, found.boxes))
        worst = sorted(worst, key=lambda one: (-one[0], one[1]))[: COLUMNS * ROWS]
    tiles = iter(_tile(*one[2:]) for one in worst)
    blank = np.full((SIDE, SIDE, 3), 255, np.uint8)
    rows = [[*islice(tiles, COLUMNS)] for _ in range(ROWS)]
    return np.vstack([np.hstack([*row, *[blank] * (COLUMNS - len(row))]) for row in rows])


def _tile(image: np.ndarray, truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    """A small picture with what is there, and with what was found over it, thinner."""
    tile = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    for boxes, colour, width in ((truth, TRUTH, 3), (found, FOUND, 1)):
        corners = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2], axis=1)
        for left, top, right, bottom in np.clip(np.rint(corners * SIDE), 0, SIDE - 1).astype(int).tolist():
            cv2.rectangle(tile, (left, top), (right, bottom), colour, width)
    return tile


def _words(counts: Counter[str]) -> str:
    return ", ".join(f"{n} {name}" if n > 1 else name for name, n in counts.items())
