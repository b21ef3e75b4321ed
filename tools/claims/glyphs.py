"""Drawn pictures: of one letter or digit to classify, and of several codes (barcodes, QR codes, …) to find.

Decision: the fonts are those that come with Matplotlib, so that everybody draws the same, and everything about a
picture is a function of (seed, its number, level). A glyph or a code is drawn once, large, and turned and sheared into
its place by one transformation, of whose corners the box is the hull. Codes are those of `tools.train.codes`, without
its papers, surfaces and camera: networks that learn for minutes would find next to none of its own pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from darknet_py import files
from darknet_py.vision.draw import write_picture
from tools.networks.codes import NAMES
from tools.train.codes.dice import Dice
from tools.train.codes.symbols import Symbol, roll_symbol
from tools.train.labelled import label_row, overlap, write_labelled

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
LEAST, MOST, OBJECTS = 16, 100, 9  # pixels of the larger side of a code in a scene, and how many tries
FINEST = 1.2  # pixels of a module in a scene, at least: finer ones are grey
FINE = 4  # times as fine codes are drawn, before they are reduced
BARS = 0.25, 0.8  # the height of bars to their width
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
    centre = SIDE / 2 + chance.uniform(-6, 6, 2)
    shape = ink(int(chance.integers(len(FONTS))), CLASSES[which])
    _paint(pixels, chance, _turn(chance, shape, length, centre), level)
    return _finished(pixels, chance, level), which


def scene(seed: int, number: int, level: Level = SCENE_LEVEL) -> tuple[np.ndarray, list[tuple[int, np.ndarray]]]:
    """Picture `number` of a seed, (SCENE, SCENE, 3) uint8, and its codes with boxes (left, top, right, bottom)."""
    chance = np.random.default_rng((seed, number))
    pixels = _ground(chance, SCENE, level)
    found: list[tuple[int, np.ndarray]] = []
    for place in range(chance.integers(1, OBJECTS + 1)):
        which = int(chance.integers(len(NAMES)))
        length = float(np.exp(chance.uniform(np.log(LEAST), np.log(MOST))))
        shape = code_ink(roll_symbol(Dice(seed, number, place), which, most=int(length / FINEST)), chance)
        length = min(max(length, FINEST * max(shape.shape)), SCENE)
        turn = _turn(chance, shape, length, chance.uniform(length / 2, SCENE - length / 2, 2))
        if _inside(turn.box) and all(overlap(turn.box, box) <= OVERLAP for _, box in found):
            _paint(pixels, chance, turn, level, fine=FINE)
            found.append((which, turn.box))
    return _finished(pixels, chance, level), found


def code_ink(symbol: Symbol, chance: np.random.Generator) -> np.ndarray:
    """A code, cut to what its box is about: (h, w) float32, 0 or 1, a pixel a module; bars are of any height."""
    left, top, right, bottom = symbol.box
    dark = 1 - symbol.modules[top:bottom, left:right].astype(np.float32) / 255
    tall = round(chance.uniform(*BARS) * dark.shape[1])
    return np.repeat(dark[:1], tall, axis=0) if symbol.stretches else dark


# -- drawing -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Turn:
    """The ink of a glyph or a code, and how it is turned into a picture: a matrix (2, 3); its box there."""

    ink: np.ndarray
    matrix: np.ndarray
    box: np.ndarray


def _turn(chance: np.random.Generator, shape: np.ndarray, length: float, centre: np.ndarray) -> _Turn:
    height, width = shape.shape
    angle, shear = np.radians(chance.uniform(-18, 18)), chance.uniform(-0.25, 0.25)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.array([(cos, -sin), (sin, cos)]) @ np.array([(chance.uniform(0.8, 1.2), shear), (0, 1)])
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)]) - np.array([width, height]) / 2
    linear = linear * length / np.ptp(corners @ linear.T, axis=0).max()
    offset = centre - linear @ np.array([width, height]) / 2
    placed = corners @ linear.T + centre
    return _Turn(shape, np.column_stack([linear, offset]), np.concatenate([placed.min(0), placed.max(0)]))


def _paint(pixels: np.ndarray, chance: np.random.Generator, turn: _Turn, level: Level, *, fine: int = 1) -> None:
    """Cover the picture with ink in a colour that is as far from what is there as the level says."""
    cover = _cover(turn, (pixels.shape[1], pixels.shape[0]), fine)
    there = float((pixels * cover).sum() / max(3 * cover.sum(), 1))
    step = chance.uniform(level.contrast, level.contrast + 60)
    bright = there + step if there < 128 else there - step
    colour = np.clip(bright + chance.uniform(-25, 25, 3), 0, 255)
    pixels += cover * (colour - pixels)


def _cover(turn: _Turn, size: tuple[int, int], fine: int) -> np.ndarray:
    """How much of each pixel ink covers, (h, w, 1), where it lies `fine` times as fine."""
    if fine == 1:
        return cv2.warpAffine(turn.ink, turn.matrix, size, flags=cv2.INTER_AREA)[..., None]
    matrix = fine * turn.matrix + np.array([[0, 0, (fine - 1) / 2]])
    large = cv2.warpAffine(turn.ink, matrix, (fine * size[0], fine * size[1]), flags=cv2.INTER_NEAREST)
    return cv2.resize(large, size, interpolation=cv2.INTER_AREA)[..., None]


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


# -- data sets ---------------------------------------------------------------------------------------------------

LEARNED, UNSEEN = 11, 12  # seeds


def write_glyphs(folder: Path, learned: int, unseen: int, level: Level) -> Path:
    """A data set of single glyphs; its .data file."""

    def write(part: Path, seed: int, number: int) -> Path:
        pixels, which = glyph_picture(seed, number, level)
        return write_picture(part / f"glyph_{CLASSES[which]}" / f"{number:05}.png", pixels, replace=True)

    return _data_set(folder, learned, unseen, write, [f"glyph_{c}" for c in CLASSES], "labels")


def write_scenes(folder: Path, learned: int, unseen: int) -> Path:
    """A data set of codes to find, with labels beside the pictures; its .data file."""

    def write(part: Path, seed: int, number: int) -> Path:
        pixels, found = scene(seed, number)
        rows = [label_row(which, box, (SCENE, SCENE)) for which, box in found]
        return write_labelled(part / f"{number:05}.png", pixels, rows, replace=True)

    return _data_set(folder, learned, unseen, write, NAMES, "names")


def _data_set(
    folder: Path, learned: int, unseen: int, write: Callable[[Path, int, int], Path], labels: Sequence[str], key: str
) -> Path:
    """Pictures to learn and others, written by seed and number into folders; the .data file, whose `key` are labels."""
    for name, count, seed in (("train", learned, LEARNED), ("valid", unseen, UNSEEN)):
        _write_list(folder / f"{name}.list", [write(folder / name, seed, number).resolve() for number in range(count)])
    _write_list(folder / "labels.list", labels)
    lists = {"train": "train.list", "valid": "valid.list", key: "labels.list"}
    lines = [f"classes={len(labels)}", *(f"{k}={(folder / v).resolve()}" for k, v in lists.items())]
    return _write_list(folder / "claims.data", lines)


def _write_list(path: Path, lines: Iterable[object]) -> Path:
    return files.write_whole(path, "".join(f"{line}\n" for line in lines).encode(), replace=True)
