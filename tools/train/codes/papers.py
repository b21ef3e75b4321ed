"""Prints: labels, packages, pages and screens with codes on them, flat, and where on them the codes are.

Decision: a print is drawn at about the fineness that it will be seen with, and knows nothing of the picture that it
gets into. Its fourth channel is what covers: all of a label, only the ink where a code is printed on the thing itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import letters
from .backgrounds import under
from .dice import Dice
from .inks import Inked, draw_symbol, worn
from .symbols import BARCODE, roll_symbol
from .textures import grain, mapped

EDGE = 3  # pixels around a print that cover nothing, so that its edge is smooth


@dataclass(frozen=True)
class Mark:
    """A code on a print: its class, and left, top, right and bottom in pixels of the print."""

    cls: int
    box: tuple[float, float, float, float]

    def outline(self, steps: int = 24) -> np.ndarray:
        """Points (n, 2) along its sides, corners included, in OpenCV's coordinates: pixels are points."""
        left, top, right, bottom = (side - 0.5 for side in self.box)
        share = np.linspace(0, 1, steps, endpoint=False)
        x = np.concatenate([left + (right - left) * share, np.full(steps, right)])
        y = np.concatenate([np.full(steps, top), top + (bottom - top) * share])
        return np.concatenate([np.stack([x, y], 1), np.array([left + right, top + bottom]) - np.stack([x, y], 1)])

    def inside(self, steps: int = 33) -> np.ndarray:
        """Points (n, 2) all over it."""
        left, top, right, bottom = (side - 0.5 for side in self.box)
        x, y = np.linspace(left, right, steps), np.linspace(top, bottom, steps)
        return np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)


@dataclass(frozen=True, eq=False)
class Print:
    """A flat print: `pixels` (h, w, 4) uint8, and the codes on it."""

    pixels: np.ndarray
    marks: tuple[Mark, ...]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def middle(self) -> np.ndarray:
        """The middle of its codes, or of it."""
        if not self.marks:
            return np.array([self.size[1] / 2, self.size[0] / 2])
        boxes = np.array([mark.box for mark in self.marks])
        return np.array([boxes[:, [0, 2]].mean(), boxes[:, [1, 3]].mean()])


# -- prints ------------------------------------------------------------------------------------------------------------


class _Sheet:
    """Paper that is printed on: how much ink there is in each pixel, of one colour, and of another where there is."""

    def __init__(self, height: int, width: int) -> None:
        self.ink = np.zeros((height, width), np.uint8)
        self.accent: np.ndarray | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.ink.shape[0], self.ink.shape[1]

    def plane(self, dice: Dice) -> np.ndarray:
        """What to print on: mostly the first colour."""
        if dice.yes(0.8):
            return self.ink
        if self.accent is None:
            self.accent = np.zeros_like(self.ink)
        return self.accent

    def clear(self, left: int, top: int, right: int, bottom: int) -> None:
        """Leave paper free."""
        for plane in (self.ink, self.accent):
            if plane is not None:
                plane[max(0, top) : max(0, bottom), max(0, left) : max(0, right)] = 0

    def put(self, ink: np.ndarray, at: tuple[int, int], plane: np.ndarray | None = None) -> None:
        """Print ink with its top left corner at a place."""
        part, mask = under(self.ink if plane is None else plane, ink, at)
        np.maximum(part, mask, out=part)

    def coloured(self, dice: Dice, paper: np.ndarray, ink: np.ndarray) -> np.ndarray:
        """The sheet (h, w, 3) uint8."""
        pixels = mapped(self.ink, paper, ink)
        if self.accent is not None:
            tone = np.empty_like(pixels)
            tone[:] = np.clip(dice.colour(), 0, 255)
            cv2.copyTo(tone, self.accent, pixels)
        return grain(dice, pixels, dice.between(2, 14)) if dice.yes(0.15) else pixels


