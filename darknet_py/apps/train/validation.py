"""What a training is measured by: mAP as `darknet-py eval` computes it, or the top-1 accuracy of a classifier."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ...analysis.evaluate.classify import Classified
from ...analysis.evaluate.record import Detected
from ...analysis.evaluate.score import COUNTED, IOU, score
from ...errors import DataError, Say
from ...model.model import Model
from ...vision.datasets import Dataset
from ...vision.labels import Labels
from ...vision.results import Results
from .data.opening import open_data
from .data.source import PictureSource
from .plan import Plan


@dataclass(frozen=True, eq=False)
class Validation:
    """The validation pictures of a training, and how they are judged."""

    data: Dataset | Classified
    iou_thresh: float
    points: int
    workers: int
    say: Say
    labels: tuple[Labels, ...] = ()
    told: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, plan: Plan, say: Say) -> Validation | None:
        """The validation of a plan; None where it is not asked for. Raises `DataError` without objects."""
        settings = plan.settings
        if not settings.map_:
            return None
        source = plan.valid or plan.data
        if not isinstance(source, Path):
            raise DataError(f"{source} has no end: say which pictures are measured (--valid)")
        if plan.valid is None and not plan.options.get("valid"):
            say(f"{plan.data} names no valid pictures: those that are learned are measured (--valid)")
        data = open_data(source, plan.compilation, "valid", names=plan.names)
        assert not isinstance(data, PictureSource), "it was opened from a path"
        labels: tuple[Labels, ...] = ()
        if isinstance(data, Dataset):  # read now: that there is nothing to find is to be known before the training
            labels = tuple(example.read(plan.names)[0] for example in data.examples)
            if not any(map(len, labels)):
                raise DataError(f"{data.path}: no objects in the validation pictures\n  hint: train without --map")
        return cls(data, settings.iou_thresh, settings.points, settings.workers, say, labels)

    @property
    def kind(self) -> str:
        """What is measured, for people."""
        return "top-1" if isinstance(self.data, Classified) else "mAP"

    def measure(self, model: Model) -> tuple[float, tuple[float, ...]]:
        """mAP or top-1, from 0 to 1, and the AP of each class.

        A picture that cannot be read has nothing found in it, and that is said once.
        """
        if isinstance(self.data, Classified):
            paths = [str(p) for p in self.data.pictures]
            return float(self.data.judge(self._results(model, paths), 1).top1), ()
        paths = [str(e.picture) for e in self.data.examples]
        found = {one.path: Detected.of(one) for one in self._results(model, paths)}
        nothing = Detected((1, 1), np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros((0, 4), np.float32))
        _, result = score(
            [found.get(path, nothing) for path in paths], self.labels, len(model.names), iou_thresh=self.iou_thresh,
            points=self.points,
        )  # fmt: skip
        return float(result.map), tuple(map(float, result.ap))

    def _results(self, model: Model, paths: list[str]) -> Iterator[Results]:
        def skip(error: DataError) -> None:
            if str(error) not in self.told:
                self.told.add(str(error))
                self.say(f"not measured: {error}")

        return model(
            (path for path in paths), COUNTED, IOU, workers=self.workers, skip=skip, classes=model.contract.every_class
        )
