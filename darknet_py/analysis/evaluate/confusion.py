"""Which class is taken for which: one count for every pair, and for what is found where nothing is, or not found."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...vision.labels import Labels
from .matching import overlaps
from .record import Detected

CONF, IOU = 0.25, 0.45  # what ultralytics' confusion matrix counts from


def confusion_matrix(
    found: Sequence[Detected], labels: Sequence[Labels], classes: int, *, conf: float = CONF, iou: float = IOU
) -> np.ndarray:
    """Counts (classes + 1, classes + 1) int64: row is the label, column what was found; the last of each is nothing.

    Each pair of an object and a detection above `conf` that overlap by more than `iou`, the best pairs first, each
    used once, whatever the classes are. Difficult objects are left out.
    """
    counts = np.zeros((classes + 1, classes + 1), np.int64)
    for one, objects in zip(found, labels, strict=True):
        _count(one.above(conf), objects, iou, counts)
    return counts


def _count(found: Detected, labels: Labels, iou: float, counts: np.ndarray) -> None:
    nothing = len(counts) - 1
    valid = ~labels.difficult
    truth, boxes = labels.cls[valid], labels.boxes[valid]
    shared = overlaps(found.boxes, boxes)
    taken = np.zeros(len(truth), bool)
    used = np.zeros(len(found.cls), bool)
    for flat in np.argsort(-shared, axis=None, kind="stable"):
        i, j = divmod(int(flat), max(1, len(truth)))
        if shared[i, j] <= iou:
            break
        if not used[i] and not taken[j]:
            counts[truth[j], found.cls[i]] += 1
            used[i] = taken[j] = True
    counts[:, nothing] += np.bincount(truth[~taken], minlength=len(counts))
    counts[nothing] += np.bincount(found.cls[~used], minlength=len(counts))
