"""The objects of a mini batch as Darknet reads them: in order, up to the first row without an x.

Decision: what the objects alone decide (which cell, which anchor, in which order) is worked out on the CPU, where the
truth is, so that a GPU is never waited for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Objects:
    """All objects of a mini batch, picture after picture, on the CPU.

    `image` (n,) is the number of the picture, `boxes` (n, 4) x, y, w, h, `classes` (n,). `listed` (B, most, 4) has the
    same boxes for each picture, filled up with boxes without size, and `listed_classes` (B, most) their classes.
    `skipped` is the number of rows with a class that the head does not have, or with a number that is none.
    """

    image: Tensor
    boxes: Tensor
    classes: Tensor
    listed: Tensor
    listed_classes: Tensor
    skipped: int

    def __len__(self) -> int:
        return len(self.image)


def read_objects(truth: Tensor, batch: int, classes: int, most: int) -> Objects:
    """The objects of a truth (batch, rows, 6: x, y, w, h, class, track), of which Darknet reads the first `most`.

    A row with x == 0 ends the list. Rows with a class outside of 0 … classes - 1 are left out, as are those with a
    number that is not finite (Darknet writes out of bounds with a NaN). `ValueError` for a truth of another shape.
    """
    if truth.ndim != 3 or len(truth) != batch or truth.shape[2] < 5:
        raise ValueError(f"truth is ({batch}, rows, 6) for {batch} pictures, not {tuple(truth.shape)}")
    rows = truth.detach().to("cpu", torch.float32)[:, :most]
    listed = (rows[..., 0] != 0).long().cumprod(1).bool()
    finite = torch.isfinite(rows[..., :5]).all(-1)
    numbers = torch.where(finite, rows[..., 4], -1.0).clamp(-1, classes).long()  # towards 0, as C
    good = listed & finite & (numbers >= 0) & (numbers < classes)
    at = good.nonzero()
    image = at[:, 0]
    boxes, kinds = rows[good][:, :4], numbers[good]
    counts = good.sum(1)
    width = int(counts.max()) if len(counts) else 0
    place = (good.cumsum(1) - 1)[good]
    packed, packed_classes = torch.zeros(len(rows), width, 4), torch.zeros(len(rows), width, dtype=torch.long)
    packed[image, place], packed_classes[image, place] = boxes, kinds
    return Objects(image, boxes, kinds, packed, packed_classes, int((listed & ~good).sum()))


def cells_of(places: Tensor, size: int) -> Tensor:
    """The column (or row) of places in parts of the picture, for `size` columns.

    The product is rounded to float32 before it is truncated: 0.9 of 10 is in column 9. A place at the far edge, or
    beyond one, belongs to the last column there (Darknet: to the first of the next row).

    >>> cells_of(torch.tensor([0.05, 0.9, 1.0, -0.3]), 10).tolist()
    [0, 9, 9, 0]
    """
    return (places * size).clamp(0, size - 1).long()


def turns(places: Sequence[int] | np.ndarray) -> Iterator[np.ndarray]:
    """The positions of things, in turns: within a turn no two have the same place, and in a place the order stays.

    >>> [turn.tolist() for turn in turns([7, 3, 7, 7])]
    [[0, 1], [2], [3]]
    """
    places = np.asarray(places)
    order = np.argsort(places, kind="stable")
    ordered = places[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]]) if len(places) else np.zeros(0, int)
    rank = np.empty(len(places), int)
    rank[order] = np.arange(len(places)) - np.repeat(first, np.diff(np.r_[first, len(places)]))
    for turn in range(rank.max() + 1 if len(places) else 0):
        yield np.flatnonzero(rank == turn)
