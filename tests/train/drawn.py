"""Small data sets drawn for tests: rectangles of one colour a class on grey: pixels tell where a box must be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

GREY = 96
STRONG = 90  # how much more of its own colour a pixel of an object has; the mean of a picture has less
CLASSES = 3  # class c is bright in channel c of RGB


def rectangle(
    folder: Path, name: str, number: int, box: tuple[float, float, float, float], size: tuple[int, int] = (120, 160)
) -> Path:
    """A picture (height, width) with one object: its class, and its box as centre and size relative to the picture."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = size
    pixels = np.full((height, width, 3), GREY, np.uint8)
    x, y, w, h = box
    left, top = round((x - w / 2) * width), round((y - h / 2) * height)
    right, bottom = round((x + w / 2) * width), round((y + h / 2) * height)
    pixels[top:bottom, left:right] = 40
    pixels[top:bottom, left:right, 2 - number] = 220
    exact = ((left + right) / 2 / width, (top + bottom) / 2 / height, (right - left) / width, (bottom - top) / height)
    path = folder / f"{name}.png"
    assert cv2.imwrite(str(path), pixels)
    path.with_suffix(".txt").write_text(f"{number} " + " ".join(f"{v:.8f}" for v in exact) + "\n")
    return path


def rectangles(folder: Path, count: int = 9) -> Path:
    """A folder of such pictures, of different shapes, with every class."""
    chance = np.random.default_rng(3)
    for i in range(count):
        w, h = chance.uniform(0.25, 0.5, 2)
        x, y = chance.uniform(w / 2, 1 - w / 2), chance.uniform(h / 2, 1 - h / 2)
        size = (int(chance.integers(80, 200)), int(chance.integers(80, 200)))
        rectangle(folder, f"{i:02}", i % CLASSES, (x, y, w, h), size)
    return folder


def coloured(image: np.ndarray, number: int) -> np.ndarray:
    """Where an image (3, h, w) has the colour of a class."""
    others = [image[c] for c in range(CLASSES) if c != number]
    return image[number] > np.maximum(*others) + STRONG / 255
