"""How much each rule in which COCO's evaluation and Darknet's differ matters on the data at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...vision.labels import Labels
from .darknet import DarknetMap, average_precision
from .matching import overlaps
from .record import Detected

COCO_POINTS = 101


@dataclass(frozen=True)
class Differences:
    """Counts of one data set.

    `empty` classes have no object; `second` detections find the object that they overlap most taken, and overlap one
    that nobody has; `exact` ones overlap their object by exactly the threshold. `at_points` is Darknet's mean over the
    classes with objects, read at COCO's 101 points.
    """

    empty: int
    second: int
    exact: int
    at_points: float


def differences(found: Sequence[Detected], labels: Sequence[Labels], darknet: DarknetMap) -> Differences:
    """What the rules change for the detections that Darknet counts, picture by picture."""
    counts = [_count(one, objects, darknet.iou_thresh) for one, objects in zip(found, labels, strict=True)]
    present = [c for c, n in zip(darknet.curves, darknet.objects, strict=True) if n]
    at_points = float(np.mean([average_precision(c, COCO_POINTS) for c in present])) if present else 0.0
    return Differences(
        int((darknet.objects == 0).sum()), sum(c[0] for c in counts), sum(c[1] for c in counts), at_points
    )


def _count(found: Detected, labels: Labels, threshold: float) -> tuple[int, int]:
    """How many of one picture would have a second choice, and how many overlap by exactly the threshold."""
    limit = np.float32(threshold)
    valid = ~labels.difficult
    same = found.cls[:, None] == labels.cls[valid][None]
    shared = np.where(same, overlaps(found.boxes, labels.boxes[valid]), np.float32(0))
    if not shared.size:
        return 0, 0
    best = shared.argmax(1)
    taken = np.zeros(shared.shape[1], bool)
    late = []
    for i in np.argsort(-found.conf, kind="stable"):
        if shared[i, best[i]] <= limit:
            continue
        if taken[best[i]]:
            late.append(i)
        taken[best[i]] = True
    second = sum(bool(((shared[i] >= limit) & ~taken).any()) for i in late)
    return second, int((shared.max(1) == limit).sum())
