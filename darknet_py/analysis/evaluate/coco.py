"""COCO's numbers (AP, AP50, AP75, by size), by the package faster-coco-eval, which computes pycocotools' to the digit.

Where they differ from Darknet's: classes without objects are left out of the mean, an overlap counts from the threshold
on, a detection whose object is taken may take another one, at most 100 detections of a class and picture count, and
precision is read at 101 points. Labels in text have no crowds.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...errors import DataError
from ...vision.labels import Labels
from .record import Detected

STATS = ("AP", "AP50", "AP75", "AP_small", "AP_medium", "AP_large",
         "AR1", "AR10", "AR100", "AR_small", "AR_medium", "AR_large")  # fmt: skip
NEEDS = "COCO's numbers need the package faster-coco-eval\n  hint: pip install 'darknet-compiler[eval]'"


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
    truth = COCO(_truth(found, labels, classes))
    rows = _detections(found, clip)
    if not rows:
        return dict.fromkeys(STATS, 0.0)
    judge = COCOeval_faster(truth, truth.loadRes(rows), "bbox", print_function=_quiet)
    judge.run()
    return {name: None if value < 0 else float(value) for name, value in zip(STATS, judge.stats, strict=False)}


def _quiet(*_: object) -> None:
    """What the package would print."""


def _truth(found: Sequence[Detected], labels: Sequence[Labels], classes: int) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (one, objects) in enumerate(zip(found, labels, strict=True), 1):
        height, width = one.shape
        images.append({"id": number, "height": height, "width": width})
        scale = np.array([width, height] * 2, np.float64)
        for c, box, crowd in zip(objects.cls, objects.boxes.astype(np.float64), objects.difficult, strict=True):
            x, y, w, h = (box * scale).tolist()
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": int(c), "iscrowd": int(crowd),
                "bbox": [x - w / 2, y - h / 2, w, h], "area": w * h,
            })  # fmt: skip
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": c, "name": str(c)} for c in range(classes)],
    }


def _detections(found: Sequence[Detected], clip: bool) -> list[dict[str, Any]]:
    rows = []
    for number, one in enumerate(found, 1):
        for c, p, (left, top, right, bottom) in zip(one.cls, one.conf, one.corners(clip).tolist(), strict=True):
            bbox = [left, top, right - left, bottom - top]
            rows.append({"image_id": number, "category_id": int(c), "score": float(p), "bbox": bbox})
    return rows
