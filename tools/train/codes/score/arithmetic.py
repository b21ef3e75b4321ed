"""Recall, precision and average precision of finds in photos, and how sure they are: drawn again photo by photo.

Decision: boxes are matched as `darknet-py eval` does, and what meets nothing but lies by half or more in a box to be
ignored counts neither way, as COCO treats crowds. A find and an object also meet where the centre of the find lies in
the object's box: decoders give the corners of what they read, in linear codes often of a few lines only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from darknet_py.analysis.evaluate.darknet import Curve, average_precision
from darknet_py.analysis.evaluate.matching import NONE, Matches, join_matches, match
from darknet_py.analysis.evaluate.record import Detected
from darknet_py.vision.labels import Labels

POINTS = 101  # COCO's: recalls at which precision is read
IOUS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
CENTRE = 0.0  # in the place of an overlap: the centre of the find lies in the object
CROWD = 0.5  # the share of a find in a box to be ignored
ROUNDS, SEED = 1000, 16
SHOWN = 0.25


@dataclass(frozen=True, eq=False)
class Scored:
    """Finds of all photos, the surest first: `cls`, `conf`, `hit` and `photo` (n,), and `objects` (photos, classes).

    A find is a hit if it is the first to meet its object. `weight` (photos,) is how often each photo counts.
    """

    cls: np.ndarray
    conf: np.ndarray
    hit: np.ndarray
    photo: np.ndarray
    objects: np.ndarray
    weight: np.ndarray

    def of(self, kinds: Sequence[int]) -> Scored:
        """What is of these classes."""
        rows = np.isin(self.cls, kinds)
        return replace(self._take(rows), objects=self.objects[:, list(kinds)])

    def above(self, conf: float) -> Scored:
        """The finds of a confidence above `conf`."""
        return self._take(self.conf > np.float32(conf))

    def drawn(self, weight: np.ndarray) -> Scored:
        """The same with photos that count so many times."""
        return replace(self, weight=weight)

    def _take(self, rows: np.ndarray) -> Scored:
        return replace(self, cls=self.cls[rows], conf=self.conf[rows], hit=self.hit[rows], photo=self.photo[rows])

    def curve(self) -> Curve:
        """Precision and recall by falling confidence, all classes together."""
        weight = self.weight[self.photo]
        rows = weight > 0
        tp, all_ = np.cumsum((weight * self.hit)[rows]), np.cumsum(weight[rows])
        total = float(self.weight @ self.objects.sum(axis=1))
        return Curve(self.conf[rows], tp / np.maximum(all_, 1), tp / total if total else np.zeros(len(tp)))

    @property
    def recall(self) -> float:
        """The share of objects that were found; NaN where there are none."""
        total = float(self.weight @ self.objects.sum(axis=1))
        return float(self.weight[self.photo] @ self.hit) / total if total else float("nan")

    @property
    def precision(self) -> float:
        """The share of finds that are hits; NaN where there are none."""
        total = float(self.weight[self.photo].sum())
        return float(self.weight[self.photo] @ self.hit) / total if total else float("nan")

    @property
    def average_precision(self) -> float:
        """The average precision at COCO's points; NaN where there are no objects."""
        if not self.weight @ self.objects.sum(axis=1):
            return float("nan")
        return average_precision(self.curve(), POINTS)

    def recall_at(self, precision: float) -> float:
        """The best recall at a threshold from which on the precision is at least this; 0 where there is none."""
        curve = self.curve()
        last = np.append(curve.conf[1:] != curve.conf[:-1], True) if len(curve.conf) else np.zeros(0, bool)
        fine = (curve.precision >= precision - 1e-9) & last  # a threshold takes all finds of its confidence
        return float(curve.recall[fine].max(initial=0))


