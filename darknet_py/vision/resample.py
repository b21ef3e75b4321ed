"""Pictures resized as Pillow resizes them, number for number: what networks of PyTorch's programs were trained on.

Decision: Pillow's own arithmetic instead of a dependency. Its weights are whole numbers of 22 bits, and 8-bit results
are rounded after each of its two passes, along rows first; sums of such products are exact in float64, in any order, so
a matrix product gives the same bits. Only what the middle of the picture needs is computed. (Pillow 13 takes columns
first where a picture is more than twice as high as wide: there a pixel may differ by rounding.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .preprocess import fit
from .stretch import BYTE, PLANS

BITS = 22  # of a weight after its point (Pillow's Resample.c: 32 - 8 - 2)
BLOCK = 16  # pixels of the result that are computed from one strip
ROWS = 64  # of the picture at a time


def _bilinear(x: np.ndarray) -> np.ndarray:
    return np.maximum(1 - np.abs(x), 0)


def _bicubic(x: np.ndarray) -> np.ndarray:
    """Keys' cubic with a = -0.5."""
    a, x = -0.5, np.abs(x)
    near = ((a + 2) * x - (a + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0))


# The filter of each interpolation, and how far it reaches.
FILTERS: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "bilinear": (_bilinear, 1.0),
    "bicubic": (_bicubic, 2.0),
}


@dataclass(frozen=True, eq=False)
class _Strip:
    """The pixels `first` to `last` of an axis, and what each weighs in the results from `start` on: (pixels, results).

    `exact` are the weights as they are, `whole` as Pillow has them for 8-bit pictures.
    """

    start: int
    first: int
    last: int
    exact: np.ndarray
    whole: np.ndarray


def to_center_resampled(image: np.ndarray, interpolation: str, edge: int, out: np.ndarray) -> np.ndarray:
    """The middle of an image (h, w, c) in BGR whose shorter side gets `edge` pixels (0: the width of `out`).

    `interpolation` is a key of `FILTERS`, `out` the input of a network (c, h, w) to write into, in RGB. Sizes are those
    of torchvision's Resize and CenterCrop, and of mmpretrain's ResizeEdge and CenterCrop; where the middle is larger
    than the picture, its border is repeated. uint8 is rounded as Pillow does it and divided by 255, float32 is not.
    Raises `DataError` for what is no image of as many channels.
    """
    image, planes = fit(image, out, bgr=True)
    height, width = image.shape[:2]
    edge = edge or out.shape[2]
    new_h, new_w = (int(edge * height / width), edge) if width < height else (edge, int(edge * width / height))
    rows = _strips(height, max(1, new_h), out.shape[1], interpolation)
    columns = _strips(width, max(1, new_w), out.shape[2], interpolation)
    first, last = min(s.first for s in rows), max(s.last for s in rows)
    across = np.empty((last - first, out.shape[2], image.shape[2]), image.dtype)
    for top in range(first, last, ROWS):
        part = image[top : min(top + ROWS, last)]
        for strip in columns:
            mixed = _mix(part[:, strip.first : strip.last].swapaxes(1, 2), strip)
            across[top - first : top - first + len(part), strip.start : strip.start + mixed.shape[2]] = mixed.swapaxes(
                1, 2
            )
    for strip in rows:
        lines = across[strip.first - first : strip.last - first].transpose(2, 1, 0)
        planes[:, strip.start : strip.start + strip.whole.shape[1]] = _mix(lines, strip).swapaxes(1, 2)
    if image.dtype == np.uint8:
        planes /= BYTE
    return out


def _mix(pixels: np.ndarray, strip: _Strip) -> np.ndarray:
    """The weighted sums along the last axis."""
    if pixels.dtype != np.uint8:
        return np.matmul(pixels.astype(np.float64), strip.exact).astype(np.float32)
    sums = np.matmul(pixels.astype(np.float64), strip.whole)  # whole numbers below 2 ** 53
    sums += 1 << (BITS - 1)
    return np.clip(np.floor(np.ldexp(sums, -BITS)), 0, 255).astype(np.uint8)


@lru_cache(PLANS)
def _strips(old: int, new: int, wanted: int, interpolation: str) -> tuple[_Strip, ...]:
    """An axis of `old` pixels resized to `new`, of which the `wanted` middle ones are kept (Pillow's Resample.c)."""
    function, reach = FILTERS[interpolation]
    scale = old / new
    stretch = max(scale, 1.0)
    start = round((new - wanted) / 2)  # to even, as Python's round in both programs
    kept = np.clip(np.arange(start, start + wanted), 0, new - 1)
    strips = []
    for at in range(0, wanted, BLOCK):
        centres = (kept[at : at + BLOCK] + 0.5) * scale
        lows = np.maximum((centres - reach * stretch + 0.5).astype(np.int64), 0)  # a cast cuts towards 0, as C's
        highs = np.minimum((centres + reach * stretch + 0.5).astype(np.int64), old)
        first, last = int(lows.min()), int(highs.max())
        pixels = np.arange(first, last)[:, None]
        weights = function((pixels - centres + 0.5) / stretch)
        weights[(pixels < lows) | (pixels >= highs)] = 0
        weights /= weights.sum(0)
        whole = np.trunc(weights * (1 << BITS) + np.copysign(0.5, weights))
        strips.append(_Strip(at, first, last, weights, whole))
    return tuple(strips)
