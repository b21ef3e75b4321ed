"""A picture stretched with the numbers of Darknet's image.c resize_image: 8-bit pixels to planes of float32.

Decision: Darknet's own bilinear resize, not OpenCV's: its pixels lie on a grid that includes both borders, and networks
were trained on what it gives. A few rows at a time go from 8-bit pixels to the input, within the processor's cache, and
only rows and columns that the result needs are touched: the cost follows the size of the network, not of the photo.

NumPy gives every bit of Darknet's. OpenCV's `remap` at Darknet's positions differs by the last bit or two, 2.4e-7 at
most, and takes half the time; it is taken where `is_remap_exact`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, lru_cache
from threading import local

import numpy as np

COLOR, MONOCHROME, WITH_ALPHA = 3, 1, 4
REMAPPED = (COLOR, MONOCHROME, WITH_ALPHA)  # numbers of channels
BYTE = np.float32(255)  # image.c divides in double; in float32 the quotient is the same for all 256
TILE = 32  # rows of the result at a time in NumPy
LARGE_TILE = 96  # at most in OpenCV, which keeps less of them at a time
PLANS = 64  # sizes of pictures that are remembered
WIDE = 6  # times as wide as the result: from here on it is cheaper to pick the columns of a picture than to convert all
SMALL = (1 << 15) - 1  # `remap` takes fewer rows, and fewer columns, than this (imgwarp.cpp, an assertion)
CLOSE = 1e-6  # as far as a mixed pixel may be from Darknet's, of 1


@dataclass(frozen=True)
class AxisPart:
    """A side of an image that is resized to `size`, of which `count` from `start` on are wanted."""

    size: int
    start: int
    count: int


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


def _axis(old: int, part: AxisPart) -> _Axis:
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
def _columns(old: int, part: AxisPart) -> tuple[np.ndarray, np.ndarray]:
    """The columns of the image to take, first one for each pixel, then the other for each, and the parts of them."""
    axis = _axis(old, part)
    last = np.arange(part.start, part.start + part.count) >= part.size - 1
    # The last column is a copy; the last row is not, where rounding puts it before the end.
    before = np.where(last, old - 1, axis.before)
    near = np.where(last, np.float32(1), axis.near)
    return np.concatenate([before, axis.after]), np.concatenate([near, axis.far])


@lru_cache(PLANS)
def _tiles(old: int, part: AxisPart, tile: int) -> tuple[_Tile, ...]:
    axis = _axis(old, part)
    tiles = []
    for start in range(0, part.count, tile):
        rows = slice(start, min(start + tile, part.count))
        source, places = np.unique(np.concatenate([axis.before[rows], axis.after[rows]]), return_inverse=True)
        dense = source[-1] - source[0] + 1 == len(source)
        parts = np.concatenate([axis.near[rows], axis.far[rows]])[:, None]
        tiles.append(_Tile(rows, slice(int(source[0]), int(source[-1]) + 1) if dense else source, places, parts))
    return tuple(tiles)


def stretch(image: np.ndarray, planes: np.ndarray, rows: AxisPart, columns: AxisPart) -> None:
    """Fill planes (c, h, w) with a resized image; one channel fills them all."""
    is_small = max(*image.shape[:2], rows.count, columns.count) < SMALL
    if is_small and image.shape[2] in REMAPPED and is_remap_exact():
        stretch_in_opencv(image, planes, rows, columns)
    else:
        stretch_in_numpy(image, planes, rows, columns)


class _Memory(local):
    """Arrays that are used again: pages fresh from the system cost more than the arithmetic on them."""

    def __init__(self) -> None:
        self._kept: dict[str, np.ndarray] = {}

    def array(self, name: str, *shape: int, dtype: type = np.float32) -> np.ndarray:
        """An array of this thread; what was last under that name is in it, or zeros."""
        size = math.prod(shape)
        kept = self._kept.get(name)
        if kept is None or kept.size < size:
            kept = self._kept[name] = np.zeros(size, dtype)
        return kept[:size].reshape(shape)


_memory = _Memory()


def stretch_in_numpy(image: np.ndarray, planes: np.ndarray, rows: AxisPart, columns: AxisPart) -> None:
    """`stretch`, bit by bit as Darknet."""
    taken, parts = _columns(image.shape[1], columns)
    tiles = _tiles(image.shape[0], rows, TILE)
    channels, width = image.shape[2], columns.count
    for tile in tiles:
        both = _memory.array("pixels", channels, tile.height, 2 * width)
        _take(_rows(image, tile.source), taken, both)
        both *= parts
        mixed = _memory.array("across", channels, tile.height, width)
        np.add(both[..., :width], both[..., width:], out=mixed)
        both = _memory.array("down", channels, len(tile.places), width)
        mixed.take(tile.places, 1, out=both, mode="clip")
        both *= tile.parts
        count = len(tile.places) // 2
        np.add(both[:, :count], both[:, count:], out=planes[:, tile.rows])


def _take(strip: np.ndarray, columns: np.ndarray, planes: np.ndarray) -> None:
    """Columns of an image (h, w, c) as (c, h, columns) float32; uint8 is divided by 255."""
    if strip.dtype == np.uint8 and strip.shape[2] == COLOR:
        import cv2

        taken = _picked(_with_alpha(strip), columns)
        for plane, channel in zip(planes, cv2.split(taken), strict=False):
            np.copyto(plane, channel)
    else:
        np.copyto(planes, strip.take(columns, 1).transpose(2, 0, 1))
    if strip.dtype == np.uint8:
        planes /= BYTE


@dataclass(frozen=True, eq=False)
class _Strip:
    """Some rows of the result, and the rows of the image that they need.

    `y` is where each lies among these, (n, 1) float32. `parts` is how much of it there is, (n, 1): 1, but for a last
    row that Darknet's rounding puts before the end; None where all are 1.
    """

    rows: slice
    source: slice | np.ndarray
    height: int
    y: np.ndarray
    parts: np.ndarray | None


@lru_cache(PLANS)
def _strips(old: int, part: AxisPart, most: int) -> tuple[_Strip, ...]:
    strips = []
    for tile in _tiles(old, part, most):
        count = len(tile.places) // 2
        far = tile.parts[count:]
        parts = tile.parts[:count] + far
        y = tile.places[:count, None].astype(np.float32) + far
        strips.append(_Strip(tile.rows, tile.source, tile.height, y, None if (parts == 1).all() else parts))
    return tuple(strips)


@lru_cache(PLANS)
def _across(old: int, part: AxisPart) -> tuple[np.ndarray | None, np.ndarray]:
    """The columns of the image to pick, None for all, and where among them those of the result lie, in float32."""
    both, parts = _columns(old, part)
    before, far = both[: part.count], parts[part.count :]
    if old < WIDE * part.count:
        return None, before.astype(np.float32) + far
    taken, places = np.unique(both, return_inverse=True)
    return taken, places[: part.count].astype(np.float32) + far


def stretch_in_opencv(image: np.ndarray, planes: np.ndarray, rows: AxisPart, columns: AxisPart) -> None:
    """`stretch` by OpenCV, for images of one, three or four channels.

    `remap` gets the places of a strip as one line: it shares lines out to OpenCV's threads, which fall asleep while the
    strip after it is converted, and to wake them for each takes longer than they save.
    """
    import cv2

    tall = min(LARGE_TILE, rows.count, (SMALL - 1) // columns.count)
    strips = _strips(image.shape[0], rows, tall)
    taken, x = _across(image.shape[1], columns)
    width = image.shape[1] if taken is None else len(taken)
    channels = image.shape[2]
    # Four channels are mixed at once, and in half the time of three.
    depth = MONOCHROME if channels == MONOCHROME else WITH_ALPHA
    at = _memory.array("at", 2, tall, columns.count)
    at[0] = x
    each = [number for channel in range(channels) for number in (channel, channel)]
    for strip in strips:
        some = _rows(image, strip.source)
        if channels == COLOR:
            some = _with_alpha(some)
        if taken is not None:
            some = _picked(some, taken)
        if image.dtype == np.uint8:
            # A copy, in two thirds of NumPy's time; it adds 0 times what was there, which must not be NaN.
            some = cv2.accumulateWeighted(some, _memory.array("bytes", strip.height, width, depth), 1)
        count = len(strip.y)
        at[1, :count] = strip.y
        mixed = _memory.array("across", count, columns.count, depth)
        x_line, y_line = at[:, :count].reshape(2, 1, -1)
        line = mixed.reshape(1, -1, depth)
        cv2.remap(some, x_line, y_line, cv2.INTER_LINEAR, dst=line, borderMode=cv2.BORDER_REPLICATE)
        found = planes[:channels, strip.rows]
        cv2.mixChannels([mixed], list(found), each)
        if image.dtype == np.uint8:
            found /= BYTE
        if strip.parts is not None:
            found *= strip.parts
    planes[channels:] = planes[:1]


def _rows(image: np.ndarray, which: slice | np.ndarray) -> np.ndarray:
    """Rows of an image, one after another in memory."""
    if isinstance(which, slice):
        return np.ascontiguousarray(image[which])
    if image.dtype != np.uint8:
        return image.take(which, 0)
    # "clip" is without a look at each number, in half the time.
    rows = _memory.array("rows", len(which), *image.shape[1:], dtype=np.uint8)
    return image.take(which, 0, out=rows, mode="clip")


def _with_alpha(strip: np.ndarray) -> np.ndarray:
    import cv2

    if strip.dtype != np.uint8:
        return cv2.cvtColor(strip, cv2.COLOR_BGR2BGRA)
    words = _memory.array("alpha", *strip.shape[:2], WITH_ALPHA, dtype=np.uint8)
    return cv2.cvtColor(strip, cv2.COLOR_BGR2BGRA, dst=words)


def _picked(strip: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Columns of an image (h, w, 1 or 4): pixels of four bytes are taken in one piece, as numbers of that size."""
    if strip.dtype != np.uint8 or strip.shape[2] != WITH_ALPHA:
        return strip.take(columns, 1)
    words = _memory.array("words", len(strip), len(columns), dtype=np.uint32)
    strip.view(np.uint32)[..., 0].take(columns, 1, out=words, mode="clip")
    return words.view(np.uint8).reshape(len(strip), len(columns), WITH_ALPHA)


@cache
def is_remap_exact() -> bool:
    """Whether this OpenCV mixes pixels at any place between them, as OpenCV 5 does: 4 knows only 32 of such places."""
    import cv2

    at = np.linspace(0, 1, 101, dtype=np.float32)[None]
    for depth in (MONOCHROME, WITH_ALPHA):
        line = np.array([0, 1], np.float32)[None, :, None].repeat(depth, 2)
        found = cv2.remap(line, at, np.zeros_like(at), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if np.abs(found.reshape(-1, depth) - at.T).max() > CLOSE:
            return False
    return True
