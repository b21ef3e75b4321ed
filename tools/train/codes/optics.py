"""Light and the camera: what happens to a scene on its way to a file.

Decision: everything is done at the size of the picture, in bytes, and the light in one multiplication: these passes
are most of the time that a picture takes.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from .dice import Dice
from .textures import field, plane


def photographed(dice: Dice, image: np.ndarray, strength: float = 1.0) -> np.ndarray:
    """The scene (h, w, 3) uint8 as a camera or a scanner gives it; `strength` 0 is nearly nothing."""
    if dice.yes(0.75 * strength):
        image = lit(dice, image)
    if dice.yes(0.16 * strength):
        image = glare(dice, image)
    image = toned(dice, image, strength)
    if dice.yes(0.55 * strength):
        image = blurred(dice, image)
    if dice.yes(0.18 * strength):
        image = coarse(dice, image)
    if dice.yes(0.12 * strength):
        image = sharpened(dice, image)
    if dice.yes(0.6 * strength):
        image = noisy(dice, image, dice.ratio(2, 24))
    if dice.yes(0.25 + 0.4 * strength):
        image = compressed(dice, image)
    return image


def lit(dice: Dice, image: np.ndarray) -> np.ndarray:
    """Uneven light, and shadows with soft or hard edges."""
    size = len(image)
    depth = dice.between(0.1, 0.75)
    light = 1 + depth * (field(dice, size, dice.whole(2, 4)) - 0.6)
    for _ in range(dice.of((0, 0, 1, 1, 2))):
        edge = plane(dice, size, dice.between(0, 2 * math.pi), size) - dice.between(0.1, 0.9)
        sharp = dice.ratio(3, 80)
        light *= 1 - dice.between(0.15, 0.55) * np.clip(0.5 + edge * sharp, 0, 1)
    light = np.clip(light, 0.2, 1.6).astype(np.float32)
    return cv2.multiply(image, cv2.merge([light] * 3), dtype=cv2.CV_8U)


def glare(dice: Dice, image: np.ndarray) -> np.ndarray:
    """A lamp in a shiny surface, or a band of light along it."""
    size = len(image)
    y, x = np.ogrid[:size, :size]
    turn = dice.between(0, math.pi)
    dx, dy = x - dice.between(0, size), y - dice.between(0, size)
    along, across = dx * math.cos(turn) + dy * math.sin(turn), dy * math.cos(turn) - dx * math.sin(turn)
    long, wide = dice.ratio(0.04, 1.2) * size, dice.ratio(0.03, 0.25) * size
    spot = np.exp(-((along / long) ** 2 + (across / wide) ** 2)) * dice.between(60, 260)
    return cv2.add(image, cv2.merge([spot.astype(np.float32)] * 3), dtype=cv2.CV_8U)


def toned(dice: Dice, image: np.ndarray, strength: float) -> np.ndarray:
    """Exposure, contrast, the colour of the light; and grey pictures."""
    if dice.yes(0.25):
        image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        cast = np.zeros(3)
    else:
        cast = (dice.array(3).astype(np.float64) - 0.5) * (0.35 * strength if dice.yes(0.5) else 0.08)
    low = dice.between(0, 70) * strength * dice.yes(0.5)
    high = 255 - dice.between(0, 90) * strength * dice.yes(0.5)
    gamma = dice.ratio(0.6, 1.5) if dice.yes(0.6 * strength) else 1.0
    curve = low + (high - low) * np.linspace(0, 1, 256) ** gamma
    table = np.clip(curve[:, None] * (1 + cast), 0, 255).astype(np.uint8)[None]
    return cv2.LUT(image, table)


def blurred(dice: Dice, image: np.ndarray) -> np.ndarray:
    """Out of focus, or moved."""
    size = len(image)
    if dice.yes(0.6):
        return cv2.GaussianBlur(image, (0, 0), dice.ratio(0.35, 0.011 * size))
    length = dice.ratio(2, 0.05 * size)
    turn = dice.between(0, math.pi)
    reach = int(length / 2) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.uint8)
    dx, dy = math.cos(turn) * length / 2, math.sin(turn) * length / 2
    begin = round((reach - dx) * 16), round((reach - dy) * 16)
    end = round((reach + dx) * 16), round((reach + dy) * 16)
    cv2.line(kernel, begin, end, 255, 1, cv2.LINE_AA, 4)
    return cv2.filter2D(image, -1, kernel.astype(np.float32) / max(1, int(kernel.sum())))


def coarse(dice: Dice, image: np.ndarray) -> np.ndarray:
    """Few pixels, enlarged again."""
    size = len(image)
    few = int(size / dice.ratio(1.2, 2.6))
    small = cv2.resize(image, (few, few), interpolation=dice.of((cv2.INTER_AREA, cv2.INTER_LINEAR)))
    how = dice.of((cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_NEAREST))
    return cv2.resize(small, (size, size), interpolation=how)


def sharpened(dice: Dice, image: np.ndarray) -> np.ndarray:
    """With the light edges that cameras draw."""
    share = dice.between(0.3, 1.5)
    return cv2.addWeighted(image, 1 + share, cv2.GaussianBlur(image, (0, 0), dice.between(0.7, 2)), -share, 0)


def noisy(dice: Dice, image: np.ndarray, strength: float) -> np.ndarray:
    """The noise of a sensor, partly the same in all colours."""
    noise = dice.array(*image.shape) if dice.yes(0.5) else cv2.merge([dice.array(*image.shape[:2])] * 3)
    noise -= 0.5
    noise *= 2 * strength
    return cv2.add(image, noise, dtype=cv2.CV_8U)


def compressed(dice: Dice, image: np.ndarray) -> np.ndarray:
    """Through a JPEG file."""
    _, data = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, int(dice.between(18, 96))))
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
