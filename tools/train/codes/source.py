"""The drawn pictures as a training takes them: a source without end, and a folder of others to measure on.

Decision: what is measured on has another seed, and backgrounds of other kinds, which no training picture has.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from darknet_py import files
from darknet_py.vision.labels import Labels
from tools.networks.codes import NAMES

from ..labelled import write_labelled
from .scene import Picture, draw_picture

COUNT = 1 << 40  # pictures of a seed: more than anybody draws
LOOKED_AT, LOOKED_SIZE = 24, 96  # pictures that a fingerprint is of, and pixels of their sides
MEASURED, MEASURED_SEED = 400, 2  # pictures that a training is measured on


@dataclass(frozen=True)
class Drawn:
    """The pictures of a seed; `darknet_py.train` learns from it."""

    seed: int
    names: tuple[str, ...] = NAMES

    def __len__(self) -> int:
        return COUNT

    def __str__(self) -> str:
        return f"drawn pictures of codes, seed {self.seed}"

    def picture(self, number: int, size: tuple[int, int]) -> tuple[np.ndarray, Labels]:
        """Picture `number` at a size, of which both sides are the same, and its codes."""
        found = draw_picture(self.seed, number, size[0])
        return found.image, labels_of(found)

    def describe(self) -> str:
        """In words, what there is."""
        return f"pictures of {len(NAMES)} kinds of codes that are drawn on the way, seed {self.seed}"

    def fingerprint(self) -> str:
        """A SHA-256 over some of the pictures: another one where they are drawn in another way."""
        digest = hashlib.sha256(str(self.seed).encode())
        for number in range(LOOKED_AT):
            found = draw_picture(self.seed, number, LOOKED_SIZE)
            digest.update(found.image.tobytes() + found.rows.tobytes())
        return digest.hexdigest()


def labels_of(picture: Picture) -> Labels:
    """The boxes of a picture as labels."""
    cls, boxes = picture.rows[:, 0].astype(np.int64), np.ascontiguousarray(picture.rows[:, 1:])
    return Labels(cls, boxes, np.zeros(len(cls), bool))


def write_pictures(
    folder: Path, count: int, size: int, *, seed: int = MEASURED_SEED, held_out: bool = True
) -> Path:  # fmt: skip
    """Draw pictures into files with their labels beside them; the list of them."""
    paths = []
    for number in range(count):
        found = draw_picture(seed, number, size, held_out=held_out)
        paths.append(write_labelled(folder / f"{number:05}.png", found.image, found.rows, replace=True))
    lines = "".join(f"{path.name}\n" for path in paths)
    return files.write_whole(folder / "pictures.list", lines.encode(), replace=True)
