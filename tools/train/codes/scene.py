"""A picture with its boxes, from a seed and a number: a scene of prints on a background, or a clean or full-size code.

Decision: a picture is a pure function of (seed, number, size), drawn at its size; boxes are the extents of the outlines
of codes under the same arithmetic that moved their pixels, cut at the frame.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from . import letters
from .backgrounds import put_finger, put_ink, roll_background
from .dice import Dice
from .inks import draw_symbol
from .optics import photographed
from .papers import EDGE, Mark, Print, roll_array, roll_blank, roll_colours, roll_print
from .surfaces import Surface, roll_surface
from .symbols import BARCODE, roll_symbol
from .textures import mapped

TRAINING, VALIDATION = 1, 2  # what numbers are for, before seed and number
FINE = 2  # times as fine prints are seen, before they are reduced
LEAST = 6.0  # pixels of the shorter side of a box
LEAST_SEEN = 0.2  # of a code that leaves the frame
FAINTEST = 8.0  # bytes that a code differs by from what was there, and its pixels from their mean
TRIES = 5  # places for a print
ROOM = 1.4  # sides of the picture that a print has at most
SHAPES = ((0.42, 4 / 3), (0.2, 3 / 4), (0.1, 16 / 9), (0.05, 9 / 16), (0.23, 1.0))  # of photos that become squares

Box = tuple[float, float, float, float]
Roll = Callable[[Dice, int, int, int], Print]  # pixels of the code, modules at most, pixels of the print at most


@dataclass(frozen=True, eq=False)
class Picture:
    """`image` (size, size, 3) uint8 in BGR, and `rows` (n, 5) float32: class, then centre and size of the box, from 0
    to 1.
    """

    image: np.ndarray
    rows: np.ndarray


def draw_picture(seed: int, number: int, size: int, *, held_out: bool = False) -> Picture:
    """Picture `number` of a seed, from 0 on; `held_out` with the backgrounds that are never trained on.

    >>> a, b = draw_picture(1, 5, 64), draw_picture(1, 5, 64)
    >>> bool((a.image == b.image).all() and (a.rows == b.rows).all())
    True
    """
    dice = Dice(VALIDATION if held_out else TRAINING, seed, number)
    kind = dice.below(100)
    if kind < 17:
        image, boxes = clean(dice, size)
        return Picture(image, _rows(boxes, size))
    scene = _Scene(dice, size, held_out)
    if kind < 27:
        scene.fill_the_frame()
    elif kind < 47:
        scene.put_nothing()
    else:
        scene.put_prints()
    image = photographed(dice, scene.image)
    return Picture(image, _rows([one for one in scene.boxes if _is_there(image, one[1])], size))


def _is_there(image: np.ndarray, box: Box) -> bool:
    """Whether anything is left of a code after all that happened to the picture: darkness, glare, thin ink."""
    left, top, right, bottom = map(round, box)
    part = image[top : max(bottom, top + 1), left : max(right, left + 1)]
    return bool(cv2.meanStdDev(cv2.cvtColor(part, cv2.COLOR_BGR2GRAY))[1][0, 0] >= FAINTEST)


def _rows(boxes: list[tuple[int, Box]], size: int) -> np.ndarray:
    rows = [
        (cls, (left + right) / 2 / size, (top + bottom) / 2 / size, (right - left) / size, (bottom - top) / size)
        for cls, (left, top, right, bottom) in boxes
    ]
    return np.array(rows, np.float32).reshape(-1, 5)


# -- clean renders -----------------------------------------------------------------------------------------------------


def clean(dice: Dice, size: int) -> tuple[np.ndarray, list[tuple[int, Box]]]:
    """A code as a program draws it, alone on a page that is stretched to the square, as files are before detection."""
    symbol = roll_symbol(dice, most=int(size / 1.3))
    scale = dice.whole(1, max(1, min(6, 2 * size // max(symbol.size))))
    code = draw_symbol(dice, symbol, max(symbol.size) * scale)
    height, width = code.ink.shape
    snug = dice.yes(0.6)
    margins = [int(v * scale * 5) if snug else int(v * v * 1.1 * max(height, width)) for v in dice.array(4)]
    if dice.yes(0.15):
        margins = [0] * 4
    left, top, right, bottom = margins
    paper, ink = roll_colours(dice) if dice.yes(0.2) else (np.full(3, 255.0), np.zeros(3))
    page = mapped(cv2.copyMakeBorder(code.ink, top, bottom, left, right, cv2.BORDER_CONSTANT, value=0), paper, ink)
    box: Box = (left + code.box[0], top + code.box[1], left + code.box[2], top + code.box[3])
    page, box = _with_words(dice, page, box, ink)
    how = dice.of((cv2.INTER_LINEAR, cv2.INTER_LINEAR, cv2.INTER_AREA, cv2.INTER_NEAREST, cv2.INTER_CUBIC))
    image = cv2.resize(page, (size, size), interpolation=how)
    wide, high = size / page.shape[1], size / page.shape[0]
    box = (box[0] * wide, box[1] * high, box[2] * wide, box[3] * high)
    image = photographed(dice, image, 0.35) if dice.yes(0.35) else image
    return image, [(symbol.cls, box)] if min(box[2] - box[0], box[3] - box[1]) >= LEAST else []


def _with_words(dice: Dice, page: np.ndarray, box: Box, ink: np.ndarray) -> tuple[np.ndarray, Box]:
    """Words under or over the code, sometimes."""
    if not dice.yes(0.3):
        return page, box
    width = page.shape[1]
    words = letters.roll_word(dice, max(5, int(width * dice.ratio(0.05, 0.15))), width)
    more = np.empty((words.shape[0] + 2, width, 3), np.uint8)
    more[:] = page[0, 0] if box[1] > 0 else 255
    put_ink(more, words, (max(0, (width - words.shape[1]) // 2), 1), tuple(map(float, ink)))
    if dice.yes(0.75):
        return np.concatenate([page, more]), box
    left, top, right, bottom = box
    return np.concatenate([more, page]), (left, top + len(more), right, bottom + len(more))


# -- scenes ------------------------------------------------------------------------------------------------------------


class _Scene:
    """A picture that is being put together: its pixels, and the boxes so far."""

    def __init__(self, dice: Dice, size: int, held_out: bool) -> None:
        self.dice, self.size, self.held_out = dice, size, held_out
        self.boxes: list[tuple[int, Box]] = []
        shape = dice.weighted(SHAPES)
        self.stretch = np.array([math.sqrt(1 / shape), math.sqrt(shape)])
        self.image = np.zeros((size, size, 3), np.uint8)

    def fill_the_frame(self) -> None:
        """One code as large as the picture, or larger."""
        self.image = roll_background(self.dice, self.size, held_out=self.held_out)
        self._put(self.dice.between(0.75, 1.15), roll_print)

    def put_nothing(self) -> None:
        """A picture without codes, of what is taken for them."""
        self.image = roll_background(self.dice, self.size, held_out=self.held_out, hard=self.dice.yes(0.75))
        for _ in range(self.dice.of((0, 0, 0, 1, 2, 3))):
            self._put(self.dice.ratio(0.15, 1.2), blank)

    def put_prints(self) -> None:
        """One print or several, others without codes among them, fingers and pens."""
        dice = self.dice
        self.image = roll_background(dice, self.size, held_out=self.held_out, hard=dice.yes(0.2))
        for _ in range(dice.of((0, 0, 0, 0, 1, 1, 2))):
            self._put(dice.ratio(0.15, 1.0), blank)
        count = dice.of((1,) * 12 + (2, 2, 2, 3, 4, 5, 7, 0, 0, 0))
        if count == 1:
            self._put(dice.between(0.12, 0.95) if dice.yes(0.7) else dice.ratio(0.08, 0.4), roll_print)
        for _ in range(count if count > 1 else 0):
            self._put(dice.ratio(0.09, 0.45), roll_print)
        if not count:
            self._put(dice.ratio(0.08, 0.4), roll_array)
        if dice.yes(0.07) and self.boxes:
            self._cover_a_little()

    def _put(self, share: float, roll: Roll) -> None:
        """Put a print whose code is `share` of the picture at a place where it hides none that is there."""
        dice, long = self.dice, share * self.size
        fine = FINE if dice.yes(0.8) else 1
        modules = max(12, int(long / dice.between(1.1, 2)))
        made = roll(dice, max(8, round(long * fine)), modules, int(ROOM * self.size * fine))
        reach = 0.5 * min(share, 1.0) if share < 0.9 else 0.42
        for _ in range(TRIES):
            at = np.array([dice.between(reach * 0.8, 1 - reach * 0.8), dice.between(reach * 0.8, 1 - reach * 0.8)])
            surface = roll_surface(dice, made.size, made.middle, at * self.size, 1 / fine, self.stretch)
            found = self._seen(made, surface)
            if found is not None:
                before = self.image.copy()
                self._draw(made, surface, fine)
                self.boxes += [one for one in found if self._changed(before, one[1]) >= FAINTEST]
                return

    def _seen(self, made: Print, surface: Surface) -> list[tuple[int, Box]] | None:
        """The boxes of a print at a place; None if it cannot lie there."""
        area = surface.extent(_outline(made))
        if any(_overlap(area, box) > 0.02 for _, box in self.boxes):
            return None
        seen = [(mark.cls, visible(surface, mark, self.size)) for mark in made.marks]
        if made.marks and not any(box is not None for _, box in seen):
            return None
        if len(made.marks) == 1 and seen[0][1] is None:
            return None
        return [(cls, box) for cls, box in seen if box is not None]

    def _changed(self, before: np.ndarray, box: Box) -> float:
        """How many bytes a code differs from what was there: ink of the colour of the thing itself shows nothing."""
        left, top, right, bottom = map(round, box)
        part = slice(top, max(bottom, top + 1)), slice(left, max(right, left + 1))
        return float(np.mean(cv2.mean(cv2.absdiff(before[part], self.image[part]))[:3]))

    def _draw(self, made: Print, surface: Surface, fine: int) -> None:
        """Blend a print into the picture, with its shadow."""
        size = self.size
        left, top, right, bottom = surface.extent(_outline(made))
        x, y = max(0, math.floor(left) - 2), max(0, math.floor(top) - 2)
        width, height = min(size, math.ceil(right) + 3) - x, min(size, math.ceil(bottom) + 3) - y
        if width <= 0 or height <= 0:
            return
        shown = surface.show(made.pixels, (x, y), (height, width), fine)
        part = self.image[y : y + height, x : x + width]
        cover = shown[..., 3]
        if self.dice.yes(0.35):
            self._shadow(part, cover)
        share = cover.astype(np.float32)
        share *= 1 / 255
        part[:] = cv2.blendLinear(np.ascontiguousarray(shown[..., :3]), np.ascontiguousarray(part), share, 1 - share)

    def _shadow(self, part: np.ndarray, cover: np.ndarray) -> None:
        dice = self.dice
        wide = dice.ratio(0.004, 0.04) * self.size
        soft = cv2.blur(cover, (2 * int(wide) + 1,) * 2)
        shift = np.array([[1, 0, dice.around(0, wide)], [0, 1, dice.around(0, wide)]])
        soft = cv2.warpAffine(soft, shift, soft.shape[::-1])
        dim = 1 - soft.astype(np.float32) * (dice.between(0.2, 0.7) / 255)
        part[:] = cv2.multiply(part, cv2.merge([dim] * 3), dtype=cv2.CV_8U)

    def _cover_a_little(self) -> None:
        """A finger or a pen over the edge of a code: its box stays what it was."""
        dice = self.dice
        _, (left, top, right, bottom) = dice.of(self.boxes)
        short = min(right - left, bottom - top)
        x = left if dice.yes(0.5) else right
        at = (int(x), int(dice.between(top, bottom)))
        if dice.yes(0.6):
            put_finger(dice, self.image, at, short * dice.between(0.15, 0.4))
            return
        end = (int(at[0] + dice.around(0, 1) * self.size), int(at[1] + dice.around(0, 1) * self.size))
        cv2.line(self.image, at, end, tuple(map(float, dice.colour())), max(1, int(short * 0.08)), cv2.LINE_AA)


def blank(dice: Dice, long: int, most: int, room: int) -> Print:
    """A print without codes."""
    return roll_blank(dice, min(long, room))


def _outline(made: Print) -> np.ndarray:
    height, width = made.size
    return Mark(BARCODE, (EDGE, EDGE, width - EDGE, height - EDGE)).outline()


def visible(surface: Surface, mark: Mark, size: int) -> Box | None:
    """The box of what is seen of a code in a picture of `size`, in pixels; None of too little, or too small a one."""
    left, top, right, bottom = surface.extent(mark.outline()) + 0.5  # OpenCV's pixel 0 has its middle at 0.5
    if left < 0 or top < 0 or right > size or bottom > size:
        points = surface.apply(mark.inside()) + 0.5
        inside = points[((points >= 0) & (points <= size)).all(1)]
        if len(inside) < LEAST_SEEN * len(points):
            return None
        (left, top), (right, bottom) = inside.min(0), inside.max(0)
    if min(right - left, bottom - top) < LEAST:
        return None
    return float(left), float(top), float(right), float(bottom)


def _overlap(area: np.ndarray, box: Box) -> float:
    """The part of a box that an area may hide."""
    wide = min(area[2], box[2]) - max(area[0], box[0])
    high = min(area[3], box[3]) - max(area[1], box[1])
    whole = (box[2] - box[0]) * (box[3] - box[1])
    return 0.0 if wide <= 0 or high <= 0 else float(wide * high / whole)
