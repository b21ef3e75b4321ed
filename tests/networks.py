"""Small networks on disk with answers that can be worked out by hand, for tests of what is around the compiler.

The detector has cells of 8x8 pixels and finds one 16x16 box around the centre of each bright red or blue cell.
The classifier's classes are the mean red, green and blue of a picture.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import Header, Weights, random_weights, write_weights

# The last two layers of a detector of two classes.
HEAD = """[convolutional]
filters=7
size=1
activation=linear
[yolo]
classes=2
num=1
mask=0
anchors=16,16
"""

DETECTOR = f"""
[net]
width=32
height=32
channels=3
[maxpool]
size=8
stride=8
padding=0
{HEAD}"""

CLASSIFIER = """
[net]
width=4
height=4
channels=3
[avgpool]
[softmax]
"""

RECURRENT = """
[net]
width=2
height=2
channels=3
[rnn]
hidden=4
output=3
[softmax]
"""

NAMES = ("red", "blue")

# Rows: x, y, w, h, objectness, red, blue; columns: R, G, B.
_WEIGHTS = np.array([[0] * 3] * 4 + [[20, 0, 20], [20, 0, -20], [-20, 0, 20]], np.float32)
_BIASES = np.array([0, 0, 0, 0, -10, 0, 0], np.float32)


def write_detector(folder: Path, name: str = "net", *, names: bool = True) -> Path:
    """The detector's cfg, with weights and names beside it."""
    cfg = folder / f"{name}.cfg"
    cfg.write_text(DETECTOR)
    graph = compile_file(cfg).check().graph
    biases, weights = graph.params
    arrays = {biases.value: _BIASES, weights.value: _WEIGHTS.reshape(weights.value.shape)}
    write_weights(cfg.with_suffix(".weights"), graph, Weights(Header(), arrays))
    if names:
        cfg.with_suffix(".names").write_text("\n".join(NAMES) + "\n")
    return cfg


def write_classifier(folder: Path) -> Path:
    """The classifier's cfg, which needs no weights."""
    cfg = folder / "colour.cfg"
    cfg.write_text(CLASSIFIER)
    (folder / "colour.names").write_text("red\ngreen\nblue\n")
    return cfg


def write_recurrent(folder: Path) -> Path:
    """A recurrent network with seeded random weights."""
    cfg = folder / "memory.cfg"
    cfg.write_text(RECURRENT)
    graph = compile_file(cfg).check().graph
    write_weights(cfg.with_suffix(".weights"), graph, random_weights(graph, 1))
    return cfg


def write_photos(folder: Path, count: int = 8) -> Path:
    """A new folder of pictures of one lit cell each, in turn red and blue: 0.png, 1.png, …, at most 16."""
    folder.mkdir()
    for i in range(count):
        cv2.imwrite(str(folder / f"{i}.png"), picture((i % 4, i // 4, ("red", "blue")[i % 2])))
    return folder


def picture(*cells: tuple[int, int, str], size: int = 32) -> np.ndarray:
    """A black BGR picture with cells (row, column, 'red' or 'blue') lit."""
    pixels = np.zeros((size, size, 3), np.uint8)
    for row, column, colour in cells:
        pixels[row * 8 : row * 8 + 8, column * 8 : column * 8 + 8, {"blue": 0, "red": 2}[colour]] = 255
    return pixels
