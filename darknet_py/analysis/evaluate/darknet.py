"""The numbers of `darknet detector map` (detector.c validate_detector_map): average precision, counts at a threshold.

Two counts of true and false positives stand side by side. `by_score` is what the words mean: falling score, the first
to meet an object has found it. `as_darknet` is what the C prints: it goes through the detections of a picture in the
order that suppression left, and one *below* the threshold that comes first takes the object. Average precision does not
depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .matching import Matches


@dataclass(frozen=True, eq=False)
class Counts:
    """What detections above a threshold found: true and false positives of each class (classes,) int64.

    `iou` (classes,) float64 is the sum of the overlaps of the true ones.
    """

    tp: np.ndarray
    fp: np.ndarray
    iou: np.ndarray


@dataclass(frozen=True, eq=False)
class Curve:
    """One class by falling score: `conf`, `precision` and `recall` after each of its detections, (n,) float64."""

    conf: np.ndarray
    precision: np.ndarray
    recall: np.ndarray

    @property
    def f1(self) -> np.ndarray:
        """The harmonic mean of precision and recall, (n,); 0 where both are."""
        total = self.precision + self.recall
        return np.divide(2 * self.precision * self.recall, total, out=np.zeros_like(total), where=total > 0)

    def best(self) -> tuple[float, float]:
        """The score from which on F1 is greatest, and that F1; (0, 0) if nothing was found."""
        if not len(self.conf) or not self.f1.any():
            return 0.0, 0.0
        at = int(self.f1.argmax())
        return float(self.conf[at]), float(self.f1[at])


@dataclass(frozen=True, eq=False)
class DarknetMap:
    """Darknet's evaluation: `ap` (classes,) float64 is 0 for a class without objects."""

    ap: np.ndarray
    objects: np.ndarray
    by_score: Counts
    as_darknet: Counts
    curves: tuple[Curve, ...]
    detections: int
    iou_thresh: float
    points: int
    conf: float

    @property
    def map(self) -> float:
        """The mean over all classes of the network, as Darknet prints it."""
        return float(self.ap.mean()) if len(self.ap) else 0.0

    @property
    def map_present(self) -> float:
        """The mean over the classes that have objects."""
        present = self.objects > 0
        return float(self.ap[present].mean()) if present.any() else 0.0


def darknet_map(matches: Matches, *, iou_thresh: float = 0.5, points: int = 0, conf: float = 0.25) -> DarknetMap:
    """What `detector map -iou_thresh IOU -points POINTS -thresh CONF` says of detections matched at `iou_thresh`.

    `points` 0 is the area under the monotone curve, 11 PASCAL VOC's points, 101 COCO's, any number from 2 on likewise.
    """
    order = np.argsort(-matches.conf, kind="stable")
    found = np.zeros(len(matches), bool)
    found[order] = _first(matches.truth[order])
    classes = len(matches.objects)
    groups = [order[matches.cls[order] == c] for c in range(classes)]
    curves = tuple(
        _curve(matches.conf[rows], found[rows], int(n)) for rows, n in zip(groups, matches.objects, strict=True)
    )
    above = matches.conf > np.float32(conf)
    order = order[above[order]]
    sorted_hits = np.zeros(len(matches), bool)
    sorted_hits[order] = _first(matches.truth[order])
    return DarknetMap(
        np.array([average_precision(c, points) for c in curves]), matches.objects,
        _counts(matches, above, sorted_hits), _counts(matches, above, _first(matches.truth)),
        curves, len(matches), iou_thresh, points, conf,
    )  # fmt: skip


def visiting_order(cls: np.ndarray, conf: np.ndarray, boxes: np.ndarray, classes: int) -> np.ndarray:
    """In which order Darknet goes through one picture's detections, (n,) int: box by box, a box's classes in turn.

    Suppression sorts the boxes by one class after another (box.c do_nms_sort), so the last class decides, then the one
    before. Here they are sorted by what survived; Darknet sorts before it suppresses, so that a few change places.
    """
    _, box = np.unique(boxes, axis=0, return_inverse=True)
    box = box.ravel()
    probabilities = np.zeros((box.max(initial=-1) + 1, classes), np.float32)
    probabilities[box, cls] = conf
    rank = np.empty(len(probabilities), np.int64)
    rank[np.lexsort(-probabilities.T)] = np.arange(len(rank))
    return np.lexsort((cls, rank[box]))


def average_precision(curve: Curve, points: int) -> float:
    """The average precision of a class; 0 if it has no objects or nothing was found.

    >>> average_precision(Curve(np.array([0.9, 0.8]), np.array([1.0, 0.5]), np.array([0.5, 0.5])), points=11)
    0.5454545454545454
    """
    if not len(curve.precision):
        return 0.0
    envelope = np.maximum.accumulate(curve.precision[::-1])[::-1]
    if not points:
        return float((np.diff(curve.recall, prepend=0) * envelope).sum())
    # Darknet's Makefile has -Ofast, which makes a product of the division: 7 x 0.1 is above a recall of 7/10.
    at = np.searchsorted(curve.recall, np.arange(points) * (1 / (points - 1)))
    return float(np.where(at < len(envelope), envelope[np.minimum(at, len(envelope) - 1)], 0).sum() / points)


def _first(truth: np.ndarray) -> np.ndarray:
    """Of detections in order: which are the first to meet their object, (n,) bool."""
    first = np.zeros(len(truth), bool)
    first[np.unique(truth, return_index=True)[1]] = True
    return first & (truth >= 0)


def _curve(conf: np.ndarray, found: np.ndarray, objects: int) -> Curve:
    hits = np.cumsum(found)
    recall = hits / objects if objects else np.zeros(len(hits))
    return Curve(conf.astype(np.float64), hits / np.arange(1, len(hits) + 1), recall)


def _counts(matches: Matches, above: np.ndarray, hit: np.ndarray) -> Counts:
    classes, right = len(matches.objects), above & hit
    tp = np.bincount(matches.cls[right], minlength=classes)
    fp = np.bincount(matches.cls[above & ~hit], minlength=classes)
    return Counts(tp, fp, np.bincount(matches.cls[right], matches.iou[right].astype(np.float64), minlength=classes))
