"""COCO's numbers (AP, AP50, AP75, by size), by the package faster-coco-eval, which computes pycocotools' to the digit.

Where they differ from Darknet's: classes without objects are left out of the mean, an overlap counts from the threshold
on, a detection whose object is taken may take another one, at most 100 detections of a class and picture count, and
precision is read at 101 points. Labels in text have no crowds.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from ...errors import DataError
from ...vision.labels import Labels
from .record import Detected

STATS = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large",
         "AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large")  # fmt: skip
NEEDS = "COCO's numbers need the package faster-coco-eval\n  hint: pip install 'darknet-compiler[eval]'"


def has_coco() -> bool:
    """Whether the package is there that computes COCO's numbers."""
    return find_spec("faster_coco_eval") is not None


def check_coco() -> None:
    """Raise what `coco_numbers` would where its package is missing: to be called before what is to be judged."""
    if not has_coco():
        raise DataError(NEEDS)


def coco_numbers(
    found: Sequence[Detected], labels: Sequence[Labels], classes: int, *, clip: bool = True
) -> dict[str, float | None]:
    """COCO's twelve numbers by their names, None where no object is of the kind.

    `found` and `labels` are picture by picture; `clip` cuts boxes at the border. Raises `DataError` if it is missing.
    """
    try:
        from faster_coco_eval import COCO, COCOeval_faster
    except ImportError as e:
        raise DataError(NEEDS) from e

    def judged(c: int) -> tuple[np.ndarray, np.ndarray] | None:
        """Precision and recall of one class: one at a time, so that only its boxes are dictionaries in memory."""
        data, rows = _of_class(c, found, labels, clip)
        if not data["annotations"]:
            return None
        truth = COCO(data)
        # Without detections the package has nothing to judge; one of no score beside the picture changes nothing.
        rows = rows or [{"image_id": data["images"][0]["id"], "category_id": 0, "score": 0.0, "bbox": [-9, -9, 1, 1]}]
        judge = COCOeval_faster(truth, truth.loadRes(rows), "bbox", print_function=_quiet)
        judge.run()
        precision, recall = (np.asarray(judge.eval[name]) for name in ("precision", "recall"))
        return precision.reshape(len(THRESHOLDS), -1, 1, 4, 3), recall.reshape(len(THRESHOLDS), 1, 4, 3)

    parts = [part for part in map(judged, range(classes)) if part is not None]
    if not parts:
        return dict.fromkeys(STATS)
    precision, recall = (np.concatenate(arrays, axis=-3) for arrays in zip(*parts, strict=True))
    numbers = [
        *(precision[at, ..., area, 2] for at, area in ((ALL, 0), (0, 0), (5, 0), (ALL, 1), (ALL, 2), (ALL, 3))),
        *(recall[..., area, most] for area, most in ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (3, 2))),
    ]
    return {name: _mean(array) for name, array in zip(STATS, numbers, strict=True)}


THRESHOLDS = np.arange(0.5, 1, 0.05)  # of the overlap: COCO's ten
ALL = slice(None)
MOST = 100  # detections of a class that count in a picture: COCO's maxDets


def _mean(array: np.ndarray) -> float | None:
    """The mean of what was measured: -1 stands where there is no object."""
    known = array[array > -1]
    return float(known.mean()) if known.size else None


def _quiet(*_: object) -> None:
    """What the package would print."""


def _of_class(
    c: int, found: Sequence[Detected], labels: Sequence[Labels], clip: bool
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """COCO's form of the objects and detections of one class, in the pictures that have any; it is category 0."""
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    for number, (one, objects) in enumerate(zip(found, labels, strict=True), 1):
        own, mine = objects.cls == c, one.cls == c
        if not (own.any() or mine.any()):
            continue
        height, width = one.shape
        images.append({"id": number, "height": height, "width": width})
        boxes = objects.boxes[own].astype(np.float64) * np.array([width, height] * 2, np.float64)
        for (x, y, w, h), crowd in zip(boxes.tolist(), objects.difficult[own].tolist(), strict=True):
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": 0, "iscrowd": int(crowd),
                "bbox": [x - w / 2, y - h / 2, w, h], "area": w * h,
            })  # fmt: skip
        best = np.flatnonzero(mine)[np.argsort(-one.conf[mine], kind="stable")[:MOST]]  # all others would be left out
        corners = one.take(best).corners(clip).tolist()
        for p, (left, top, right, bottom) in zip(one.conf[best].tolist(), corners, strict=True):
            bbox = [left, top, right - left, bottom - top]
            rows.append({"image_id": number, "category_id": 0, "score": p, "bbox": bbox})
    return {"images": images, "annotations": annotations, "categories": [{"id": 0, "name": "0"}]}, rows
