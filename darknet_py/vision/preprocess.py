"""From a photo to the input of a network, number for number as Darknet's image.c does it.

Decision: Darknet's own bilinear resize, not OpenCV's: its pixels lie on a grid that includes both borders, and networks
were trained on what it gives. A few rows at a time go from 8-bit pixels to the input, within the processor's cache, and
only rows and columns that the result needs are touched: the cost follows the size of the network, not of the photo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ..contract.boxes import letterbox_size
from ..errors import DataError

GREY = 0.5  # image.c letterbox_image fills the canvas with it
COLOR, MONOCHROME, WITH_ALPHA = 3, 1, 4
BYTE = np.float32(255)  # image.c divides in double; in float32 the quotient is the same for all 256
TILE = 32  # rows of the result at a time
PLANS = 64  # sizes of pictures that are remembered


def to_input(
    image: np.ndarray,
    net_shape: tuple[int, ...],
    letterbox: bool = False,
    *,
    bgr: bool = False,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """An image (h, w, c) as the input (c, h, w) float32 of a network: stretched, or scaled and padded with grey.

    uint8 is divided by 255, float32 is taken as it is; (h, w) is one channel. Grey is repeated for a network with three
    channels, RGB becomes grey for a network with one, and alpha is left out for both. With `bgr` the image is BGR or
    BGRA, and the network gets R, G, B and alpha all the same. `out` is the array to write into. Raises `DataError` for
    any other mismatch.
    """
    result = _new(net_shape) if out is None else out
    image, planes = fit(image, result, bgr)
    h, w = planes.shape[1:]
    if letterbox:
        h, w = letterbox_size(image.shape[:2], (h, w))
        top, left = (planes.shape[1] - h) // 2, (planes.shape[2] - w) // 2
        result[:] = GREY
        planes = planes[:, top : top + h, left : left + w]
    _stretch(image, planes, _Part(h, 0, h), _Part(w, 0, w))
    return result


def to_center(
    image: np.ndarray,
    net_shape: tuple[int, ...],
    *,
    bgr: bool = False,
    out: np.ndarray | None = None,
    edge: int = 0,
) -> np.ndarray:
    """The middle of an image whose shorter side has the network's width (classifier.c predict_classifier), or `edge`.

    Everything else is as in `to_input`.
    """
    result = _new(net_shape) if out is None else out
    image, planes = fit(image, result, bgr)
    net_h, net_w = planes.shape[1:]
    h, w = image.shape[:2]
    # image.c resize_min, in whole numbers
    edge = edge or net_w
    new_h, new_w = (h * edge // w, edge) if w < h else (edge, w * edge // h)
    _stretch(image, planes, _middle(max(1, new_h), net_h), _middle(max(1, new_w), net_w))
    return result


def resize_image(image: np.ndarray, h: int, w: int) -> np.ndarray:
    """Stretch an image (h, w, c) to (c, h, w) float32 (image.c resize_image).

    >>> resize_image(np.float32([[0, 1]])[..., None], 1, 3).tolist()
    [[[0.0, 0.5, 1.0]]]
    """
    return to_input(image, (image.shape[2], h, w))


def _new(net_shape: tuple[int, ...]) -> np.ndarray:
    if len(net_shape) != 3:
        raise DataError(f"the network wants {net_shape}, which is no image")
    return np.empty(net_shape, np.float32)


def fit(image: np.ndarray, result: np.ndarray, bgr: bool) -> tuple[np.ndarray, np.ndarray]:
    """The image with channels that fit, and the planes of the result in the order of these channels."""
    channels = len(result)
    image = image[..., None] if image.ndim == 2 else image
    if image.ndim != 3 or not image.size or image.dtype not in (np.uint8, np.float32):
        raise DataError(f"an image is a uint8 or float32 array (h, w, c), not {image.dtype} {image.shape}")
    if image.shape[2] == WITH_ALPHA and channels in (COLOR, MONOCHROME):
        image = image[:, :, :COLOR]
    if image.shape[2] == MONOCHROME and channels in (COLOR, MONOCHROME):
        return image, result
    if image.shape[2] == channels == WITH_ALPHA and bgr:
        import cv2

        # image_opencv.cpp load_image_mat_cv does the same under the name COLOR_RGBA2BGRA
        return cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_BGRA2RGBA), result
    if image.shape[2] == channels:
        return image, result[::-1] if bgr and channels == COLOR else result
    if image.shape[2] == COLOR and channels == MONOCHROME:
        import cv2

        kind = cv2.COLOR_BGR2GRAY if bgr else cv2.COLOR_RGB2GRAY
        return cv2.cvtColor(np.ascontiguousarray(image), kind)[..., None], result
    raise DataError(f"the image has {image.shape[2]} channels, and the network wants {channels}")


@dataclass(frozen=True)
class _Part:
    """A side of an image that is resized to `size`, of which `count` from `start` on are wanted."""

    size: int
    start: int
    count: int


def _middle(have: int, want: int) -> _Part:
    """The `want` middle ones of `have`; the border is repeated where there are too few (image.c crop_image)."""
    return _Part(have, int((have - want) / 2), want)  # C cuts towards zero


@dataclass(frozen=True, eq=False)
class _Axis:
    """For each pixel of the result the two pixels of the image that it is mixed from, and how much of each."""

    before: np.ndarray
    after: np.ndarray
    near: np.ndarray
    far: np.ndarray


@dataclass(frozen=True, eq=False)
class _Tile:
    """Some rows of the result, the rows of the image that they need, and where among these the two of each row are.

    `places` and `parts` have the first of the two for each row, then the second for each.
    """

    rows: slice
    source: slice | np.ndarray
    places: np.ndarray
    parts: np.ndarray

    @property
    def height(self) -> int:
        """How many rows of the image are needed."""
        return len(self.source) if isinstance(self.source, np.ndarray) else self.source.stop - self.source.start


def _axis(old: int, part: _Part) -> _Axis:
    """Positions as image.c resize_image has them, in float32."""
    scale = np.float32(old - 1) / np.float32(max(part.size - 1, 1))
    wanted = np.clip(np.arange(part.start, part.start + part.count), 0, part.size - 1)
    exact = wanted.astype(np.float32) * scale
    before = exact.astype(np.intp)
    far = exact - before.astype(np.float32)
    near = 1 - far
    # Nothing is mixed into the last one.
    far[wanted == part.size - 1] = 0
    return _Axis(before, np.minimum(before + 1, old - 1), near, far)


@lru_cache(PLANS)
def _columns(old: int, part: _Part) -> tuple[np.ndarray, np.ndarray]:
    """The columns of the image to take, first one for each pixel, then the other for each, and the parts of them."""
    axis = _axis(old, part)
    last = np.arange(part.start, part.start + part.count) >= part.size - 1
    # The last column is a copy; the last row is not, where rounding puts it before the end.
    before = np.where(last, old - 1, axis.before)
    near = np.where(last, np.float32(1), axis.near)
    return np.concatenate([before, axis.after]), np.concatenate([near, axis.far])


@lru_cache(PLANS)
def _tiles(old: int, part: _Part) -> tuple[_Tile, ...]:
    axis = _axis(old, part)
    tiles = []
    for start in range(0, part.count, TILE):
        rows = slice(start, min(start + TILE, part.count))
        source, places = np.unique(np.concatenate([axis.before[rows], axis.after[rows]]), return_inverse=True)
        dense = source[-1] - source[0] + 1 == len(source)
        parts = np.concatenate([axis.near[rows], axis.far[rows]])[:, None]
        tiles.append(_Tile(rows, slice(int(source[0]), int(source[-1]) + 1) if dense else source, places, parts))
    return tuple(tiles)


def _stretch(image: np.ndarray, planes: np.ndarray, rows: _Part, columns: _Part) -> None:
    """Fill planes (c, h, w) with a resized image; one channel fills them all."""
    taken, parts = _columns(image.shape[1], columns)
    tiles = _tiles(image.shape[0], rows)
    # Made once: fresh memory for each tile would cost as much as the arithmetic.
    channels, height, width = image.shape[2], max(t.height for t in tiles), columns.count
    pixels, across, down = (
        np.empty(channels * n * width, np.float32) for n in (2 * height, height, 2 * min(TILE, rows.count))
    )
    for tile in tiles:
        both = _part(pixels, channels, tile.height, 2 * width)
        _take(image[tile.source], taken, both)
        both *= parts
        mixed = np.add(both[..., :width], both[..., width:], out=_part(across, channels, tile.height, width))
        both = mixed.take(tile.places, 1, out=_part(down, channels, len(tile.places), width), mode="clip")
        both *= tile.parts
        count = len(tile.places) // 2
        np.add(both[:, :count], both[:, count:], out=planes[:, tile.rows])


def _part(memory: np.ndarray, *shape: int) -> np.ndarray:
    """An array in memory that may be too large."""
    return memory[: math.prod(shape)].reshape(shape)


def _take(strip: np.ndarray, columns: np.ndarray, planes: np.ndarray) -> None:
    """Columns of an image (h, w, c) as (c, h, columns) float32; uint8 is divided by 255."""
    if strip.dtype == np.uint8 and strip.shape[2] == COLOR:
        import cv2

        # Pixels of four bytes are taken in one piece, several times as fast as of three.
        words = cv2.cvtColor(np.ascontiguousarray(strip), cv2.COLOR_BGR2BGRA).view(np.uint32)[..., 0]
        taken = words.take(columns, 1).view(np.uint8).reshape(len(strip), len(columns), 4)
        for plane, channel in zip(planes, cv2.split(taken), strict=False):
            np.copyto(plane, channel)
    else:
        np.copyto(planes, strip.take(columns, 1).transpose(2, 0, 1))
    if strip.dtype == np.uint8:
        planes /= BYTE