def score_photos(
    found: Sequence[Detected], labels: Sequence[Labels], classes: int, iou: float, *, any_class: bool = False
) -> Scored:
    """Match the finds of photos with their labels, by an overlap above `iou` or by the `CENTRE`.

    With `any_class` all are of class 0. Labels that are `difficult` are to be ignored, whatever their class.
    """
    pairs = [(_one(f), _one_label(t)) if any_class else (f, t) for f, t in zip(found, labels, strict=True)]
    per_photo = [_matched(f, t, classes, iou) for f, t in pairs]
    matches = join_matches(per_photo, classes)
    order = np.argsort(-matches.conf, kind="stable")
    first = np.zeros(len(matches), bool)
    first[np.unique(matches.truth[order], return_index=True)[1]] = True
    hit = first & (matches.truth[order] >= 0)
    objects = np.array([m.objects for m in per_photo]).reshape(len(per_photo), classes)
    return Scored(
        matches.cls[order], matches.conf[order], hit, matches.picture[order], objects, np.ones(len(per_photo))
    )


def mean_average_precision(
    found: Sequence[Detected], labels: Sequence[Labels], classes: int, *, any_class: bool = False
) -> tuple[Scored, ...]:
    """The finds matched at each of COCO's ten overlaps."""
    return tuple(score_photos(found, labels, classes, iou, any_class=any_class) for iou in IOUS)


def interval(count: int, value: Callable[[np.ndarray], float]) -> tuple[float, float]:
    """Between what `value` lies in 95 of 100 draws of so many photos with replacement, `value` of their weights."""
    random = np.random.default_rng(SEED)
    drawn = np.array([value(np.bincount(random.integers(0, count, count), minlength=count)) for _ in range(ROUNDS)])
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)


def _matched(found: Detected, labels: Labels, classes: int, iou: float) -> Matches:
    real = ~labels.difficult
    truths = Labels(labels.cls[real], labels.boxes[real], labels.difficult[real])
    if iou == CENTRE:
        matches = _by_centre(found, truths, classes)
    else:
        matches = match(found.cls, found.conf, found.boxes, truths, iou, classes)
    keep = (matches.truth >= 0) | (_share(found.boxes, labels.boxes[~real]) < CROWD)
    return replace(
        matches, cls=matches.cls[keep], conf=matches.conf[keep], truth=matches.truth[keep], iou=matches.iou[keep],
        picture=matches.picture[keep],
    )  # fmt: skip


def _by_centre(found: Detected, truths: Labels, classes: int) -> Matches:
    """Each find meets the object of its class in which its centre lies, of several the one with the nearest centre."""
    apart = np.abs(found.boxes[:, None, :2] - truths.boxes[None, :, :2])
    half = truths.boxes[None, :, 2:] / 2
    inside = (apart <= half).all(axis=2) & (found.cls[:, None] == truths.cls[None])
    distance = np.where(inside, (apart / half).max(axis=2), np.inf)
    hit = inside.any(axis=1)
    truth = np.full(len(found.cls), NONE)
    truth[hit] = distance.argmin(axis=1)[hit] if len(truths) else NONE
    count = np.bincount(truths.cls, minlength=classes)[:classes]
    zeros = np.zeros(len(truth))
    return Matches(found.cls, found.conf, truth, zeros.astype(np.float32), zeros.astype(np.int64), count)


def _share(boxes: np.ndarray, ignored: np.ndarray) -> np.ndarray:
    """The largest share of each of the boxes (n, 4 centre and size) that lies in one of the ignored (m, 4): (n,)."""
    low, high = boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, :2] + boxes[:, 2:] / 2
    from_, to = ignored[:, :2] - ignored[:, 2:] / 2, ignored[:, :2] + ignored[:, 2:] / 2
    both = np.minimum(high[:, None], to[None]) - np.maximum(low[:, None], from_[None])
    area = np.maximum(both, 0).prod(axis=2)
    return area.max(axis=1, initial=0) / np.maximum(boxes[:, 2:].prod(axis=1), 1e-12)


def _one(found: Detected) -> Detected:
    return replace(found, cls=np.zeros_like(found.cls))


def _one_label(labels: Labels) -> Labels:
    return replace(labels, cls=np.zeros_like(labels.cls))
