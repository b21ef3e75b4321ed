"""The objects of a picture as heads learn them: rows of x, y, w, h, class and track, moved with the picture's pixels.

Decision: arithmetic in float32 and in Darknet's order, dropping rules included (data.c correct_boxes,
fill_truth_detection), because a box at the edge of a rule is learned or is not.
"""

from __future__ import annotations

import numpy as np

from ....vision.labels import Labels
from .geometry import Excerpt, Size

ROW = 6  # numbers of an object: x, y, w, h (centre, in parts of the picture), class, track
TRACKS = 4000  # of one picture at most, and pictures that are told apart (data.c read_boxes: max_obj_img)
LEAST = np.float32(0.001)  # sides of a box that [detection] learns (data.c fill_truth_region)


def rows_of(labels: Labels, file: str) -> np.ndarray:
    """Labels as rows (n, 6) float32. Objects that are marked as difficult are none.

    A track is the number of a line, and a number of the file: objects of two pictures are never the same.
    """
    kept = ~labels.difficult
    tracks = np.arange(len(labels)) + _hash(file) % TRACKS * TRACKS
    rows = np.column_stack([labels.boxes, labels.cls, tracks]).astype(np.float32).reshape(-1, ROW)
    return rows[kept]


def _hash(text: str) -> int:
    """Bernstein's hash (utils.c custom_hash)."""
    value = 5381
    for byte in text.encode("utf-8", "surrogateescape"):
        value = (value * 33 + byte) & 0xFFFFFFFFFFFFFFFF
    return value


def place(
    rows: np.ndarray, excerpt: Excerpt, picture: Size, net: Size, *, flip: bool, classes: int, slots: int
) -> np.ndarray:
    """The rows (m, 6) of the objects that an excerpt shows, relative to the network's input, m up to `slots`.

    Only the first `slots` of `rows` are looked at; those that were dropped leave their place empty, as in Darknet.
    """
    left, top, right, bottom = _moved(rows, excerpt, picture)
    if flip:
        left, right = np.float32(1) - right, np.float32(1) - left
    left, top, right, bottom = (np.clip(side, 0, 1) for side in (left, top, right, bottom))
    moved = np.stack([(left + right) / 2, (top + bottom) / 2, right - left, bottom - top, rows[:, 4], rows[:, 5]], 1)
    moved = moved.astype(np.float32)
    kept = _is_there(rows) & (moved[:, 4] < classes)
    kept &= (moved[:, 2] >= np.float32(1) / np.float32(net[1])) & (moved[:, 3] >= np.float32(1) / np.float32(net[0]))
    kept &= (moved[:, :2] > 0).all(1) & (moved[:, :2] <= 1).all(1)
    kept[slots:] = False
    return moved[kept]


def _is_there(rows: np.ndarray) -> np.ndarray:
    """Whether an object is in its picture at all: one at 0, 0 is none."""
    centre, half = rows[:, :2], rows[:, 2:4] / 2
    inside = ((centre + half >= 0) & (centre - half <= 1)).all(1)
    return inside & (centre != 0).any(1)


def _moved(rows: np.ndarray, excerpt: Excerpt, picture: Size) -> tuple[np.ndarray, ...]:
    """Left, top, right and bottom in parts of the excerpt."""
    height, width = map(np.float32, picture)
    shown = excerpt.size(picture)
    scale_x, scale_y = np.float32(shown[1]) / width, np.float32(shown[0]) / height
    dx, dy = np.float32(excerpt.left) / width / scale_x, np.float32(excerpt.top) / height / scale_y
    grow_x, grow_y = np.float32(1 / float(scale_x)), np.float32(1 / float(scale_y))
    x, y, w, h = rows[:, :4].T
    return (
        (x - w / 2) * grow_x - dx, (y - h / 2) * grow_y - dy,
        (x + w / 2) * grow_x - dx, (y + h / 2) * grow_y - dy,
    )  # fmt: skip


def smallest_side(rows: np.ndarray, net: Size) -> int:
    """Whole pixels of the smallest side of placed boxes; 0 where there are none (data.c: min_w_h)."""
    if not len(rows):
        return 0
    return int((rows[:, 2:4] * np.array([net[1], net[0]], np.float32)).astype(np.int64).min())


def filled(rows: np.ndarray, slots: int) -> np.ndarray:
    """Rows as a head takes them: (slots, 6) float32, the first one with x == 0 ends them."""
    truth = np.zeros((slots, ROW), np.float32)
    count = min(len(rows), slots)
    truth[:count] = rows[:count]
    return truth


def grid_truth(rows: np.ndarray, side: int, classes: int) -> np.ndarray:
    """Rows as [detection] takes them: (side * side * (5 + classes),) float32 (data.c fill_truth_region).

    A cell has a flag, its class as one of `classes` numbers, and the first box whose centre is in it: the centre in
    parts of the cell, and the size in parts of the picture.
    """
    truth = np.zeros((side, side, 5 + classes), np.float32)
    for x, y, w, h, number, _ in rows:
        if w < LEAST or h < LEAST:
            continue
        column, row = min(int(x * side), side - 1), min(int(y * side), side - 1)
        cell = truth[row, column]
        if cell[0]:
            continue
        cell[0] = 1
        if 0 <= number < classes:
            cell[1 + int(number)] = 1
        cell[1 + classes :] = x * side - column, y * side - row, w, h
    return truth.reshape(-1)
