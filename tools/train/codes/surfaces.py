"""Where a flat print lies in a picture: bent, folded or rumpled along one direction, then seen in perspective.

Decision: a bend moves points by two functions of one coordinate, kept as tables, so that there and back are both exact
and a box is the extent of its outline after the same arithmetic that moves the pixels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from .dice import Dice

KNOTS = 129  # of a table
COARSE = 8  # pixels between points of which the place is computed; between them it is interpolated
STEEPEST = 1.45  # radians of a cylinder that are seen


@dataclass(frozen=True, eq=False)
class Bend:
    """A print that is bent round an axis: along `angle` (radians) from `centre`, place s becomes `along`, and is moved
    sideways by `across`; `shade` is how bright it is there.
    """

    angle: float
    centre: np.ndarray
    place: np.ndarray
    along: np.ndarray
    across: np.ndarray
    shade: np.ndarray

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 2) of the flat print after the bend."""
        s, t = self._turned(points)
        return self._turned_back(np.interp(s, self.place, self.along), t + np.interp(s, self.place, self.across))

    def undo(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Where on the flat print bent points (n, 2) come from, and how bright they are (n,)."""
        x, y = self._turned(points)
        s = np.interp(x, self.along, self.place)
        return self._turned_back(s, y - np.interp(s, self.place, self.across)), np.interp(s, self.place, self.shade)

    def _turned(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        x, y = (points - self.centre).T
        c, s = math.cos(self.angle), math.sin(self.angle)
        return c * x + s * y, c * y - s * x

    def _turned_back(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        c, s = math.cos(self.angle), math.sin(self.angle)
        return np.stack([c * x - s * y, s * x + c * y], 1) + self.centre


@dataclass(frozen=True, eq=False)
class Surface:
    """From pixels of a print to pixels of a picture: a bend, then `matrix` (3, 3)."""

    matrix: np.ndarray
    bend: Bend | None = None

    def apply(self, points: np.ndarray) -> np.ndarray:
        """Points (n, 2) of the print, in the picture."""
        bent = self.bend.apply(points) if self.bend else points
        moved = np.column_stack([bent, np.ones(len(bent))]) @ self.matrix.T
        return moved[:, :2] / moved[:, 2:]

    def extent(self, outline: np.ndarray) -> np.ndarray:
        """Left, top, right and bottom of an outline (n, 2) of the print, in the picture."""
        found = self.apply(outline)
        return np.concatenate([found.min(0), found.max(0)])

    def show(self, pixels: np.ndarray, corner: tuple[int, int], size: tuple[int, int], fine: int) -> np.ndarray:
        """The print (h, w, 4) in a part of the picture: its (left, top) and (height, width), `fine` times as fine.

        The fourth channel is how much of each pixel it covers; shade is in the colours.
        """
        grid = np.array([[fine, 0, 0.5 * fine - 0.5], [0, fine, 0.5 * fine - 0.5], [0, 0, 1]], np.float64)
        shift = np.array([[1, 0, -corner[0]], [0, 1, -corner[1]], [0, 0, 1]], np.float64)
        matrix = grid @ shift @ self.matrix
        height, width = size[0] * fine, size[1] * fine
        if self.bend is None:
            shown = cv2.warpPerspective(
                pixels, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            return _reduced(shown, size)
        places, shade = _places(self.bend, np.linalg.inv(matrix), height, width)
        shown = cv2.remap(pixels, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        shown = _reduced(shown, size)
        dim = cv2.resize(shade, size[::-1], interpolation=cv2.INTER_LINEAR)
        shown[..., :3] = cv2.multiply(shown[..., :3], cv2.merge([dim] * 3), dtype=cv2.CV_8U)
        return shown


def _reduced(shown: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    if shown.shape[:2] == size:
        return shown
    return cv2.resize(shown, size[::-1], interpolation=cv2.INTER_AREA)


def _places(bend: Bend, back: np.ndarray, height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel comes from, (h, w, 2) float32, and its shade: computed at every eighth, one ring more."""
    rows, columns = -(-height // COARSE) + 2, -(-width // COARSE) + 2
    half = (COARSE - 1) / 2 - COARSE
    y, x = np.mgrid[:rows, :columns].reshape(2, -1) * COARSE + half
    moved = np.stack([x, y, np.ones_like(x)], 1) @ back.T
    flat, shade = bend.undo(moved[:, :2] / moved[:, 2:])
    known = np.column_stack([flat, shade]).astype(np.float32).reshape(rows, columns, 3)
    all_ = cv2.resize(known, (columns * COARSE, rows * COARSE), interpolation=cv2.INTER_LINEAR)
    part = all_[COARSE : COARSE + height, COARSE : COARSE + width]
    return np.ascontiguousarray(part[..., :2]), np.ascontiguousarray(part[..., 2])


# -- by chance -------------------------------------------------------------------------------------------------------


def roll_bend(dice: Dice, size: tuple[int, int]) -> Bend:
    """A bottle, a bag, a fold or rumpled paper, for a print of (height, width)."""
    height, width = size
    reach = 0.5 * math.hypot(height, width)
    angle = dice.around(0, 0.15) + dice.of((0.0, math.pi / 2)) if dice.yes(0.75) else dice.between(0, math.pi)
    place = np.linspace(-1, 1, KNOTS) * reach * 1.1
    kind = dice.weighted(((0.5, _cylinder), (0.2, _fold), (0.3, _waves)))
    along, across, shade = kind(dice, place, reach)
    return Bend(angle, np.array([width / 2, height / 2]), place, along, across, shade)


def _cylinder(dice: Dice, place: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    turn = dice.between(0.35, STEEPEST / 1.1) / reach
    middle = dice.between(-0.3, 0.3) * (STEEPEST - turn * reach * 1.1)
    angle = place * turn + middle
    lit = dice.between(-0.8, 0.8)
    dark = dice.between(0.1, 0.55)
    return (
        (np.sin(angle) - math.sin(middle)) / turn, dice.between(-0.35, 0.35) * (1 - np.cos(angle)) / turn,
        1 - dark * (1 - np.cos(angle - lit)),
    )  # fmt: skip


def _fold(dice: Dice, place: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    at, shrunk, tilt = dice.between(-0.5, 0.5) * reach, dice.between(0.45, 0.95), dice.between(-0.35, 0.35)
    beyond = np.maximum(place - at, 0)
    soft = 1 / (1 + np.exp(-(place - at) / (0.02 * reach)))
    return place - (1 - shrunk) * beyond, tilt * beyond, 1 - dice.between(-0.15, 0.45) * soft


def _waves(dice: Dice, place: np.ndarray, reach: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    squeeze, shift, shade = np.zeros_like(place), np.zeros_like(place), np.ones_like(place)
    strength = dice.ratio(0.2, 1)
    for _ in range(dice.whole(1, 4)):
        waves, phase = dice.ratio(0.6, 5) * math.pi / reach, dice.between(0, 2 * math.pi)
        slope = np.cos(waves * place + phase)
        squeeze += dice.between(0, 0.18) * strength * np.sin(waves * place + phase) / waves
        shift += dice.between(-0.25, 0.25) * strength * np.sin(waves * place + phase) / waves
        shade += dice.between(-0.15, 0.15) * strength * slope
    return place + squeeze, shift, np.clip(shade, 0.4, 1.25)


def roll_surface(
    dice: Dice, print_size: tuple[int, int], anchor: np.ndarray, at: np.ndarray, scale: float, stretch: np.ndarray,
) -> Surface:  # fmt: skip
    """A way to lie: `anchor` of the print comes to `at` in the picture, at `scale` pixels a pixel, then `stretch`ed."""
    turn = roll_turn(dice)
    tilt = dice.ratio(0.03, 0.9) if dice.yes(0.7) else 0.0
    way = dice.between(0, 2 * math.pi)
    c, s = math.cos(turn), math.sin(turn)
    plane = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([
        [scale, 0, -scale * anchor[0]], [0, scale, -scale * anchor[1]], [0, 0, 1],
    ])  # fmt: skip
    far = max(print_size) * scale * dice.ratio(1.4, 6)  # where the eye is, in pixels of the picture
    axis = np.array([math.cos(way), math.sin(way), 0.0])
    turned, _ = cv2.Rodrigues(axis * tilt)
    seen = np.array([
        [turned[0, 0], turned[0, 1], 0], [turned[1, 0], turned[1, 1], 0], [turned[2, 0] / far, turned[2, 1] / far, 1],
    ])  # fmt: skip
    put = np.array([[stretch[0], 0, at[0]], [0, stretch[1], at[1]], [0, 0, 1]])
    bend = roll_bend(dice, print_size) if dice.yes(0.35) else None
    return Surface(put @ seen @ plane, bend)


def roll_turn(dice: Dice) -> float:
    """Radians: mostly nearly upright, often on a side, sometimes any way."""
    kind = dice.below(20)
    if kind < 11:
        return dice.around(0, 0.25)
    if kind < 15:
        return dice.around(0, 0.2) + dice.whole(1, 3) * math.pi / 2
    return dice.between(0, 2 * math.pi)
