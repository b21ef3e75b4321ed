"""A contact sheet of what the network sees: samples of a training as they are learned, with boxes and names.

Decision: the sheet is made by the very loader that feeds the training, from its first samples, so what it shows is what
is learned, at the network's size and after all augmentation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from ....errors import DataError
from ....files import write_whole
from ....vision.draw import draw_boxes, draw_lines
from .loader import Loader, Sample

GAP = 4  # pixels between two pictures
PAPER = 255
MOST = 16_384  # pixels of a side of a sheet: viewers refuse much more
LEAST_SCORE = 0.005  # of a class that is written below this a smoothed label would name all of them


def contact_sheet(loader: Loader, count: int, names: Sequence[str] = ()) -> np.ndarray:
    """The first `count` samples in rows and columns, (h, w, 3) uint8 in BGR.

    Boxes have the names of their classes, or their numbers; a classifier's pictures have their classes and scores.
    """
    if count < 1:
        raise DataError(f"a sheet has at least one picture, not {count}")
    height, width = loader.size
    columns = max(1, round(math.sqrt(count * height / width)))
    columns = min(count, max(columns, -(-count // max(1, MOST // (height + GAP)))))
    if columns * (width + GAP) > MOST:
        raise DataError(f"{count} pictures of {width}x{height} do not fit on a sheet: show fewer")
    rows = -(-count // columns)
    sheet = np.full((rows * (height + GAP) + GAP, columns * (width + GAP) + GAP, 3), PAPER, np.uint8)
    for i in range(count):
        picture = drawn(loader.sample(i), names)
        top, left = GAP + i // columns * (height + GAP), GAP + i % columns * (width + GAP)
        sheet[top : top + height, left : left + width] = picture
    return sheet


def drawn(sample: Sample, names: Sequence[str] = ()) -> np.ndarray:
    """A sample as a picture (h, w, 3) uint8 in BGR, with what it teaches."""
    picture = _pixels(sample.image)
    height, width = picture.shape[:2]
    if sample.scores is not None:
        best = [int(c) for c in np.argsort(-sample.scores, kind="stable")[:4] if sample.scores[c] > LEAST_SCORE]
        lines = draw_lines(picture, [f"{_name(c, names)} {sample.scores[c]:.2f}" for c in best])
        return cv2.resize(lines, (width, height), interpolation=cv2.INTER_AREA)
    assert sample.rows is not None
    centre, half = sample.rows[:, :2], sample.rows[:, 2:4] / 2
    corners = np.hstack([centre - half, centre + half]) * np.array([width, height, width, height], np.float32)
    classes = sample.rows[:, 4].astype(np.int64)
    return draw_boxes(picture, corners, classes, [_name(int(c), names) for c in classes])


def write_sheet(
    loader: Loader, path: str | Path, count: int, names: Sequence[str] = (), *, replace: bool = False
) -> Path:
    """Write a contact sheet in the format of its name (.jpg, .png, ...); its path.

    Raises `DataError` for a format that OpenCV cannot write, or where a file of the user's is in the way.
    """
    path = Path(path)
    sheet = contact_sheet(loader, count, names)
    try:
        fine, data = cv2.imencode(path.suffix, sheet)
    except cv2.error:
        fine = False
    if not fine:
        raise DataError(f"cannot write {path}: OpenCV has no format {path.suffix!r}; use .jpg or .png")
    return write_whole(path, data.tobytes(), replace=replace)


def _name(number: int, names: Sequence[str]) -> str:
    return names[number] if 0 <= number < len(names) else str(number)


def _pixels(image: np.ndarray) -> np.ndarray:
    """Planes (c, h, w) in RGB, 0 to 1, as pixels (h, w, 3) in BGR; alpha is left out."""
    planes = np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
    pixels = np.stack([planes[0]] * 3, -1) if len(planes) < 3 else planes[2::-1].transpose(1, 2, 0)
    return np.ascontiguousarray(pixels)
