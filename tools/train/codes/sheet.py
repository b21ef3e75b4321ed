"""`make codes-sheet` (`python -m tools.train.codes.sheet`): the first pictures of a seed with their boxes, in one file.

Decision: the sheet is small enough for the repository, and is what the page shows; whoever changes the pictures looks
at it, and writes it anew.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from .scene import Picture, draw_picture

SHEET = Path(__file__).with_name("sheet.webp")
COLUMNS, ROWS, SIDE = 8, 7, 160
SEED = 1
COLOURS = ((40, 40, 230), (40, 170, 40), (230, 100, 20), (0, 160, 240), (220, 40, 220))  # by class, in BGR
MOST = 200_000  # bytes of the file


def sheet(
    seed: int, *, columns: int = COLUMNS, rows: int = ROWS, side: int = SIDE, held_out: bool = False
) -> np.ndarray:
    """The first pictures of a seed with their boxes, (rows * side, columns * side, 3) uint8 in BGR."""
    pictures = [boxed(draw_picture(seed, number, side, held_out=held_out)) for number in range(columns * rows)]
    return np.vstack([np.hstack(pictures[at : at + columns]) for at in range(0, len(pictures), columns)])


def boxed(picture: Picture) -> np.ndarray:
    """A picture with its boxes, each in the colour of its class."""
    image = picture.image.copy()
    size = len(image)
    for cls, x, y, w, h in picture.rows:
        corners = [round(float(side) * size) for side in (x - w / 2, y - h / 2, x + w / 2, y + h / 2)]
        left, top, right, bottom = (min(max(side, 0), size - 1) for side in corners)
        cv2.rectangle(image, (left, top), (right, bottom), COLOURS[int(cls)], 1)
    return image


def encoded(image: np.ndarray, most: int = MOST) -> bytes:
    """A picture as WebP of at most so many bytes."""
    for quality in range(90, 0, -10):
        _, data = cv2.imencode(".webp", image, (cv2.IMWRITE_WEBP_QUALITY, quality))
        if len(data) <= most:
            break
    return bytes(data)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write it, and say where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=SHEET)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--held-out", action="store_true", help="those that are measured on, with other backgrounds")
    given = parser.parse_args(arguments)
    given.out.write_bytes(encoded(sheet(given.seed, held_out=given.held_out)))
    print(given.out)


if __name__ == "__main__":
    main()
