"""Drawn letters and digits: pictures of one glyph to classify, and pictures of several digits to find.

Decision: the fonts are those that come with Matplotlib, so that everybody draws the same, and everything about a
picture is a function of (seed, its number, level). A glyph is drawn once, large, and turned and sheared into its place
by one transformation, of whose corners the box is the hull.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from darknet_py import files

FONTS = (
    "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DejaVuSans-Oblique.ttf", "DejaVuSerif.ttf", "DejaVuSerif-Bold.ttf",
    "DejaVuSerif-Italic.ttf", "DejaVuSansMono.ttf", "DejaVuSansMono-Bold.ttf", "DejaVuSansMono-Oblique.ttf",
    "STIXGeneral.ttf", "STIXGeneralBol.ttf", "STIXGeneralItalic.ttf", "cmr10.ttf", "cmss10.ttf", "cmtt10.ttf",
)  # fmt: skip
DIGITS = "0123456789"
CLASSES = "ABCDEFGHIJKLMNOPQRSTUVWXYZ" + DIGITS
LARGE = 96  # pixels of a glyph before it is put somewhere
SIDE = 64  # of a picture of one glyph
SCENE = 160  # of a picture of several
LEAST, MOST, OBJECTS = 10, 110, 6  # pixels of the larger side of a digit in a scene, and how many at most
OVERLAP = 0.1  # of the smaller of two boxes at most


@dataclass(frozen=True)
class Level:
    """How hard: the deviation of the noise (of 255), strokes and scraps of clutter, and the least contrast (of 255)."""

    noise: float
    clutter: int
    contrast: int


LEVELS = (Level(10, 2, 90), Level(25, 5, 60), Level(40, 9, 40), Level(55, 14, 30))
SCENE_LEVEL = LEVELS[0]


@cache
def ink(font: int, text: str) -> np.ndarray:
    """A glyph in a font, cut to its ink: (h, w) float32 from 0 to 1, its larger side about LARGE pixels."""
    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / FONTS[font]
    face = ImageFont.truetype(str(path), LARGE)
    image = Image.new("L", (2 * LARGE, 2 * LARGE))
    ImageDraw.Draw(image).text((LARGE // 2, LARGE // 4), text, 255, font=face)
    pixels = np.asarray(image, np.float32) / 255
    rows, columns = (np.flatnonzero(pixels.max(axis) > 0) for axis in (1, 0))
    return pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def glyph_picture(seed: int, number: int, level: Level) -> tuple[np.ndarray, int]:
    """Picture `number` of a seed, (SIDE, SIDE, 3) uint8, and its class: they take turns."""
    chance = np.random.default_rng((seed, number))
    which = number % len(CLASSES)
    pixels = _ground(chance, SIDE, level)
    length = chance.uniform(0.5, 0.85) * SIDE
    _place(pixels, chance, CLASSES[which], length, SIDE / 2 + chance.uniform(-6, 6, 2), level)
    return _finished(pixels, chance, level), which


def scene(seed: int, number: int, level: Level = SCENE_LEVEL) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """Picture `number` of a seed, (SCENE, SCENE, 3) uint8, and its digits with boxes (left, top, right, bottom)."""
    chance = np.random.default_rng((seed, number))
    pixels = _ground(chance, SCENE, level)
    found: list[tuple[int, np.ndarray]] = []
    for _ in range(chance.integers(1, OBJECTS + 1)):
        which = int(chance.integers(len(DIGITS)))
        length = float(np.exp(chance.uniform(np.log(LEAST), np.log(MOST))))
        centre = chance.uniform(length / 2, SCENE - length / 2, 2)
        turn = _turn(chance, which, length, centre)
        if _inside(turn.box) and all(_overlap(turn.box, box) <= OVERLAP for _, box in found):
            _paint(pixels, chance, turn, level)
            found.append((which, turn.box))
    return _finished(pixels, chance, level), found


# -- drawing -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Turn:
    """A glyph, and how it is turned into a picture: a matrix (2, 3); its box there."""

    ink: np.ndarray
    matrix: np.ndarray
    box: np.ndarray


def _turn(chance: np.random.Generator, text: str | int, length: float, centre: np.ndarray) -> _Turn:
    shape = ink(int(chance.integers(len(FONTS))), str(text))
    height, width = shape.shape
    angle, shear = np.radians(chance.uniform(-18, 18)), chance.uniform(-0.25, 0.25)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([(cos, -sin), (sin, cos)]) @ np.array([(chance.uniform(0.8, 1.2), shear), (0, 1)])
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)]) - np.array([width, height]) / 2
    linear = linear * length / np.ptp(corners @ linear.T, axis=0).max()
    offset = centre - linear @ np.array([width, height]) / 2
    placed = corners @ linear.T + centre
    return _Turn(shape, np.column_stack([linear, offset]), np.concatenate([placed.min(0), placed.max(0)]))


def _place(
    pixels: np.ndarray, chance: np.random.Generator, text: str, length: float, centre: np.ndarray, level: Level
) -> None:
    _paint(pixels, chance, _turn(chance, text, length, centre), level)


def _paint(pixels: np.ndarray, chance: np.random.Generator, turn: _Turn, level: Level) -> None:
    """Cover the picture with a glyph in a colour that is as far from what is there as the level says."""
    size = pixels.shape[1], pixels.shape[0]
    cover = cv2.warpAffine(turn.ink, turn.matrix, size, flags=cv2.INTER_AREA)[..., None]
    there = float((pixels * cover).sum() / max(3 * cover.sum(), 1))
    step = chance.uniform(level.contrast, level.contrast + 60)
    bright = there + step if there < 128 else there - step
    colour = np.clip(bright + chance.uniform(-25, 25, 3), 0, 255)
    pixels += cover * (colour - pixels)


def _ground(chance: np.random.Generator, side: int, level: Level) -> np.ndarray:
    """Clouds of colour with strokes and scraps of letters: (side, side, 3) float32."""
    clouds = chance.uniform(30, 225, (*chance.integers(2, 6, 2), 1)) + chance.uniform(-30, 30, (1, 1, 3))
    pixels = cv2.resize(clouds.astype(np.float32), (side, side), interpolation=cv2.INTER_LINEAR)
    for _ in range(level.clutter):
        a, b = (tuple(int(v) for v in chance.integers(0, side, 2)) for _ in range(2))
        cv2.line(pixels, a, b, chance.uniform(0, 255, 3).tolist(), int(chance.integers(1, 3)), cv2.LINE_AA)
    return pixels


def _finished(pixels: np.ndarray, chance: np.random.Generator, level: Level) -> np.ndarray:
    blurred = cv2.GaussianBlur(pixels, (0, 0), chance.uniform(0.3, 1.0))
    return np.clip(blurred + chance.normal(0, level.noise, blurred.shape), 0, 255).astype(np.uint8)


def _inside(box: np.ndarray) -> bool:
    return bool((box >= 0).all() and (box <= SCENE).all())


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """The part of the smaller box that lies in the other one."""
    sides = np.maximum(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0)
    return float(sides.prod() / min((a[2:] - a[:2]).prod(), (b[2:] - b[:2]).prod()))


# -- data sets ---------------------------------------------------------------------------------------------------

LEARNED, UNSEEN = 11, 12  # seeds


def write_glyphs(folder: Path, learned: int, unseen: int, level: Level) -> Path:
    """A data set of single glyphs; its .data file."""
    lists = {}
    for name, count, seed in (("train", learned, LEARNED), ("valid", unseen, UNSEEN)):
        paths = []
        for i in range(count):
            pixels, which = glyph_picture(seed, i, level)
            paths.append(_written(folder / name / f"glyph_{CLASSES[which]}" / f"{i:05}.png", pixels))
        lists[name] = paths
    labels = [f"glyph_{c}" for c in CLASSES]
    return _data_file(folder, lists, labels, {"labels": "labels.list"})


def write_scenes(folder: Path, learned: int, unseen: int) -> Path:
    """A data set of digits to find, with labels beside the pictures; its .data file."""
    lists = {}
    for name, count, seed in (("train", learned, LEARNED), ("valid", unseen, UNSEEN)):
        paths = []
        for i in range(count):
            pixels, found = scene(seed, i)
            path = _written(folder / name / f"{i:05}.png", pixels)
            files.write_whole(path.with_suffix(".txt"), _labels(found).encode(), replace=True)
            paths.append(path)
        lists[name] = paths
    return _data_file(folder, lists, list(DIGITS), {"names": "labels.list"})


def _labels(found: Sequence[tuple[int, np.ndarray]]) -> str:
    """Darknet's lines: the class, and the box as centre and size in parts of the picture."""
    lines = []
    for which, box in found:
        left, top, right, bottom = box / SCENE
        numbers = ((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)
        lines.append(f"{which} {' '.join(f'{n:.6f}' for n in numbers)}\n")
    return "".join(lines)


def _written(path: Path, pixels: np.ndarray) -> Path:
    done, data = cv2.imencode(".png", pixels)
    assert done, "OpenCV encodes PNG"
    return files.write_whole(path, data.tobytes(), replace=True).resolve()


def _data_file(folder: Path, lists: dict[str, list[Path]], labels: Sequence[str], named: dict[str, str]) -> Path:
    for name, paths in lists.items():
        files.write_whole(folder / f"{name}.list", "".join(f"{p}\n" for p in paths).encode(), replace=True)
    files.write_whole(folder / "labels.list", "".join(f"{label}\n" for label in labels).encode(), replace=True)
    options = {"classes": str(len(labels)), "train": "train.list", "valid": "valid.list", **named}
    lines = [f"{k}={v if k == 'classes' else (folder / v).resolve()}\n" for k, v in options.items()]
    return files.write_whole(folder / "claims.data", "".join(lines).encode(), replace=True)
