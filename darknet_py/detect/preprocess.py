"""From a photo to the input of a network, number for number as Darknet's image.c does it.

Decision: Darknet's own bilinear resize, not OpenCV's: its pixels lie on a grid that includes both borders, and networks
were trained on what it gives. Only the rows and columns that the result needs are touched, so the cost follows the size
of the network and not that of the photo.
"""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from .boxes import letterbox_size

GREY = 0.5  # image.c letterbox_image fills the canvas with it
COLOR, MONOCHROME = 3, 1
_UNIT = (np.arange(256) / 255).astype(np.float32)  # image.c divides in double


def to_input(image: np.ndarray, net_shape: tuple[int, ...], letterbox: bool = False) -> np.ndarray:
    """An image (h, w, c) as the input (c, h, w) float32 of a network: stretched, or scaled and padded with grey.

    uint8 is divided by 255, float32 is taken as it is; (h, w) is one channel. Grey is repeated for a network with three
    channels, RGB becomes grey for a network with one. Raises `DataError` for any other mismatch.
    """
    if len(net_shape) != 3:
        raise DataError(f"the network wants {net_shape}, which is no image")
    channels, h, w = net_shape
    image = _with_channels(image, channels)
    if not letterbox:
        return resize_image(image, h, w)
    new_h, new_w = letterbox_size(image.shape[:2], (h, w))
    canvas = np.full(net_shape, GREY, np.float32)
    top, left = (h - new_h) // 2, (w - new_w) // 2
    canvas[:, top : top + new_h, left : left + new_w] = resize_image(image, new_h, new_w)
    return canvas


def _with_channels(image: np.ndarray, channels: int) -> np.ndarray:
    image = image[..., None] if image.ndim == 2 else image
    if image.ndim != 3 or not image.size or image.dtype not in (np.uint8, np.float32):
        raise DataError(f"an image is a uint8 or float32 array (h, w, c), not {image.dtype} {image.shape}")
    if image.shape[2] == channels:
        return image
    if image.shape[2] == MONOCHROME and channels == COLOR:
        return np.broadcast_to(image, (*image.shape[:2], COLOR))
    if image.shape[2] == COLOR and channels == MONOCHROME:
        import cv2

        return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None]
    raise DataError(f"the image has {image.shape[2]} channels, and the network wants {channels}")


def resize_image(image: np.ndarray, h: int, w: int) -> np.ndarray:
    """Stretch an image (h, w, c) to (c, h, w) float32 (image.c resize_image).

    >>> resize_image(np.float32([[0, 1]])[..., None], 1, 3).tolist()
    [[[0.0, 0.5, 1.0]]]
    """
    old_h, old_w = image.shape[:2]
    if (old_h, old_w) == (h, w):
        return np.ascontiguousarray(_unit(image).transpose(2, 0, 1))
    top, down = _positions(old_h, h)
    rows, at = np.unique(np.concatenate([top, np.minimum(top + 1, old_h - 1)]), return_inverse=True)
    part = _resize_rows(image[rows], w)
    down = down[:, None]
    result = part.take(at[:h], 1)
    result *= 1 - down
    # The last row has no row below to be mixed with.
    stop = h - 1 if old_h > 1 else 0
    lower = part.take(at[h : h + stop], 1)
    lower *= down[:stop]
    result[:, :stop] += lower
    return result


def _resize_rows(image: np.ndarray, w: int) -> np.ndarray:
    """Stretch the rows of (h, old, c) to (c, h, w)."""
    old = image.shape[1]
    left, right = _positions(old, w)
    # The last column is a copy.
    left[-1], right[-1] = old - 1, 0
    planes = image.transpose(2, 0, 1)
    result = _unit(planes.take(left, 2))
    result *= 1 - right
    other = _unit(planes.take(np.minimum(left + 1, old - 1), 2))
    other *= right
    result += other
    return result


def _positions(old: int, new: int) -> tuple[np.ndarray, np.ndarray]:
    """Where the pixels of a resized axis lie: the pixel before, and the part of the way to the next, in float32."""
    scale = np.float32(old - 1) / np.float32(max(new - 1, 1))
    exact = np.arange(new, dtype=np.float32) * scale
    before = exact.astype(np.intp)
    return before, exact - before.astype(np.float32)


def _unit(pixels: np.ndarray) -> np.ndarray:
    """Pixels as float32, uint8 divided by 255; always a new array."""
    return _UNIT.take(pixels) if pixels.dtype == np.uint8 else pixels.astype(np.float32)
