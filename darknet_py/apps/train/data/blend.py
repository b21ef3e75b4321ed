"""What makes a picture worse on purpose, or two into one: blur, noise, mixup.

Decision: blur and noise work on 8 bits, before pictures are mixed, and mixup on float32, as in Darknet's OpenCV build.
"""

from __future__ import annotations

import cv2
import numpy as np

BACKGROUND = 1  # a blur of all but the boxes
BACKGROUND_KERNEL = 17  # image_opencv.cpp image_data_augmentation
LEAST_SIDES = 8  # a blur is at most this part of the smallest side of a box
MOST_NOISE = 127


def allowed_blur(blur: int, smallest: int) -> int:
    """A blur that leaves the smallest box (`smallest` pixels) recognizable: 0 is none (data.c load_data_detection).

    >>> allowed_blur(10, 40), allowed_blur(10, 0), allowed_blur(1, 0)
    (5, 0, 1)
    """
    return smallest // LEAST_SIDES if blur > BACKGROUND and smallest // LEAST_SIDES < blur else blur


def blurred(pixels: np.ndarray, blur: int, rows: np.ndarray) -> np.ndarray:
    """Pixels uint8 after a Gaussian blur: 1 spares the boxes of `rows` (n, 6), more blurs all (image_opencv.cpp).

    The kernel has 17, or `blur` rounded up to an odd number of pixels.
    """
    if not blur:
        return pixels
    side = BACKGROUND_KERNEL if blur == BACKGROUND else blur // 2 * 2 + 1
    result = cv2.GaussianBlur(pixels, (side, side), 0)
    if blur != BACKGROUND:
        return result
    height, width = pixels.shape[:2]
    for x, y, w, h in rows[:, :4].astype(np.float64):
        left, top = int((x - w / 2) * width), int((y - h / 2) * height)
        right, bottom = left + int(np.float32(w) * width), top + int(np.float32(h) * height)
        here = slice(max(0, top), max(0, bottom)), slice(max(0, left), max(0, right))
        result[here] = pixels[here]
    return result


def noisy(pixels: np.ndarray, noise: int, generator: np.random.Generator) -> np.ndarray:
    """Pixels uint8 with Gaussian noise of a standard deviation of `noise`, whose lower half is cut off.

    Darknet draws it into 8 bits around 0 (image_opencv.cpp), where nothing is below 0: pictures only get brighter.
    """
    spread = min(max(noise, 0), MOST_NOISE)
    drawn = generator.standard_normal(pixels.shape, np.float32) * np.float32(spread)
    return cv2.add(pixels, np.clip(np.rint(drawn), 0, 255).astype(np.uint8)).reshape(pixels.shape)


def mix(image: np.ndarray, other: np.ndarray) -> None:
    """Make `image` the mean of it and another one, float32 of the same shape."""
    image += other
    image *= np.float32(0.5)


def join_rows(rows: np.ndarray, others: np.ndarray, slots: int) -> np.ndarray:
    """The rows (n, 6) of two pictures that became one, up to `slots`; the second's have no track (blend_truth)."""
    second = others[: max(0, slots - len(rows))].copy()
    second[:, 5] = 0
    return np.concatenate([rows, second])
