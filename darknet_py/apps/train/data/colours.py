"""Hue, saturation and exposure of pictures, changed as Darknet changes them.

Decision: detectors learned colours from Darknet's OpenCV build, in whole numbers of 8 bits: a hue below 0 becomes 0,
one above 179 goes on around the circle when it is turned back into colours. Classifiers learned them in float32 in
every build, with a hue that goes around (image.c distort_image); both are here under a name of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

HUES = 179  # image_opencv.cpp: what a whole shift of 1 adds to OpenCV's hues


@dataclass(frozen=True)
class Tint:
    """A change of colours: `hue` is added in parts of the circle, the others are factors."""

    hue: float = 0.0
    saturation: float = 1.0
    exposure: float = 1.0

    @property
    def is_none(self) -> bool:
        """Whether colours stay."""
        return self.hue == 0 and self.saturation == 1 and self.exposure == 1


SAME = Tint()


def tint_bytes(pixels: np.ndarray, tint: Tint) -> np.ndarray:
    """Pixels (h, w), (h, w, 3) or (h, w, 4) uint8 in BGR with other colours (image_opencv.cpp).

    Grey ones get brighter or darker, alpha stays. The result may be `pixels` itself.
    """
    if tint.is_none:
        return pixels
    if pixels.ndim == 2 or pixels.shape[2] < 3:
        return cv2.LUT(pixels, _scaled(tint.exposure)).reshape(pixels.shape)
    hsv = cv2.cvtColor(pixels[..., :3], cv2.COLOR_BGR2HSV)
    hues = np.clip(np.rint(np.arange(256) + HUES * tint.hue), 0, 255).astype(np.uint8)
    table = np.stack([hues, _scaled(tint.saturation), _scaled(tint.exposure)], 1)[None]
    changed = cv2.cvtColor(cv2.LUT(hsv, table), cv2.COLOR_HSV2BGR)
    return changed if pixels.shape[2] == 3 else np.dstack([changed, pixels[..., 3]])


def _scaled(factor: float) -> np.ndarray:
    """256 numbers times a factor, in 8 bits."""
    return np.clip(np.rint(np.arange(256, dtype=np.float32) * np.float32(factor)), 0, 255).astype(np.uint8)


def tint_floats(image: np.ndarray, tint: Tint) -> np.ndarray:
    """An image (h, w, c) float32 in RGB, 0 to 1, with other colours, cut to 0 and 1 (image.c distort_image).

    One channel gets brighter or darker.
    """
    if image.shape[2] < 3:
        return np.clip(image * np.float32(tint.exposure), 0, 1)
    h, s, v = cv2.split(cv2.cvtColor(image[..., :3], cv2.COLOR_RGB2HSV))
    turned = np.remainder(h / np.float32(360) + np.float32(tint.hue), 1) * np.float32(360)
    hsv = cv2.merge([turned, s * np.float32(tint.saturation), v * np.float32(tint.exposure)])
    changed = np.clip(cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB), 0, 1)
    return changed if image.shape[2] == 3 else np.dstack([changed, image[..., 3:]])
