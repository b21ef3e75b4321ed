"""The form that a program is written in for other programs: what it ends in, its numbers, and its limits.

Decision: one value, made where somebody says what he wants and handed down as it is; what it must not be is told when
it is made.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import DataError
from .thresholds import CONF, IOU

MOST = 300  # boxes of a class, or of a picture


@dataclass(frozen=True, kw_only=True)
class Form:
    """What a file is to be. `export_onnx` says what the fields are; `boxes` None is what such files end in by default.

    Raises `DataError` for numbers that are none: a batch or detections below 1, thresholds beyond 0 to 1.

    >>> Form(boxes="nms").threshold
    0.25
    """

    boxes: str | None = None
    batch: int | None = None
    half: bool = False
    threshold: float = CONF
    iou: float = IOU
    max_detections: int = MOST

    def __post_init__(self) -> None:
        if self.batch is not None and self.batch < 1:
            raise DataError(f"a batch of {self.batch} is empty")
        for name in ("threshold", "iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise DataError(f"{name} is between 0 and 1, not {getattr(self, name)}")
        if self.max_detections < 1:
            raise DataError(f"max_detections is at least 1, not {self.max_detections}")
