"""Boxes on pictures: line width and text scaled to the picture, one colour a class, labels that stay readable.

Decision: nothing to configure. ASCII is drawn by OpenCV, other letters by `lettering`. Colours come from the class
number, so a class looks the same in every picture; neighbouring numbers are far apart on the colour circle.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np

from ..errors import DataError
from ..files import write_whole
from .lettering import Text, written

FONT = cv2.FONT_HERSHEY_SIMPLEX
FONT_HEIGHT = 21.0  # pixels of a capital letter of FONT at scale 1
GOLDEN_ANGLE = 0.38196601125  # of a turn: successive multiples never come close to each other
TONES = ((200, 220), (255, 160), (140, 250))  # saturation and value; classes of a like hue differ in these
COUNTED = 3  # the class number whose colour the first line or zone has
TINT = 0.2  # how much of a zone's colour covers the picture
REMEMBERED = 1024  # colours and sizes of texts: the next frame of a video has nearly the same
DARK, LIGHT = (24, 24, 24), (255, 255, 255)

Colour = tuple[int, int, int]
Rectangle = tuple[int, int, int, int]  # left, top, right, bottom


def write_picture(
    path: str | Path, pixels: np.ndarray, *, replace: bool = False, sources: Iterable[str | Path] = ()
) -> Path:
    """Write pixels (BGR or grey uint8) in the format of the suffix; folders are made. The path.

    Raises `DataError` for a suffix that OpenCV has no format for, and what `write_whole` does, with its options.
    """
    path = Path(path)
    try:
        fine, data = cv2.imencode(path.suffix, pixels)
    except cv2.error:
        fine = False
    if not fine:
        raise DataError(f"cannot write a picture as {path.name!r}: use a suffix such as .jpg or .png")
    return write_whole(path, data.tobytes(), replace=replace, sources=sources)


@lru_cache(REMEMBERED)
def class_colour(index: int) -> Colour:
    """The BGR colour of a class."""
    hue = (0.58 + index * GOLDEN_ANGLE) % 1.0
    saturation, value = TONES[index // 5 % 3]
    pixel = np.array([[[hue * 180, saturation, value]]], np.uint8)
    b, g, r = (int(v) for v in cv2.cvtColor(pixel, cv2.COLOR_HSV2BGR)[0, 0])
    return b, g, r


def draw_boxes(
    picture: np.ndarray, xyxy: np.ndarray, classes: np.ndarray, labels: Sequence[str],
    colours: Sequence[Colour] | None = None,
) -> np.ndarray:  # fmt: skip
    """A copy of `picture` (BGR or grey uint8) with boxes (n, 4 corners in pixels) and labels, first ones on top.

    `colours` are BGR, one a box; without them each class has its own.
    """
    canvas = _to_bgr(picture)
    width = line_width(canvas)
    corners = [_corners(box, canvas) for box in xyxy]
    colours = colours or [class_colour(int(c)) for c in classes]
    for (left, top, right, bottom), colour in list(zip(corners, colours, strict=True))[::-1]:
        cv2.rectangle(canvas, (left, top), (right, bottom), colour, width, cv2.LINE_AA)
    taken: list[Rectangle] = []
    for box, label in zip(corners, labels, strict=True):
        taken.append(_label_place(label, box, canvas, width, taken))
    for place, label, colour in list(zip(taken, labels, colours, strict=True))[::-1]:
        _tag(canvas, label, place[:2], colour, width)
    return canvas


def draw_shapes(picture: np.ndarray, shapes: Sequence[np.ndarray]) -> np.ndarray:
    """A copy of `picture` with lines and zones, each as points (n, 2) in pixels: two points are a line.

    The arrow on a line shows what way is forward, and a zone is tinted.
    """
    canvas = _to_bgr(picture)
    width = line_width(canvas)
    tinted = canvas.copy()
    outlines = [points.round().astype(np.int32) for points in shapes]
    for k, outline in enumerate(outlines):
        if len(outline) > 2:
            cv2.fillPoly(tinted, [outline], class_colour(k + COUNTED))
    canvas = cv2.addWeighted(tinted, TINT, canvas, 1 - TINT, 0)
    for k, outline in enumerate(outlines):
        colour = class_colour(k + COUNTED)
        cv2.polylines(canvas, [outline], len(outline) > 2, colour, width, cv2.LINE_AA)
        if len(outline) == 2:
            _forward(canvas, shapes[k], colour, width)
    return canvas


def write_on_shapes(canvas: np.ndarray, shapes: Sequence[np.ndarray], texts: Sequence[str]) -> None:
    """Write a text into the middle of each line or zone, as near as it fits into the picture."""
    width = line_width(canvas)
    for k, (points, text) in enumerate(zip(shapes, texts, strict=True)):
        text_width, _, height = _text_size(text, width)
        corner = points.mean(axis=0) - (text_width / 2, height / 2)
        corner = np.clip(corner, 0, np.maximum(0, (canvas.shape[1] - text_width, canvas.shape[0] - height)))
        _tag(canvas, text, (round(float(corner[0])), round(float(corner[1]))), class_colour(k + COUNTED), width)


def _forward(canvas: np.ndarray, points: np.ndarray, colour: Colour, width: int) -> None:
    """An arrow from a quarter of a line to its right, as somebody sees it who walks along it."""
    (dx, dy), start = points[1] - points[0], points[0] * 0.75 + points[1] * 0.25
    tip = start + np.array((-dy, dx)) / np.hypot(dx, dy) * 12 * width
    ends = [tuple(int(v) for v in end.round()) for end in (start, tip)]
    cv2.arrowedLine(canvas, ends[0], ends[1], colour, width, cv2.LINE_AA, tipLength=0.4)


def draw_lines(picture: np.ndarray, lines: Sequence[str]) -> np.ndarray:
    """A copy of `picture` with lines of text in its upper left corner; a small picture is enlarged so that they fit."""
    canvas = _to_bgr(picture)
    enlarge = -(-320 // max(1, min(canvas.shape[:2])))
    if enlarge > 1:
        canvas = cv2.resize(canvas, None, fx=enlarge, fy=enlarge, interpolation=cv2.INTER_NEAREST)
    width = line_width(canvas)
    top = 0
    for i, line in enumerate(lines):
        _tag(canvas, line, (0, top), class_colour(i), width)
        top += max(_text_size(text, width)[2] for text in ("Ag", line))
    return canvas


def line_width(canvas: np.ndarray) -> int:
    """Pixels of a box's line: 2 for small pictures, about 1/300 of the mean side for large ones."""
    return max(2, round((canvas.shape[0] + canvas.shape[1]) / 2 * 0.0032))


