"""Non-maximum suppression as Darknet does it: class by class, greedy, by one of three measures of overlap.

Decision: all pairs of boxes of one class are measured at once, for all classes; then whole generations of boxes are
settled at a time, so there is no loop over boxes. Only a crowd, whose pairs would fill the memory, goes in parts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from .candidates import Candidates
from .thresholds import IOU

NMS_KINDS = ("default", "greedynms", "diounms", "cornersnms")
GREEDY_BETA = 0.6  # box.c box_diou; `beta_nms` only reaches diounms
CROWD = 128  # boxes of one class, 8,128 pairs


def nms(
    candidates: Candidates, kind: str = "default", iou: float = IOU, beta: float = 0.6, *, agnostic: bool = False
) -> Candidates:
    """The same candidates with the probability of every suppressed (box, class) set to 0.

    `kind` is one of `NMS_KINDS`: 'default' and 'cornersnms' compare the IoU with `iou`, 'diounms' the IoU less
    (d² / c²) ^ `beta` for the distance d of the centres and the diagonal c of the hull, 'greedynms' the same with 0.6.
    `agnostic` (not Darknet's): a box suppresses those of other classes too, and keeps only its surest class.
    """
    overlap = _overlap(kind, beta)
    row, label = candidates.likely
    if len(row) < 2:
        return candidates
    group = np.zeros_like(label) if agnostic else label
    order = np.lexsort((-candidates.probabilities[row, label], group))
    row, label, group = row[order], label[order], group[order]
    alive = _alive(candidates.boxes[row], group, overlap, iou)
    kept = candidates.probabilities.copy()
    kept[row[~alive], label[~alive]] = 0
    return replace(candidates, probabilities=kept)


Overlap = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _overlap(kind: str, beta: float) -> Overlap:
    if kind in ("default", "cornersnms"):
        return box_iou
    return partial(box_diou, beta=beta if kind == "diounms" else GREEDY_BETA)


def _alive(boxes: np.ndarray, label: np.ndarray, overlap: Overlap, iou: float) -> np.ndarray:
    """Which of n boxes survive; they are sorted by class and, in a class, the surest first."""
    alive = np.ones(len(boxes), bool)
    if len(boxes) <= CROWD:
        place = np.arange(len(label))
        first, second = np.nonzero((label[:, None] == label) & (place[:, None] < place))
    else:
        size = np.bincount(label)
        for k in np.flatnonzero(size > CROWD):
            rows = np.flatnonzero(label == k)
            alive[rows] = _alive_in_crowd(boxes[rows], overlap, iou)
        first, second = _pairs(label, np.where(size > CROWD, 0, size)[label])
    near = overlap(boxes[first], boxes[second]) > iou
    first, second = first[near], second[near]
    while first.size:
        # Sure to survive is what nothing surer, and itself not suppressed, overlaps.
        sure = alive.copy()
        sure[second] = False
        alive[second[sure[first]]] = False
        open_ = alive[first] & alive[second] & ~sure[first]
        first, second = first[open_], second[open_]
    return alive


def _pairs(label: np.ndarray, size: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All (first, second) of one class with the surer box first; `size` says how many boxes the class of each has."""
    place = np.arange(len(label))
    rank = place - np.searchsorted(label, label)
    later = np.maximum(size - rank - 1, 0)
    first = np.repeat(place, later)
    within = np.arange(len(first)) - np.repeat(np.cumsum(later) - later, later)
    return first, first + 1 + within


def _alive_in_crowd(boxes: np.ndarray, overlap: Overlap, iou: float) -> np.ndarray:
    """The same for many boxes of one class: the surest of them among themselves, then against all others."""
    alive = np.zeros(len(boxes), bool)
    rows = np.arange(len(boxes))
    while rows.size:
        block, rows = rows[:CROWD], rows[CROWD:]
        kept = block[_alive(boxes[block], np.zeros(len(block), np.intp), overlap, iou)]
        alive[kept] = True
        rows = rows[~(overlap(boxes[kept][:, None], boxes[rows][None]) > iou).any(axis=0)]
    return alive


@np.errstate(over="ignore", invalid="ignore")  # a network that has learned nothing gives boxes of 1e20, as in C
def box_iou(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The intersection over union of boxes (..., 4) with boxes (..., 4), as centre and size (box.c box_iou).

    >>> box_iou(np.float32([1, 1, 2, 2]), np.float32([[1, 1, 2, 1], [5, 5, 1, 1]])).tolist()
    [0.5, 0.0]
    """
    (low_a, high_a), (low_b, high_b) = _edges(a), _edges(b)
    return _iou(a, b, np.minimum(high_a, high_b) - np.maximum(low_a, low_b))


def _edges(boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    half = boxes[..., 2:] / 2
    return boxes[..., :2] - half, boxes[..., :2] + half


def _iou(a: np.ndarray, b: np.ndarray, sides: np.ndarray) -> np.ndarray:
    """The IoU of boxes whose intersection has the sides (..., 2), negative where there is none."""
    w, h = sides[..., 0], sides[..., 1]
    intersection = np.where((w < 0) | (h < 0), np.float32(0), w * h)
    union = a[..., 2] * a[..., 3] + b[..., 2] * b[..., 3] - intersection
    none = (intersection == 0) | (union == 0)
    return np.where(none, np.float32(0), intersection / np.where(none, np.float32(1), union))


@np.errstate(over="ignore", invalid="ignore")
def box_diou(a: np.ndarray, b: np.ndarray, beta: float) -> np.ndarray:
    """The IoU less the normalized distance of the centres to the power `beta` (box.c box_diounms)."""
    (low_a, high_a), (low_b, high_b) = _edges(a), _edges(b)
    hull = np.maximum(high_a, high_b) - np.minimum(low_a, low_b)
    apart = a[..., :2] - b[..., :2]
    diagonal, distance = np.add.reduce(hull * hull, -1), np.add.reduce(apart * apart, -1)
    flat = diagonal == 0
    penalty = np.where(flat, 0, distance / np.where(flat, np.float32(1), diagonal)) ** beta
    return _iou(a, b, np.minimum(high_a, high_b) - np.maximum(low_a, low_b)) - np.where(flat, 0, penalty)
