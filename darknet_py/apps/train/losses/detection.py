"""The loss of [detection], the head of YOLOv1 (detection_layer.c forward_detection_layer)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....darknet.layers.heads.detection import Detection
from .boxes import TensorBoxes, boxes_of, iou
from .head import HeadLoss, HeadPlace, squares
from .result import LossResult, result, said

SMALL = 0.1  # area up to which an object belongs to the second box with `forced`
RANDOM_UNTIL = 64000  # pictures during which `random` chooses the box


class DetectionLoss(HeadLoss):
    """Squares of everything: classes and the responsible box in cells with an object, objectness everywhere.

    The truth is (B, cells, 1 + classes + 4): 1 where there is an object, a number for each class, x and y in the cell,
    w and h in parts of the picture.
    """

    def __init__(self, place: HeadPlace, layer: Detection) -> None:
        super().__init__(place)
        self.layer = layer

    def __call__(self, x: Tensor, truth: Tensor, *, seen: int = 0, iteration: int = 0) -> LossResult:
        with torch.no_grad():
            output, delta, numbers = self._deltas(x.detach().float().flatten(1), truth, seen)
            total = squares(delta, (1,))
        line = (
            "Detection Avg IOU: %(iou)f, Pos Cat: %(class)f, All Cat: %(all_class)f, Pos Obj: %(obj)f, "
            "Any Obj: %(any_obj)f, count: %(count)d"
        )
        says = said(line, **numbers)
        return result(x, total.sum(), delta, output.reshape(x.shape), total, says)

    def _deltas(self, x: Tensor, truth: Tensor, seen: int) -> tuple[Tensor, Tensor, dict[str, Any]]:
        layer, batch, cells = self.layer, len(x), self.layer.side**2
        ends = cells * layer.classes, cells * (layer.classes + layer.num)
        scores = x[:, : ends[0]].reshape(batch, cells, layer.classes)
        scores = scores.softmax(2) if layer.softmax else scores
        objectness = x[:, ends[0] : ends[1]].reshape(batch, cells, layer.num)
        boxes = x[:, ends[1] :].reshape(batch, cells, layer.num, 4)
        rows = truth.to(x.device, torch.float32).reshape(batch, cells, 1 + layer.classes + 4)
        there = rows[..., 0].trunc() != 0  # an int in Darknet
        wanted, target = rows[..., 1 : 1 + layer.classes], rows[..., 1 + layer.classes :]
        likeness, distance = self._compare(boxes, target)
        best = self._responsible(likeness, distance, target, seen)
        mine = (torch.arange(layer.num, device=x.device) == best[..., None]) & there[..., None]
        aim = likeness if layer.rescore else torch.ones_like(likeness)
        of_objectness = torch.where(
            mine, layer.object_scale * (aim - objectness), layer.noobject_scale * (0 - objectness)
        )
        sides = target[..., 2:].sqrt() if layer.sqrt else target[..., 2:]
        off = torch.cat([target[..., :2], sides], dim=2)[:, :, None] - boxes
        parts = (
            torch.where(there[..., None], layer.class_scale * (wanted - scores), 0.0), of_objectness,
            torch.where(mine[..., None], layer.coord_scale * off, 0.0),
        )  # fmt: skip
        numbers = self._means(scores, objectness, likeness, there, mine, wanted)
        return torch.cat([scores.flatten(1), x[:, ends[0] :]], 1), torch.cat([p.flatten(1) for p in parts], 1), numbers

    def _compare(self, boxes: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """IoU and distance of each box (B, cells, num) to the object of its cell, both as if in the first cell."""
        side = self.layer.side
        out, truth = boxes_of(boxes), boxes_of(target[:, :, None])
        w, h = (out.w**2, out.h**2) if self.layer.sqrt else (out.w, out.h)
        out, truth = (
            TensorBoxes(out.x / side, out.y / side, w, h),
            TensorBoxes(truth.x / side, truth.y / side, truth.w, truth.h),
        )
        distance = sum((a - b) ** 2 for a, b in zip(out, truth, strict=True))
        return iou(out, truth), distance

    def _responsible(self, likeness: Tensor, distance: Tensor, target: Tensor, seen: int) -> Tensor:
        """The number of the box (B, cells) that learns the object of its cell."""
        layer = self.layer
        if layer.random and seen < RANDOM_UNTIL:  # Darknet draws from one stream; here a mini batch has its own
            drawn = np.random.default_rng((self.info.index, seen)).integers(layer.num, size=likeness.shape[:2])
            return torch.from_numpy(drawn).to(likeness.device)
        if layer.forced:
            small = target[..., 2] * target[..., 3] < SMALL
            return torch.where(small, min(1, layer.num - 1), 0)
        return torch.where(likeness.amax(2) > 0, likeness.argmax(2), distance.argmin(2))

    def _means(
        self, scores: Tensor, objectness: Tensor, likeness: Tensor, there: Tensor, mine: Tensor, wanted: Tensor
    ) -> dict[str, Any]:
        """What Darknet prints; nan where there is no object."""
        count = there.sum()

        def mean(values: Tensor, where: Tensor) -> Tensor:
            return torch.where(where, values, 0.0).sum() / count

        here = there[..., None].expand_as(scores)
        return {
            "iou": mean(likeness, mine), "class": mean(scores, here & (wanted != 0)),
            "all_class": mean(scores, here) / self.layer.classes, "obj": mean(objectness, mine),
            "any_obj": objectness.mean() if objectness.numel() else math.nan, "count": count,
        }  # fmt: skip
