"""Codes at a size, as ink: stretched, of dots, with a logo, and worn as prints are.

Decision: ink knows no colour and no paper, only how much of it there is; its box goes with it as it is scaled.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from .dice import Dice
from .symbols import AZTEC, BARCODE, DATAMATRIX, PDF417, QRCODE, Symbol
from .textures import clouds

DISCS = 12  # pixels of a module that is a dot, before it is scaled
MOST_DISCS = 48  # modules a side of a code that may be of dots


@dataclass(frozen=True, eq=False)
class Inked:
    """A code at its size: `ink` (h, w) uint8 from 0 to 255, and the labelled part of it in pixels."""

    cls: int
    ink: np.ndarray
    box: tuple[int, int, int, int]


def draw_symbol(dice: Dice, symbol: Symbol, long: int) -> Inked:
    """A code whose longer side has so many pixels."""
    rows, columns = symbol.size
    bottom = symbol.box[3]
    if symbol.stretches:
        tall = dice.ratio(0.12, 0.95)
        width, height = (long, max(4, round(long * tall))) if tall <= 1 else (round(long / tall), long)
        tails = 0 if bottom == rows or dice.yes(0.35) else max(1, round(height * dice.between(0.04, 0.14)))
        ink = resized(255 - symbol.modules[:bottom], height, width)
        if tails:
            ink = np.concatenate([ink, resized(255 - symbol.modules[bottom:], tails, width)])
        right = round(width * symbol.box[2] / columns)
        return Inked(symbol.cls, ink, (0, 0, right, height))
    tall = rows / columns * _tallness(dice, symbol)
    width, height = (long, max(3, round(long * tall))) if tall <= 1 else (max(3, round(long / tall)), long)
    dotted = {DATAMATRIX: 0.14, QRCODE: 0.07, AZTEC: 0.02}.get(symbol.cls, 0)
    if dice.yes(dotted) and max(rows, columns) <= MOST_DISCS:
        ink = resized(_dots(dice, 255 - symbol.modules), height, width)
    else:
        ink = resized(255 - symbol.modules, height, width)
    if symbol.kind == "QRCode" and dice.yes(0.08):
        ink = _with_logo(dice, ink)
    left, top, right, below = symbol.box
    box = (
        round(left * width / columns), round(top * height / rows),
        round(right * width / columns), round(below * height / rows),
    )  # fmt: skip
    return Inked(symbol.cls, ink, box)


def _tallness(dice: Dice, symbol: Symbol) -> float:
    """How much taller a code is drawn than its modules say: rows of bars may have any height."""
    if symbol.cls == PDF417:
        return dice.ratio(0.65, 1.7)
    return dice.ratio(0.5, 1.3) if symbol.cls == BARCODE else dice.around(1, 0.04)


def resized(ink: np.ndarray, height: int, width: int) -> np.ndarray:
    """Ink at another size; edges of modules stay sharp where they grow."""
    return cv2.resize(ink, (width, height), interpolation=cv2.INTER_AREA)


def _dots(dice: Dice, ink: np.ndarray) -> np.ndarray:
    """Each dark module a disc, as needles and ink jets make them; finders of QR codes too."""
    disc = np.zeros((DISCS, DISCS), np.uint8)
    middle = (DISCS - 1) / 2
    cv2.circle(disc, (round(middle * 16), round(middle * 16)), round(dice.between(0.36, 0.56) * DISCS * 16), 1, -1,
               shift=4)  # fmt: skip
    return np.kron(ink, disc)


def _with_logo(dice: Dice, ink: np.ndarray) -> np.ndarray:
    height, width = ink.shape
    h, w = int(height * dice.between(0.12, 0.25)), int(width * dice.between(0.12, 0.25))
    ink = ink.copy()
    part = ink[(height - h) // 2 : (height + h) // 2, (width - w) // 2 : (width + w) // 2]
    part[:] = 0
    if min(part.shape) > 8:
        cv2.circle(part, (part.shape[1] // 2, part.shape[0] // 2), min(part.shape) // 3, dice.whole(60, 255), -1)
    return ink


def worn(dice: Dice, ink: np.ndarray) -> np.ndarray:
    """Ink that spread, faded, was scratched, or came from a printer with worn lines."""
    if dice.yes(0.15):
        wide = np.ones((dice.whole(1, 2), dice.whole(1, 2)), np.uint8)
        ink = cv2.dilate(ink, wide) if dice.yes(0.6) else cv2.erode(ink, wide)
    size = max(ink.shape)
    if dice.yes(0.12):
        left = 1 - dice.between(0.2, 0.8) * clouds(dice, size, dice.ratio(0.03, 0.5))[: ink.shape[0], : ink.shape[1]]
        ink = cv2.multiply(ink, left, dtype=cv2.CV_8U)
    if dice.yes(0.06):
        lines = np.ones(ink.shape[dice.below(2)], np.float32)
        lines[(dice.array(dice.whole(1, 5)) * len(lines)).astype(int)] = dice.between(0, 0.6)
        across = lines[:, None] if len(lines) == ink.shape[0] else lines[None]
        ink = (ink * across).astype(np.uint8)
    if dice.yes(0.12):
        ink = _scratched(dice, ink.copy())
    return ink


def _scratched(dice: Dice, ink: np.ndarray) -> np.ndarray:
    height, width = ink.shape
    for _ in range(dice.whole(1, 6)):
        value = dice.of((0, 0, 255))
        x, y = dice.below(width), dice.below(height)
        if dice.yes(0.6):
            end = (int(x + dice.around(0, 0.6) * width), int(y + dice.around(0, 0.6) * height))
            cv2.line(ink, (x, y), end, value, max(1, int(dice.ratio(0.005, 0.04) * width)), cv2.LINE_AA)
        else:
            axes = (int(dice.ratio(0.02, 0.13) * width) + 1, int(dice.ratio(0.02, 0.18) * height) + 1)
            cv2.ellipse(ink, (x, y), axes, dice.between(0, 180), 0, 360, value, -1, cv2.LINE_AA)
    return ink
