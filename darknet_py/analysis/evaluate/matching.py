"""Which detections meet which labelled objects, a picture at a time.

Decision: what `detector map` does in one long loop (detector.c validate_detector_map) is two steps here. A picture's
detections are matched on their own, since nothing of it depends on other pictures; ranking comes after, over what is
kept of all pictures, a few numbers a detection. So 5 000 pictures fit into memory, and a run can be resumed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...contract.nms import box_iou
from ...vision.labels import Labels

NONE = -1


@dataclass(frozen=True, eq=False)
class Matches:
    """The detections of some pictures, each with the object that it meets.

    Of n detections: `cls` (n,) int64, `conf` (n,) float32, `truth` (n,) int64, the number of the object among all of
    the pictures' objects or -1, `iou` (n,) float32 with it or 0, and `picture` (n,) int64. `objects` (classes,) int64
    counts the objects that are not difficult.
    """

    cls: np.ndarray
    conf: np.ndarray
    truth: np.ndarray
    iou: np.ndarray
    picture: np.ndarray
    objects: np.ndarray

    def __len__(self) -> int:
        return len(self.cls)


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of each of the boxes (n, 4) with each of (m, 4), centre and size, in float32: (n, m).

    >>> overlaps(np.float32([[0.5, 0.5, 1, 1]]), np.float32([[0.25, 0.5, 0.5, 1], [2, 2, 1, 1]])).tolist()
    [[0.5, 0.0]]
    """
    return box_iou(a[:, None].astype(np.float32), b[None].astype(np.float32))


def match(cls: np.ndarray, conf: np.ndarray, boxes: np.ndarray, truths: Labels, iou: float, classes: int) -> Matches:
    """One picture's detections: each meets the object of its class that it overlaps most, by more than `iou`.

    `cls` (n,), `conf` (n,) and `boxes` (n, 4), relative centre and size, in any order, which is kept; so is an object
    that another detection meets too, for there is no second choice. What meets only a difficult object is left out.
    """
    counts = ~truths.difficult
    same = cls[:, None] == truths.cls[None]
    shared = np.where(same, overlaps(boxes, truths.boxes), 0)
    shared = np.where(shared > np.float32(iou), shared, 0)
    able = np.where(counts[None], shared, 0)
    hit = able.any(1)
    best = able.argmax(1) if len(truths) else np.zeros(len(cls), np.int64)
    number = np.cumsum(counts) - 1  # of an object among those that count
    keep = hit | ~np.where(truths.difficult[None], shared, 0).any(1)
    truth = np.full(len(cls), NONE)
    truth[hit] = number[best[hit]]
    return Matches(
        cls[keep].astype(np.int64),
        conf[keep].astype(np.float32),
        truth[keep],
        able.max(1, initial=0)[keep].astype(np.float32),
        np.zeros(int(keep.sum()), np.int64),
        np.bincount(truths.cls[counts], minlength=classes)[:classes],
    )


def join_matches(pictures: list[Matches], classes: int) -> Matches:
    """The matches of many pictures as one, objects and pictures numbered on."""
    if not pictures:
        none = np.zeros(0, np.int64)
        return Matches(none, none.astype(np.float32), none, none.astype(np.float32), none, np.zeros(classes, np.int64))
    before = np.cumsum([0, *(int(m.objects.sum()) for m in pictures)])
    return Matches(
        np.concatenate([m.cls for m in pictures]),
        np.concatenate([m.conf for m in pictures]),
        np.concatenate([np.where(m.truth >= 0, m.truth + n, NONE) for m, n in zip(pictures, before, strict=False)]),
        np.concatenate([m.iou for m in pictures]),
        np.repeat(np.arange(len(pictures)), [len(m) for m in pictures]),
        np.sum([m.objects for m in pictures], axis=0),
    )