def _to_bgr(picture: np.ndarray) -> np.ndarray:
    if picture.ndim == 2 or picture.shape[2] == 1:
        return cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR)
    return np.ascontiguousarray(picture[:, :, :3]).copy()


def _corners(box: np.ndarray, canvas: np.ndarray) -> Rectangle:
    """Left, top, right and bottom as whole pixels inside the picture."""
    h, w = canvas.shape[:2]
    limits = np.array([w - 1, h - 1, w - 1, h - 1])
    left, top, right, bottom = np.clip(np.nan_to_num(box), 0, limits).round().astype(int).tolist()
    return left, top, right, bottom


def _label_place(text: str, box: Rectangle, canvas: np.ndarray, width: int, taken: list[Rectangle]) -> Rectangle:
    """Where a label goes: on its box, inside it, at its foot or below, the first that is free and in the picture."""
    text_width, _, height = _text_size(text, width)
    left, top, _, bottom = box
    x = max(0, min(left - width // 2, canvas.shape[1] - text_width))
    rows = [top - height, top, bottom - height, bottom]
    places = [(x, y, x + text_width, y + height) for y in rows if 0 <= y <= canvas.shape[0] - height]
    free = (p for p in places if not any(_overlap(p, t) for t in taken))
    return next(free, places[0] if places else (x, 0, x + text_width, height))


def _overlap(a: Rectangle, b: Rectangle) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _tag(canvas: np.ndarray, text: str, corner: tuple[int, int], colour: Colour, width: int) -> None:
    """Text on a filled background whose upper left is `corner`."""
    text_width, baseline, height = _text_size(text, width)
    x, y = corner
    cv2.rectangle(canvas, corner, (x + text_width - 1, y + height - 1), colour, cv2.FILLED)
    luminance = 0.114 * colour[0] + 0.587 * colour[1] + 0.299 * colour[2]
    ink = DARK if luminance > 140 else LIGHT
    if letters := written(text, _capital(width)):
        _ink(canvas, letters, (x + _margin(width), y + _margin(width)), ink)
        return
    at = (x + _margin(width), y + height - _margin(width) - baseline // 2)
    cv2.putText(canvas, _ascii(text), at, FONT, _scale(width), ink, _stroke(width), cv2.LINE_AA)


def _ink(canvas: np.ndarray, text: Text, corner: tuple[int, int], colour: Colour) -> None:
    """Letters into the canvas, as far as they are in it."""
    x, y = corner
    place = canvas[max(0, y) : y + text.ink.shape[0], max(0, x) : x + text.ink.shape[1]]
    if not place.size:
        return
    ink = text.ink[max(0, -y) :, max(0, -x) :][: place.shape[0], : place.shape[1], None] / 255
    place[:] = np.round(place * (1 - ink) + np.array(colour) * ink)


@lru_cache(REMEMBERED)
def _text_size(text: str, width: int) -> tuple[int, int, int]:
    """Width of the background, baseline of the text, height of the background."""
    if letters := written(text, _capital(width)):
        h, w = letters.ink.shape
        return w + 2 * _margin(width), h - letters.ascent, h + 2 * _margin(width)
    (w, h), baseline = cv2.getTextSize(_ascii(text), FONT, _scale(width), _stroke(width))
    return w + 2 * _margin(width), baseline, h + baseline // 2 + 2 * _margin(width)


def _capital(width: int) -> int:
    """The height of capital letters in pixels."""
    return 6 + 3 * width


def _scale(width: int) -> float:
    return _capital(width) / FONT_HEIGHT


def _stroke(width: int) -> int:
    return max(1, width // 2)


def _margin(width: int) -> int:
    return width + 2


def _ascii(text: str) -> str:
    """The text in the letters that OpenCV's fonts have."""
    return text.encode("ascii", "replace").decode()
