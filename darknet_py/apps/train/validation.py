"""What a training is measured by: mAP as `darknet-py eval` computes it, or the top-1 accuracy of a classifier."""

from __future__ import annotations

from dataclasses import dataclass

from ...analysis.evaluate.classify import accuracy
from ...analysis.evaluate.record import Detected
from ...analysis.evaluate.score import COUNTED, IOU, score
from ...errors import DataError, Say
from ...model.model import Model
from ...vision.datasets import Dataset
from ...vision.labels import Labels
from .data.classifier import Classified
from .data.opening import open_data
from .plan import Plan


@dataclass(frozen=True, eq=False)
class Validation:
    """The validation pictures of a training, and how they are judged."""

    data: Dataset | Classified
    iou_thresh: float
    points: int
    workers: int
    labels: tuple[Labels, ...] = ()

    @classmethod
    def of(cls, plan: Plan, say: Say) -> Validation | None:
        """The validation of a plan; None where it is not asked for. Raises `DataError` without objects."""
        settings = plan.settings
        if not settings.map_:
            return None
        source = plan.valid or plan.data
        if plan.valid is None and not plan.options.get("valid"):
            say(f"{plan.data} names no valid pictures: those that are learned are measured (--valid)")
        data = open_data(source, plan.compilation, "valid", names=plan.names)
        labels: tuple[Labels, ...] = ()
        if isinstance(data, Dataset):  # read now: that there is nothing to find is to be known before the training
            labels = tuple(example.read(plan.names)[0] for example in data.examples)
            if not any(map(len, labels)):
                raise DataError(f"{data.path}: no objects in the validation pictures\n  hint: train without --map")
        return cls(data, settings.iou_thresh, settings.points, settings.workers, labels)

    @property
    def kind(self) -> str:
        """What is measured, for people."""
        return "top-1" if isinstance(self.data, Classified) else "mAP"

    def measure(self, model: Model) -> float:
        """mAP or top-1, from 0 to 1."""
        if isinstance(self.data, Classified):
            found = model((str(p) for p in self.data.pictures), workers=self.workers)
            scores = [one.scores for one in found if one.scores is not None]
            return float(accuracy(scores, [int(c) for c in self.data.classes], 1).top1)
        examples = self.data.examples
        boxes = model((str(e.picture) for e in examples), COUNTED, IOU, workers=self.workers)
        found_boxes = [Detected.of(one) for one in boxes]
        _, result = score(
            found_boxes, self.labels, len(model.names), iou_thresh=self.iou_thresh, points=self.points
        )  # fmt: skip
        return float(result.map)
