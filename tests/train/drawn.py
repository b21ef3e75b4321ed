"""Small data sets drawn for tests: rectangles of one colour a class on grey: pixels tell where a box must be."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

GREY = 96
STRONG = 90  # how much more of its own colour a pixel of an object has; the mean of a picture has less
CLASSES = 3  # class c is bright in channel c of RGB

# Finds them; `random` is whether sizes change.
DETECTOR = """
[net]
width=64
height=64
channels=3
batch=4
subdivisions=2
learning_rate=0.002
max_batches=40
burn_in=3
momentum=0.9
decay=0.0005
hue=.1
saturation=1.5
exposure=1.5
mosaic=1
policy=steps
steps=30
scales=.1
[convolutional]
batch_normalize=1
filters=8
size=3
stride=4
pad=1
activation=mish
[dropout]
probability=.2
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky
[convolutional]
filters=16
size=1
activation=linear
[yolo]
mask=0,1
anchors=20,20, 30,30
classes=3
num=2
jitter=.2
iou_loss=ciou
random={random}
"""


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
