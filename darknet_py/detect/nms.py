"""Non-maximum suppression as Darknet does it: class by class, greedy, by one of three measures of overlap.

Decision: the loop over the boxes that survive is in Python, because each depends on the one before; what one of them
suppresses is computed for all the rest at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from .candidates import Candidates

NMS_KINDS = ("default", "greedynms", "diounms", "cornersnms")
GREEDY_BETA = 0.6  # box.c box_diou; `beta_nms` only reaches diounms


def nms(candidates: Candidates, kind: str = "default", iou: float = 0.45, beta: float = 0.6) -> Candidates:
    """The same candidates with the probability of every suppressed (box, class) set to 0.

    `kind` is one of `NMS_KINDS`: 'default' and 'cornersnms' compare the IoU with `iou`, 'diounms' the IoU less
    (d² / c²) ^ `beta` for the distance d of the centres and the diagonal c of the hull, 'greedynms' the same with 0.6.
    """
    overlap = _overlap(kind, beta)
    kept = np.zeros_like(candidates.probabilities)
    for k in np.flatnonzero(candidates.probabilities.any(axis=0)):
        rows = _survivors(candidates.boxes, candidates.probabilities[:, k], overlap, iou)
        kept[rows, k] = candidates.probabilities[rows, k]
    return replace(candidates, probabilities=kept)


Overlap = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _overlap(kind: str, beta: float) -> Overlap:
    if kind in ("default", "cornersnms"):
        return box_iou
    return partial(box_diou, beta=beta if kind == "diounms" else GREEDY_BETA)


def _survivors(boxes: np.ndarray, probabilities: np.ndarray, overlap: Overlap, iou: float) -> list[int]:
    rows = np.flatnonzero(probabilities)
    rows = rows[np.argsort(-probabilities[rows], kind="stable")]
    survivors = []
    while rows.size:
        survivors.append(int(rows[0]))
        rest = rows[1:]
        rows = rest[~(overlap(boxes[rows[0]], boxes[rest]) > iou)]
    return survivors


def box_iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The intersection over union of one box with each of (n, 4), all as centre and size (box.c box_iou).

    >>> box_iou(np.float32([1, 1, 2, 2]), np.float32([[1, 1, 2, 1], [5, 5, 1, 1]])).tolist()
    [0.5, 0.0]
    """
    half, halves = box[2:] / 2, others[:, 2:] / 2
    low = np.maximum(box[:2] - half, others[:, :2] - halves)
    high = np.minimum(box[:2] + half, others[:, :2] + halves)
    sides = high - low
    intersection = np.where((sides < 0).any(axis=1), 0, sides[:, 0] * sides[:, 1])
    union = box[2] * box[3] + others[:, 2] * others[:, 3] - intersection
    none = (intersection == 0) | (union == 0)
    return np.where(none, np.float32(0), intersection / np.where(none, np.float32(1), union))


def box_diou(box: np.ndarray, others: np.ndarray, beta: float) -> np.ndarray:
    """The IoU less the normalized distance of the centres to the power `beta` (box.c box_diounms)."""
    half, halves = box[2:] / 2, others[:, 2:] / 2
    low = np.minimum(box[:2] - half, others[:, :2] - halves)
    high = np.maximum(box[:2] + half, others[:, :2] + halves)
    diagonal = ((high - low) ** 2).sum(axis=1)
    distance = ((box[:2] - others[:, :2]) ** 2).sum(axis=1)
    flat = diagonal == 0
    penalty = np.where(flat, 0, distance / np.where(flat, np.float32(1), diagonal)) ** beta
    return box_iou(box, others) - np.where(flat, 0, penalty)