def roll_colours(dice: Dice) -> tuple[np.ndarray, np.ndarray]:
    """Of paper and ink, well apart; seldom the light one is the ink."""
    kind = dice.below(20)
    if kind < 12:
        paper = np.repeat(dice.between(200, 255), 3) + dice.colour(-12, 0)
    elif kind < 15:
        paper = dice.colour(150, 255)
    elif kind < 17:
        paper = np.array([0.55, 0.75, 0.95]) * dice.between(120, 240)  # cardboard
    elif kind < 19:
        paper = np.repeat(dice.between(110, 200), 3)  # metal, grey plastic
    else:
        paper = dice.colour(60, 255)
        paper[dice.below(3)] = 250
    darkest = float(paper @ [0.11, 0.59, 0.3]) - 75
    ink = np.repeat(dice.between(0, min(60, darkest)), 3) if dice.yes(0.75) else dice.colour(0, 110)
    ink *= min(1, darkest / max(1e-3, float(ink @ [0.11, 0.59, 0.3])))
    paper, ink = paper.astype(np.float32), ink.astype(np.float32)
    return (ink, paper) if dice.yes(0.07) else (paper, ink)


def roll_print(dice: Dice, long: int, most: int, room: int) -> Print:
    """A print with one code, whose longer side has about so many pixels, of at most `most` modules a side.

    `room` are the pixels that are seen at most: no print is much larger.
    """
    symbol = roll_symbol(dice, most=most)
    code = draw_symbol(dice, symbol, long)
    module = max(1.0, long / max(symbol.size))
    quiet = int(module * dice.between(0.5, 8)) if dice.yes(0.85) else int(module * dice.between(0, 1.5))
    quiet = min(quiet, long // 3)
    kind = dice.below(20)
    if kind < 6:
        return _label(dice, code, quiet, 0.12, room)
    if kind < 15:
        return _label(dice, code, quiet, 1.3, room)
    if kind < 17:
        return _page(dice, code, quiet, room)
    if kind == 17 and code.box[3] > 0.5 * code.box[2]:
        return _round(dice, code, quiet)
    return _direct(dice, code, quiet)


def _label(dice: Dice, code: Inked, quiet: int, around: float, room: int) -> Print:
    """A label: the code, and as much `around` it, in parts of its longer side, with print in it."""
    long = max(code.ink.shape)
    caption = _caption(dice, code)
    below = caption.shape[0] if caption is not None else 0
    free = [max(0, room - n) / 2 for n in (code.ink.shape[1], code.ink.shape[0]) * 2]
    left, top, right, bottom = (
        int(quiet + min(long * around * v**2 * 0.7, most)) + EDGE for v, most in zip(dice.array(4), free, strict=True)
    )
    sheet = _Sheet(code.ink.shape[0] + top + bottom + below, code.ink.shape[1] + left + right)
    if around > 0.5:
        for _ in range(dice.whole(0, 10)):
            _put_something(dice, sheet, long)
    mark = _put_code(dice, sheet, code, (left, top), quiet, caption)
    return Print(_covering(dice, sheet.coloured(dice, *roll_colours(dice))), (mark,))


def _page(dice: Dice, code: Inked, quiet: int, room: int) -> Print:
    """A page of text with a code in it."""
    long = max(code.ink.shape)
    height, width = (
        int(n + 2 * quiet + min(long * dice.between(0.5, 2), max(2 * EDGE, room - n))) for n in code.ink.shape
    )
    sheet = _Sheet(height, width)
    sheet.ink[:] = letters.roll_page(dice, height, width)
    at = (
        int(dice.between(EDGE, width - code.ink.shape[1] - EDGE)),
        int(dice.between(EDGE, height - code.ink.shape[0] - EDGE)),
    )
    mark = _put_code(dice, sheet, code, at, quiet, _caption(dice, code))
    return Print(_covering(dice, sheet.coloured(dice, *roll_colours(dice))), (mark,))


def _round(dice: Dice, code: Inked, quiet: int) -> Print:
    """A round sticker, a lid, a cap."""
    half = int(0.5 * np.hypot(*code.ink.shape) + quiet * 0.5) + EDGE
    sheet = _Sheet(2 * half, 2 * half)
    at = half - code.ink.shape[1] // 2, half - code.ink.shape[0] // 2
    if dice.yes(0.4):
        cv2.circle(sheet.ink, (half, half), half - EDGE - 2, 255, dice.whole(1, 6), cv2.LINE_AA)
    mark = _put_code(dice, sheet, code, at, 0, None)
    cover = np.zeros(sheet.size, np.uint8)
    cv2.circle(cover, (half, half), half - EDGE, 255, -1, cv2.LINE_AA)
    return Print(_with_cover(sheet.coloured(dice, *roll_colours(dice)), cover), (mark,))


def _direct(dice: Dice, code: Inked, quiet: int) -> Print:
    """Printed, burnt or struck into the thing itself: only the ink covers, or a patch that is seen through a little."""
    room = EDGE + quiet
    height, width = code.ink.shape
    sheet = _Sheet(height + 2 * room, width + 2 * room)
    mark = _put_code(dice, sheet, code, (room, room), 0, None)
    paper, ink = roll_colours(dice)
    if dice.yes(0.6):
        cover = np.zeros(sheet.size, np.uint8)
        cover[EDGE:-EDGE, EDGE:-EDGE] = dice.whole(150, 255)
        return Print(_with_cover(mapped(sheet.ink, paper, ink), np.maximum(cover, sheet.ink)), (mark,))
    return Print(_with_cover(mapped(sheet.ink, ink, ink), sheet.ink), (mark,))


def roll_array(dice: Dice, long: int, most: int, room: int) -> Print:
    """A print with several codes of about that size: sheets of labels, shipping labels, tickets."""
    columns, rows = dice.of(((1, 2), (1, 3), (2, 1), (2, 2), (3, 2), (2, 3), (3, 3), (4, 3), (3, 4), (1, 4)))
    alike = dice.yes(0.6)
    first = roll_symbol(dice, most=most)
    gap = int(long * dice.between(0.08, 0.5)) + 2
    codes = [
        draw_symbol(dice, roll_symbol(dice, first.cls if alike else None, most=most), int(long * dice.around(1, 0.15)))
        for _ in range(columns * rows)
    ]
    wide = max(code.ink.shape[1] for code in codes) + gap
    tall = max(code.ink.shape[0] for code in codes) + gap
    columns, rows = min(columns, max(1, 2 * room // wide)), min(rows, max(1, 2 * room // tall))
    height, width = rows * tall + gap + 2 * EDGE, columns * wide + gap + 2 * EDGE
    sheet, marks = _Sheet(height, width), []
    for i, code in enumerate(codes[: rows * columns]):
        if dice.yes(0.1):
            continue
        at = EDGE + gap + i % columns * wide, EDGE + gap + i // columns * tall
        small = _caption(dice, code) if dice.yes(0.5) else None
        if small is not None and small.shape[0] + code.ink.shape[0] > tall:
            small = None
        marks.append(_put_code(dice, sheet, code, at, 1, small))
    if dice.yes(0.25):
        for k in range(1, columns):
            x = EDGE + gap // 2 + k * wide
            cv2.line(sheet.ink, (x, 0), (x, height), 255, 1)
    return Print(_covering(dice, sheet.coloured(dice, *roll_colours(dice))), tuple(marks))


def roll_blank(dice: Dice, long: int) -> Print:
    """A print without any code: words, signs, logos, rules."""
    sheet = _Sheet(max(16, int(long * dice.ratio(0.2, 1))), long)
    if dice.yes(0.3):
        sheet.ink[:] = letters.roll_page(dice, *sheet.size)
    for _ in range(dice.whole(1, 12)):
        _put_something(dice, sheet, long)
    return Print(_covering(dice, sheet.coloured(dice, *roll_colours(dice))), ())


# -- what is on them ---------------------------------------------------------------------------------------------------


def _put_code(
    dice: Dice, sheet: _Sheet, code: Inked, at: tuple[int, int], quiet: int, caption: np.ndarray | None
) -> Mark:  # fmt: skip
    """Print a code on cleared paper, with its caption; where it is."""
    x, y = at
    height, width = code.ink.shape
    below = caption.shape[0] + 2 if caption is not None else 0
    sheet.clear(x - quiet, y - quiet, x + width + quiet + 1, y + height + quiet + below + 1)
    if quiet > 3 and dice.yes(0.1):
        cv2.rectangle(sheet.ink, (x - quiet, y - quiet), (x + width + quiet, y + height + quiet), 255, dice.whole(1, 3))
    sheet.put(worn(dice, code.ink), at)
    if caption is not None:
        sheet.put(caption, (x + max(0, (width - caption.shape[1]) // 2), y + height + 1))
    left, top, right, bottom = code.box
    return Mark(code.cls, (x + left, y + top, x + right, y + bottom))


def _caption(dice: Dice, code: Inked) -> np.ndarray | None:
    """What stands under bars, now and then under other codes."""
    width = code.ink.shape[1]
    if code.cls != BARCODE:
        return letters.roll_word(dice, max(6, int(width * dice.ratio(0.05, 0.2))), width) if dice.yes(0.2) else None
    return letters.roll_caption(dice, max(5, int(width * dice.ratio(0.05, 0.14))), width) if dice.yes(0.6) else None


def _put_something(dice: Dice, sheet: _Sheet, long: int) -> None:
    """Words, a rule, an area of colour, a sign."""
    height, width = sheet.size
    plane = sheet.plane(dice)
    x, y = int(dice.between(-0.1, 0.9) * width), int(dice.between(-0.05, 0.95) * height)
    kind = dice.below(12)
    if kind < 8:
        sheet.put(letters.roll_word(dice, max(6, int(dice.ratio(0.03, 0.22) * long)), width), (x, y), plane)
    elif kind == 8:
        begin, end = ((0, y), (width, y)) if dice.yes(0.6) else ((x, 0), (x, height))
        cv2.line(plane, begin, end, 255, dice.whole(1, max(1, long // 60)))
    elif kind == 9:
        end = (x + int(dice.ratio(0.05, 0.9) * long), y + int(dice.ratio(0.05, 0.5) * long))
        cv2.rectangle(plane, (x, y), end, 255, -1 if dice.yes(0.6) else dice.whole(1, 3))
    elif kind == 10:
        radius, thick = int(dice.ratio(0.03, 0.3) * long), -1 if dice.yes(0.5) else dice.whole(1, 4)
        cv2.circle(plane, (x, y), radius, 255, thick, cv2.LINE_AA)
    else:
        small = (dice.array(dice.whole(4, 9), dice.whole(4, 9)) < 0.5).astype(np.uint8) * 255
        side = max(6, int(dice.ratio(0.04, 0.15) * long))
        sheet.put(cv2.resize(small, (side, side), interpolation=cv2.INTER_NEAREST), (x, y), plane)


def _covering(dice: Dice, pixels: np.ndarray) -> np.ndarray:
    """The print with what it covers: all but its edge, sometimes with round corners."""
    height, width = pixels.shape[:2]
    cover = np.zeros((height, width), np.uint8)
    if dice.yes(0.2):
        _round_corners(cover, max(1, int(min(height, width) * dice.between(0.03, 0.15))))
    else:
        cover[EDGE:-EDGE, EDGE:-EDGE] = 255
    if dice.yes(0.1):  # shiny or uneven paper
        shade = 0.8 + 0.35 * cv2.resize(dice.array(3, 4), (width, height), interpolation=cv2.INTER_LINEAR)
        pixels = cv2.multiply(pixels, cv2.merge([shade] * 3), dtype=cv2.CV_8U)
    return _with_cover(pixels, cover)


def _round_corners(cover: np.ndarray, radius: int) -> None:
    height, width = cover.shape
    near, right, bottom = EDGE + radius, width - EDGE - radius - 1, height - EDGE - radius - 1
    cover[near : bottom + 1, EDGE:-EDGE] = 255
    cover[EDGE:-EDGE, near : right + 1] = 255
    for x in (near, right):
        for y in (near, bottom):
            cv2.circle(cover, (x, y), radius, 255, -1)


def _with_cover(pixels: np.ndarray, cover: np.ndarray) -> np.ndarray:
    return cv2.merge([*cv2.split(pixels), cover])
