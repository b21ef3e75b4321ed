"""Drawn pictures with their labels beside them, as every data set that is drawn here has them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from darknet_py import files
from darknet_py.vision.draw import write_picture


def write_labelled(path: Path, pixels: np.ndarray, rows: Iterable[Sequence[float]], *, replace: bool = False) -> Path:
    """Write a picture (BGR uint8), and `rows` of class, centre and size beside it; the path of the picture."""
    files.write_whole(path.with_suffix(".txt"), label_lines(rows).encode(), replace=replace)
    return write_picture(path, pixels, replace=replace)


def label_lines(rows: Iterable[Sequence[float]]) -> str:
    r"""Darknet's lines: the class, and the box as centre and size in parts of the picture.

    >>> label_lines([label_row(2, np.array([0, 0, 5, 10]), (10, 20))])
    '2 0.125000 0.500000 0.250000 1.000000\n'
    """
    return "".join(f"{int(cls)} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n" for cls, x, y, w, h in rows)


def label_row(cls: int, box: np.ndarray, size: tuple[int, int]) -> tuple[float, ...]:
    """Class, centre and size in parts of a picture (height, width), of left, top, right and bottom in pixels."""
    height, width = size
    left, top, right, bottom = box / (width, height, width, height)
    return cls, (left + right) / 2, (top + bottom) / 2, right - left, bottom - top


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    """The part of the smaller of two boxes (left, top, right, bottom) that lies in the other one.

    >>> overlap(np.array([0, 0, 4, 4]), np.array([2, 0, 4, 8]))
    0.5
    """
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    return float(sides.prod() / min((a[2:] - a[:2]).prod(), (b[2:] - b[:2]).prod()))
