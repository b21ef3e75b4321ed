"""Detections of a data set against its labels: the matches, and Darknet's mAP of them."""

from __future__ import annotations

from collections.abc import Sequence

from ...errors import DataError
from ...vision.labels import Labels
from .darknet import DarknetMap, darknet_map, visiting_order
from .matching import Matches, join_matches, match
from .record import Detected

COUNTED = 0.005  # detector.c validate_detector_map: thresh
IOU = 0.45  # the same: nms


def check_rules(points: int, iou_thresh: float) -> None:
    """Raise `DataError` for rules of counting that mean nothing: to be called before what is to be counted."""
    if points < 0 or points == 1:
        raise DataError(f"points={points}: 0 (the area), or at least 2 (11 as in VOC, 101 as in COCO)")
    if not 0 < iou_thresh < 1:
        raise DataError(f"iou_thresh={iou_thresh} is an overlap: more than 0 and less than 1")


def score(
    found: Sequence[Detected], labels: Sequence[Labels], classes: int, *, iou_thresh: float = 0.5, points: int = 0,
    conf: float = 0.25,
) -> tuple[Matches, DarknetMap]:  # fmt: skip
    """The detections and the labels of the same pictures, matched as Darknet does, and its `detector map` of them.

    `iou_thresh`, `points` and `conf` are Darknet's -iou_thresh, -points and -thresh.
    """
    counted = [_visited(one.above(COUNTED), classes) for one in found]
    matches = join_matches(
        [match(f.cls, f.conf, f.boxes, one, iou_thresh, classes) for f, one in zip(counted, labels, strict=True)],
        classes,
    )
    return matches, darknet_map(matches, iou_thresh=iou_thresh, points=points, conf=conf)


def _visited(found: Detected, classes: int) -> Detected:
    return found.take(visiting_order(found.cls, found.conf, found.boxes, classes))
