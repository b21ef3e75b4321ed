"""Prints: labels, packages, pages and screens with codes on them, flat, and where on them the codes are.

Decision: a print is drawn at about the fineness that it will be seen with, and knows nothing of the picture that it
gets into. Its fourth channel is what covers: all of a label, only the ink where a code is printed on the thing itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from . import letters
from .backgrounds import put_finger, put_ink, put_words
from .dice import Dice
from .symbols import AZTEC, BARCODE, DATAMATRIX, PDF417, QRCODE, Symbol, roll_symbol
from .textures import clouds, field, grain

EDGE = 3  # pixels around a print that cover nothing, so that its edge is smooth
LARGEST = 1400  # pixels of a side of a print
DISCS = 12  # pixels of a module that is a dot, before it is scaled
MOST_DISCS = 48  # modules a side of a code that may be of dots


@dataclass(frozen=True)
class Mark:
    """A code on a print: its class, and left, top, right and bottom in pixels of the print."""

    cls: int
    box: tuple[float, float, float, float]

    def outline(self, steps: int = 24) -> np.ndarray:
        """Points (n, 2) along its sides, corners included; coordinates are those of OpenCV, whose pixels are points."""
        left, top, right, bottom = (side - 0.5 for side in self.box)
        share = np.linspace(0, 1, steps, endpoint=False)
        x = np.concatenate([left + (right - left) * share, np.full(steps, right)])
        y = np.concatenate([np.full(steps, top), top + (bottom - top) * share])
        return np.concatenate([np.stack([x, y], 1), np.array([left + right, top + bottom]) - np.stack([x, y], 1)])

    def inside(self, steps: int = 33) -> np.ndarray:
        """Points (n, 2) all over it."""
        left, top, right, bottom = (side - 0.5 for side in self.box)
        return np.stack(np.meshgrid(np.linspace(left, right, steps), np.linspace(top, bottom, steps)), -1).reshape(-1, 2)


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


@dataclass(frozen=True, eq=False)
class Drawn:
    """A code at its size: `ink` (h, w) uint8 from 0 to 255, and the labelled part of it in pixels."""

    cls: int
    ink: np.ndarray
    box: tuple[int, int, int, int]
    caption: str


# -- a code at a size --------------------------------------------------------------------------------------------------


def draw_symbol(dice: Dice, symbol: Symbol, long: int) -> Drawn:
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
        return Drawn(symbol.cls, ink, (0, 0, right, height), symbol.caption)
    tall = rows / columns * (dice.ratio(0.65, 1.7) if symbol.cls == PDF417 else dice.around(1, 0.04))
    width, height = (long, max(3, round(long * tall))) if tall <= 1 else (max(3, round(long / tall)), long)
    dotted = {DATAMATRIX: 0.14, QRCODE: 0.07, AZTEC: 0.02}.get(symbol.cls, 0)
    if dice.yes(dotted) and max(rows, columns) <= MOST_DISCS:
        ink = resized(_dots(dice, 255 - symbol.modules), height, width)
    else:
        ink = resized(255 - symbol.modules, height, width)
    if symbol.kind == "QRCode" and dice.yes(0.08):
        ink = _with_logo(dice, ink)
    return Drawn(symbol.cls, ink, (0, 0, width, height), symbol.caption)


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


# -- prints ------------------------------------------------------------------------------------------------------------


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


def roll_print(dice: Dice, long: int, *, most: int, cls: int | None = None) -> Print:
    """A print with one code, whose longer side has about so many pixels, of at most `most` modules a side."""
    symbol = roll_symbol(dice, cls, most=most)
    code = draw_symbol(dice, symbol, long)
    module = max(1.0, long / max(symbol.size))
    quiet = int(module * dice.between(0.5, 8)) if dice.yes(0.85) else int(module * dice.between(0, 1.5))
    kind = dice.below(20)
    if kind < 6:
        return _label(dice, code, quiet, 0.12)
    if kind < 15:
        return _label(dice, code, quiet, 1.3)
    if kind < 17:
        return _page(dice, code, quiet)
    if kind == 17 and code.box[3] > 0.5 * code.box[2]:
        return _round(dice, code, quiet)
    return _direct(dice, code, quiet)


def _label(dice: Dice, code: Drawn, quiet: int, room: float) -> Print:
    """A label: the code, and `room` around it, in parts of its longer side, with print in it."""
    long = max(code.ink.shape)
    left, top, right, bottom = (int(quiet + long * room * v**2 * 0.7) + EDGE for v in dice.array(4))
    caption = _caption(dice, code)
    bottom += caption.shape[0] if caption is not None else 0
    height, width = min(LARGEST, code.ink.shape[0] + top + bottom), min(LARGEST, code.ink.shape[1] + left + right)
    colours = roll_colours(dice)
    pixels = _sheet(dice, height, width, colours[0])
    if room > 0.5:
        for _ in range(dice.whole(0, 10)):
            _put_something(dice, pixels, colours, long)
    mark = _put_code(dice, pixels, code, (left, top), quiet, colours, caption)
    return Print(_covering(dice, pixels), (mark,))


def _page(dice: Dice, code: Drawn, quiet: int) -> Print:
    """A page of text with a code in it."""
    long = max(code.ink.shape)
    height, width = (min(LARGEST, int(n + 2 * quiet + long * dice.between(0.5, 2))) for n in code.ink.shape)
    colours = roll_colours(dice)
    pixels = _sheet(dice, height, width, colours[0])
    put_ink(pixels, letters.roll_page(dice, height, width), (0, 0), tuple(map(float, colours[1])))
    at = int(dice.between(EDGE, width - code.ink.shape[1] - EDGE)), int(dice.between(EDGE, height - code.ink.shape[0] - EDGE))
    mark = _put_code(dice, pixels, code, at, quiet, colours, _caption(dice, code))
    return Print(_covering(dice, pixels), (mark,))


def _round(dice: Dice, code: Drawn, quiet: int) -> Print:
    """A round sticker, a lid, a cap."""
    half = int(0.5 * np.hypot(*code.ink.shape) + quiet * 0.5) + EDGE
    colours = roll_colours(dice)
    pixels = _sheet(dice, 2 * half, 2 * half, colours[0])
    at = half - code.ink.shape[1] // 2, half - code.ink.shape[0] // 2
    if dice.yes(0.4):
        cv2.circle(pixels, (half, half), half - EDGE - 2, tuple(map(float, colours[1])), dice.whole(1, 6), cv2.LINE_AA)
    mark = _put_code(dice, pixels, code, at, 0, colours, None)
    cover = np.zeros(pixels.shape[:2], np.uint8)
    cv2.circle(cover, (half, half), half - EDGE, 255, -1, cv2.LINE_AA)
    return Print(np.dstack([pixels, cover]), (mark,))


def _direct(dice: Dice, code: Drawn, quiet: int) -> Print:
    """Printed, burnt or struck into the thing itself: only the ink covers."""
    room = EDGE + quiet
    height, width = code.ink.shape[0] + 2 * room, code.ink.shape[1] + 2 * room
    paper, ink = roll_colours(dice)
    patch = dice.yes(0.6)
    pixels = np.empty((height, width, 4), np.uint8)
    cover = np.zeros((height, width), np.uint8)
    worn_ink = worn(dice, code.ink)
    part = slice(room, room + code.ink.shape[0]), slice(room, room + code.ink.shape[1])
    cover[part] = worn_ink
    pixels[..., :3] = ink
    if patch:  # ink on a bright patch that shows a little of what is under it
        share = worn_ink.astype(np.float32)[..., None] / 255
        pixels[..., :3] = paper
        pixels[part][..., :3] = paper * (1 - share) + ink * share
        through = dice.whole(150, 255)
        cover[EDGE:-EDGE, EDGE:-EDGE] = through
        cover[part] = np.maximum(worn_ink, through)
    pixels[..., 3] = cover
    box = (room, room, room + code.box[2], room + code.box[3])
    return Print(pixels, (Mark(code.cls, box),))


def roll_array(dice: Dice, long: int, *, most: int) -> Print:
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
    colours = roll_colours(dice)
    height, width = min(2 * LARGEST, rows * tall + gap) + 2 * EDGE, min(2 * LARGEST, columns * wide + gap) + 2 * EDGE
    pixels = _sheet(dice, height, width, colours[0])
    marks = []
    for i, code in enumerate(codes):
        if dice.yes(0.1):
            continue
        at = EDGE + gap + i % columns * wide, EDGE + gap + i // columns * tall
        small = _caption(dice, code) if dice.yes(0.5) else None
        if small is not None and small.shape[0] + code.ink.shape[0] > tall:
            small = None
        marks.append(_put_code(dice, pixels, code, at, 1, colours, small))
    if dice.yes(0.25):
        for k in range(1, columns):
            x = EDGE + gap // 2 + k * wide
            cv2.line(pixels, (x, 0), (x, height), tuple(map(float, colours[1])), 1)
    return Print(_covering(dice, pixels), tuple(marks))


def roll_blank(dice: Dice, long: int) -> Print:
    """A print without any code: words, signs, logos, rules."""
    height, width = max(16, int(long * dice.ratio(0.2, 1))), long
    colours = roll_colours(dice)
    pixels = _sheet(dice, height, width, colours[0])
    if dice.yes(0.3):
        put_ink(pixels, letters.roll_page(dice, height, width), (0, 0), tuple(map(float, colours[1])))
    for _ in range(dice.whole(1, 12)):
        _put_something(dice, pixels, colours, long)
    return Print(_covering(dice, pixels), ())


# -- what is on them ---------------------------------------------------------------------------------------------------


def _sheet(dice: Dice, height: int, width: int, paper: np.ndarray) -> np.ndarray:
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[:] = np.clip(paper, 0, 255)
    return grain(dice, pixels, dice.between(2, 14)) if dice.yes(0.2) else pixels


def _put_code(
    dice: Dice, pixels: np.ndarray, code: Drawn, at: tuple[int, int], quiet: int,
    colours: tuple[np.ndarray, np.ndarray], caption: np.ndarray | None,
) -> Mark:  # fmt: skip
    """Print a code on cleared paper, with its caption; where it is."""
    x, y = at
    height, width = code.ink.shape
    paper, ink = (tuple(map(float, colour)) for colour in colours)
    below = caption.shape[0] if caption is not None else 0
    cv2.rectangle(pixels, (x - quiet, y - quiet), (x + width + quiet, y + height + quiet + below), paper, -1)
    if quiet > 3 and dice.yes(0.1):
        cv2.rectangle(pixels, (x - quiet, y - quiet), (x + width + quiet, y + height + quiet), ink, dice.whole(1, 3))
    put_ink(pixels, worn(dice, code.ink), at, ink)
    if caption is not None:
        put_ink(pixels, caption, (x + max(0, (width - caption.shape[1]) // 2), y + height + 1), ink)
    return Mark(code.cls, (x, y, x + code.box[2], y + code.box[3]))


def _caption(dice: Dice, code: Drawn) -> np.ndarray | None:
    """What stands under bars, now and then under other codes."""
    height, width = code.ink.shape
    if code.cls != BARCODE:
        return letters.roll_word(dice, max(6, int(width * dice.ratio(0.05, 0.2))), width) if dice.yes(0.2) else None
    if not code.caption or not dice.yes(0.8):
        return None
    tall = max(5, int(width * dice.ratio(0.05, 0.14)))
    return letters.scaled(letters.line(code.caption[:24], dice.below(len(letters.FONTS))), tall, width)


def _put_something(dice: Dice, pixels: np.ndarray, colours: tuple[np.ndarray, np.ndarray], long: int) -> None:
    """Words, a rule, an area of colour, a sign."""
    height, width = pixels.shape[:2]
    ink = tuple(map(float, colours[1] if dice.yes(0.75) else dice.colour()))
    x, y = int(dice.between(-0.1, 0.9) * width), int(dice.between(-0.05, 0.95) * height)
    kind = dice.below(12)
    if kind < 8:
        put_words(dice, pixels, (x, y), max(6, int(dice.ratio(0.03, 0.22) * long)), ink)
    elif kind == 8:
        thick = dice.whole(1, max(1, long // 60))
        cv2.line(pixels, (0, y), (width, y), ink, thick) if dice.yes(0.6) else cv2.line(pixels, (x, 0), (x, height), ink, thick)
    elif kind == 9:
        end = (x + int(dice.ratio(0.05, 0.9) * long), y + int(dice.ratio(0.05, 0.5) * long))
        cv2.rectangle(pixels, (x, y), end, ink, -1 if dice.yes(0.6) else dice.whole(1, 3))
    elif kind == 10:
        cv2.circle(pixels, (x, y), int(dice.ratio(0.03, 0.3) * long), ink, -1 if dice.yes(0.5) else dice.whole(1, 4), cv2.LINE_AA)
    else:
        small = (dice.array(dice.whole(4, 9), dice.whole(4, 9)) < 0.5).astype(np.uint8) * 255
        side = max(6, int(dice.ratio(0.04, 0.15) * long))
        put_ink(pixels, cv2.resize(small, (side, side), interpolation=cv2.INTER_NEAREST), (x, y), ink)


def _covering(dice: Dice, pixels: np.ndarray) -> np.ndarray:
    """The print with what it covers: all but its edge, sometimes with round corners."""
    height, width = pixels.shape[:2]
    cover = np.zeros((height, width), np.uint8)
    cover[EDGE:-EDGE, EDGE:-EDGE] = 255
    if dice.yes(0.2):
        radius = int(min(height, width) * dice.between(0.03, 0.15)) + 1
        cover[:] = 0
        cv2.rectangle(cover, (EDGE + radius, EDGE + radius), (width - EDGE - radius, height - EDGE - radius), 255, -1)
        cover = cv2.dilate(cover, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)))
    if dice.yes(0.15):  # shiny or uneven paper
        shade = 0.8 + 0.35 * field(dice, max(height, width), dice.whole(2, 5))[:height, :width]
        pixels = cv2.multiply(pixels, cv2.merge([shade] * 3), dtype=cv2.CV_8U)
    return np.dstack([pixels, cover])


__all__ = ["Mark", "Print", "draw_symbol", "put_finger", "roll_array", "roll_blank", "roll_print", "roll_symbol"]
