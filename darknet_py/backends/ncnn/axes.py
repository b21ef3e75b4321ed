"""What only moves elements: other shapes, other orders of axes, and elements by number.

Invariant: a value of at most 4 axes is a blob of its shape; one of more has no such blob, and is any that holds its
elements in their order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, permutations
from math import prod

import numpy as np

from .layers import MOST_AXES, LayerList, extents, flat

NEAREST, BORDER = 2, 2  # GridSample


def shaped(w: LayerList, blob: list[str], shape: tuple[int, ...]) -> list[str]:
    """A blob of a shape, if there are such."""
    return w.layer("Reshape", blob, **extents(shape)) if len(shape) <= MOST_AXES else blob


def permuted(w: LayerList, blob: list[str], shape: tuple[int, ...], order: tuple[int, ...]) -> list[str]:
    """A blob of a shape with its axes in another order."""
    if len(shape) <= MOST_AXES:
        return w.layer("Permute", blob, p0=_order_type(order))
    for merged, turn in permutes(shape, order):
        blob = w.layer("Permute", shaped(w, blob, merged), p0=_order_type(turn))
    return blob


def _order_type(order: tuple[int, ...]) -> int:
    """ncnn's number for an order of the axes: it counts them as we do, from (0, 1, …) on."""
    return [*permutations(range(len(order)))].index(order)


def permutes(shape: tuple[int, ...], order: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """A transposition of any number of axes as ones of at most 4, each of the elements that the last one left.

    Axes that stay neighbours are one. Of more than 4, the second is brought after the first by changing places with
    those between: they are neighbours from then on, so that there is an axis less each time.

    >>> [*permutes((64, 13, 2, 13, 2), (2, 4, 0, 1, 3))]  # the blocks of [reorg]
    [((832, 2, 13, 2), (1, 3, 0, 2))]
    >>> [*permutes((2, 3, 4, 5, 6), (4, 3, 2, 1, 0))]
    [((24, 5, 6, 1), (0, 2, 1, 3)), ((2, 3, 4, 30), (3, 2, 1, 0))]
    """
    shape, order = _merged(shape, order)
    while len(order) > MOST_AXES:
        first, second = order[:2]
        low, middle, high = (first + 1, second, second + 1) if second > first else (second, second + 1, first + 1)
        cuts = (0, low, middle, high, len(shape))
        yield tuple(prod(shape[a:b]) for a, b in pairwise(cuts)), (0, 2, 1, 3)
        now = [*range(low), *range(middle, high), *range(low, middle), *range(high, len(shape))]
        shape, order = _merged(tuple(shape[i] for i in now), tuple(now.index(i) for i in order))
    yield shape, order


def _merged(shape: tuple[int, ...], order: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The same transposition with the axes that stay neighbours as one, and without those of length 1."""
    runs: list[list[int]] = []
    long = [i for i, n in enumerate(shape) if n > 1] or [0]
    for axis in (long.index(i) for i in order if i in long):
        if runs and axis == runs[-1][-1] + 1:
            runs[-1].append(axis)
        else:
            runs.append([axis])
    places = sorted(runs)
    return tuple(prod(shape[long[i]] for i in run) for run in places), tuple(places.index(run) for run in runs)


def gathered(w: LayerList, blob: list[str], shape: tuple[int, ...], axis: int, indices: Sequence[int]) -> list[str]:
    """Samples at the middles of pixels, in coordinates from -1 to 1, of the axis and what is after it as an image.

    ncnn has both layers in float32 only, so that no coordinate is rounded where a network computes in 16 bits.
    """
    _, height, width = rows = around(shape, axis)
    y, x = np.broadcast_arrays(np.array(indices)[:, None], np.arange(width))
    grid = np.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], axis=-1)
    w.arrays.append(flat(grid))
    places = w.layer("MemoryData", [], **extents(grid.shape))
    return w.layer("GridSample", [*shaped(w, blob, rows), *places], p0=NEAREST, p1=BORDER)


def around(shape: tuple[int, ...], axis: int) -> tuple[int, int, int]:
    """A shape as what is before an axis, the axis, and what is after it."""
    return prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])
