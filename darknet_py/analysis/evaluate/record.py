"""What a detector said of each picture, kept in a file as it comes: an evaluation that is stopped goes on from it.

A file holds, for one picture after another, its number, its size and its detections. What a kill cut off at the end is
dropped; nothing in it is executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...files import cache_dir
from ...vision.results import Results

RECORDED = 0.001  # the lowest score that is kept: what COCO evaluations start from


@dataclass(frozen=True, eq=False)
class Detected:
    """The detections of one picture of (height, width), in pixels or relative to it.

    `cls` (n,) int64, `conf` (n,) float32, `boxes` (n, 4) float32, centre and size relative to the picture, best first;
    `seconds` is the time that the picture took.
    """

    shape: tuple[int, int]
    cls: np.ndarray
    conf: np.ndarray
    boxes: np.ndarray
    seconds: float = 0.0

    @classmethod
    def of(cls, results: Results) -> Detected:
        """What a model's results say."""
        boxes = results.boxes
        return cls(
            results.orig_shape, boxes.cls.astype(np.int64), boxes.conf.astype(np.float32),
            boxes.xywhn.astype(np.float32), results.seconds,
        )  # fmt: skip

    def above(self, conf: float) -> Detected:
        """Those of a score above `conf`."""
        return self.take(self.conf > np.float32(conf))

    def take(self, rows: np.ndarray) -> Detected:
        """Some of them: a mask, or their numbers in another order."""
        return Detected(self.shape, self.cls[rows], self.conf[rows], self.boxes[rows], self.seconds)

    def corners(self, clip: bool = True) -> np.ndarray:
        """Left, top, right and bottom in pixels, (n, 4) float64; `clip` cuts them at the border of the picture."""
        height, width = self.shape
        scale = np.array([width, height] * 2, np.float64)
        half = self.boxes[:, 2:].astype(np.float64) / 2
        centre = self.boxes[:, :2].astype(np.float64)
        corners = np.concatenate([centre - half, centre + half], 1)
        return (np.clip(corners, 0, 1) if clip else corners) * scale


def evaluations() -> Path:
    """The folder of what is recorded until an evaluation ends."""
    return cache_dir() / "evaluations"


def append(file: BinaryIO, number: int, found: Detected) -> None:
    """Write one picture's detections at the end of a file."""
    np.save(file, np.array([number, *found.shape, found.seconds], np.float64))
    np.save(file, np.column_stack([found.cls, found.conf, found.boxes]).astype(np.float32))
    file.flush()


def recorded(path: Path) -> tuple[dict[int, Detected], int]:
    """What a file holds, by the number of the picture, and how many of its bytes are whole."""
    found: dict[int, Detected] = {}
    whole = 0
    if not path.is_file():
        return found, whole
    with path.open("rb") as file:
        for number, one in _read(file):
            found[number] = one
            whole = file.tell()
    return found, whole


def _read(file: BinaryIO) -> Iterator[tuple[int, Detected]]:
    while True:
        try:
            number, height, width, seconds = np.load(file, allow_pickle=False)
            rows = np.load(file, allow_pickle=False).reshape(-1, 6)
        except (ValueError, OSError, EOFError):  # the end, or what a kill left of it
            return
        shape = int(height), int(width)
        yield int(number), Detected(shape, rows[:, 0].astype(np.int64), rows[:, 1], rows[:, 2:], float(seconds))
