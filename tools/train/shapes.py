"""A detection data set drawn from a seed: discs, squares, triangles and crosses on textured grounds, with exact boxes.

Decision: everything about a picture is a function of (seed, its number), and its boxes come from the corners that are
drawn, so that nobody labels anything and the pictures of another seed are unseen ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from darknet_py import files

from .labelled import label_row, overlap, write_labelled

NAMES = ("disc", "square", "triangle", "cross")
LEAST, MOST = 24, 64  # pixels of a side of an object
OBJECTS = 5  # of a picture at most
SIDES = (144, 224)  # pixels of a picture
OVERLAP = 0.1  # of the smaller of two boxes at most
NOISE = 6  # of 255: the deviation of what every pixel is off by
SHIFT = 4  # bits after the point of the coordinates that OpenCV draws
ROUND = 64  # corners of a disc

CORNERS = {
    "square": np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]),
    "triangle": np.array([(0, -1), (0.9, 0.7), (-0.9, 0.7)]),
    "cross": np.array([
        (-0.35, -1), (0.35, -1), (0.35, -0.35), (1, -0.35), (1, 0.35), (0.35, 0.35),
        (0.35, 1), (-0.35, 1), (-0.35, 0.35), (-1, 0.35), (-1, -0.35), (-0.35, -0.35),
    ]),
    "disc": np.stack([f(np.linspace(0, 2 * np.pi, ROUND, endpoint=False)) for f in (np.cos, np.sin)], 1),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shape:
    """An object of a picture: its class and its corners (n, 2) in pixels."""

    number: int
    corners: np.ndarray

    @property
    def box(self) -> np.ndarray:
        """Left, top, right and bottom."""
        return np.concatenate([self.corners.min(0), self.corners.max(0)])


def draw_pictures(folder: Path, count: int, seed: int) -> Path:
    """Write `count` pictures and their labels into a folder; the list of them, beside it."""
    paths = []
    for i in range(count):
        pixels, shapes = picture(seed, i)
        rows = [label_row(shape.number, shape.box, pixels.shape[:2]) for shape in shapes]
        paths.append(write_labelled(folder / f"{i:04}.png", pixels, rows).resolve())
    listed = folder.with_suffix(".list")
    files.write_whole(listed, "".join(f"{path}\n" for path in paths).encode())
    return listed


def picture(seed: int, number: int) -> tuple[np.ndarray, list[Shape]]:
    """Picture `number` of a seed (h, w, 3) uint8 in BGR, and what is on it."""
    chance = np.random.default_rng((seed, number))
    height, width = (int(side) for side in chance.integers(*SIDES, 2))
    pixels = _ground(chance, height, width)
    shapes: list[Shape] = []
    for _ in range(chance.integers(1, OBJECTS + 1)):
        shape = _shape(chance, height, width)
        if all(overlap(shape.box, other.box) <= OVERLAP for other in shapes):
            shapes.append(shape)
            _paint(pixels, shape, chance)
    noise = chance.normal(0, NOISE, pixels.shape)
    return np.clip(pixels + noise, 0, 255).astype(np.uint8), shapes


def _shape(chance: np.random.Generator, height: int, width: int) -> Shape:
    """An object that is turned a little, and whole in the picture."""
    number = int(chance.integers(len(NAMES)))
    turn = np.radians(chance.uniform(-20, 20))
    cos, sin = np.cos(turn), np.sin(turn)
    corners = CORNERS[NAMES[number]] * chance.uniform(0.8, 1.25, 2) @ np.array([(cos, sin), (-sin, cos)])
    corners = corners * chance.uniform(LEAST, MOST) / np.ptp(corners, axis=0).max()
    low, high = -corners.min(0), np.array([width - 1, height - 1]) - corners.max(0)
    return Shape(number, corners + chance.uniform(low, high))


def _paint(pixels: np.ndarray, shape: Shape, chance: np.random.Generator) -> None:
    """Fill an object with a bright colour; its corners lie between pixels."""
    hue, value = int(chance.integers(180)), int(chance.integers(150, 256))
    colour = cv2.cvtColor(np.array([[[hue, 200, value]]], np.uint8), cv2.COLOR_HSV2BGR)[0, 0]
    corners = np.rint(shape.corners * (1 << SHIFT)).astype(np.int32)
    cv2.fillPoly(pixels, [corners], colour.tolist(), cv2.LINE_AA, SHIFT)


def _ground(chance: np.random.Generator, height: int, width: int) -> np.ndarray:
    """Muted clouds of colour with thin lines over them (h, w, 3) uint8."""
    clouds = chance.uniform(40, 170, (*chance.integers(2, 9, 2), 1)) + chance.uniform(-25, 25, (1, 1, 3))
    pixels = cv2.resize(np.clip(clouds, 0, 255).astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    for _ in range(chance.integers(0, 12)):
        a, b = (tuple(int(v) for v in chance.integers(0, (width, height))) for _ in range(2))
        cv2.line(pixels, a, b, [int(v) for v in chance.integers(30, 200, 1)] * 3, 1, cv2.LINE_AA)
    return pixels
