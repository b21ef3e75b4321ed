"""Fields of numbers and patterns of lines that backgrounds, papers and light are made of, each in a few passes."""

from __future__ import annotations

import math

import cv2
import numpy as np

from .dice import Dice

RESIZES = (cv2.INTER_LINEAR, cv2.INTER_CUBIC)


def field(dice: Dice, size: int, knots: int, *, wide: int | None = None) -> np.ndarray:
    """A smooth field (size, size) float32 from 0 to 1 with so many knots down, and across (default: as many)."""
    return cv2.resize(dice.array(knots, wide or knots), (size, size), interpolation=cv2.INTER_CUBIC)


def clouds(dice: Dice, size: int, finest: float = 0.25, wide: float = 1.0) -> np.ndarray:
    """Fields of growing fineness, added up: (size, size) float32 from 0 to 1; `wide` makes them run across."""
    total = np.zeros((size, size), np.float32)
    knots, weight, rough = 2.0 + 3 * dice.between(0, 1), 1.0, dice.between(0.4, 0.85)
    while knots < size * finest:
        total += weight * field(dice, size, max(2, int(knots)), wide=max(2, int(knots / wide)))
        knots, weight = knots * 2.3, weight * rough
    return cv2.normalize(total, total, 0, 1, cv2.NORM_MINMAX)


def mapped(values: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Values from 0 to 1 (float32) or 255 (uint8), as colours (h, w, 3) uint8 between two."""
    steps = values if values.dtype == np.uint8 else cv2.convertScaleAbs(values, alpha=255)
    share = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    table = np.clip(first + (second - first) * share, 0, 255).astype(np.uint8)[:, None]
    return cv2.applyColorMap(steps, table)


def plane(dice: Dice, size: int, turn: float, period: float, *, warp: float = 0.0) -> np.ndarray:
    """A coordinate across the picture, 1 for each `period` pixels, turned by radians; warped by a smooth field."""
    along = np.arange(size, dtype=np.float32)
    x, y = along * np.float32(math.cos(turn) / period), along * np.float32(math.sin(turn) / period)
    place: np.ndarray = x + (y + np.float32(dice.between(0, 1)))[:, None]
    if warp:
        place += warp * field(dice, size, dice.whole(3, 6))
    return place


def turn_of(dice: Dice) -> float:
    """Radians: mostly along a side."""
    return dice.around(0, 0.1) + dice.of((0, math.pi / 2)) if dice.yes(0.6) else dice.between(0, math.pi)


def bars(dice: Dice, place: np.ndarray) -> np.ndarray:
    """Stripes (h, w) float32, 0 or 1, of widths by chance that repeat, at a coordinate."""
    count = dice.whole(1, 6)
    edges = np.sort(dice.array(2 * count))
    return (np.searchsorted(edges, np.mod(place, 1).ravel()) % 2).reshape(place.shape).astype(np.float32)


def grain(dice: Dice, image: np.ndarray, strength: float) -> np.ndarray:
    """A picture with grain of its own, up to `strength` each way."""
    noise = (dice.array(*image.shape[:2]) - 0.5) * (2 * strength)
    return cv2.add(image, cv2.merge([noise] * 3), dtype=cv2.CV_8U)


def contrast(dice: Dice) -> tuple[np.ndarray, np.ndarray]:
    """Two colours that are well apart."""
    dark, light = dice.colour(0, 130), dice.colour(110, 255)
    return (dark, light) if dice.yes(0.5) else (light, dark)
