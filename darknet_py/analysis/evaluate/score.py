"""Detections of a data set against its labels: the matches, and Darknet's mAP of them."""

from __future__ import annotations

from collections.abc import Sequence

from ...vision.labels import Labels
from .darknet import DarknetMap, darknet_map, visiting_order
from .matching import Matches, join_matches, match
from .record import Detected

COUNTED = 0.005  # detector.c validate_detector_map: thresh
IOU = 0.45  # the same: nms


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
