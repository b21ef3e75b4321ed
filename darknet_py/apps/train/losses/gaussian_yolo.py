"""The loss of [Gaussian_yolo] (gaussian_yolo_layer.c forward_gaussian_yolo_layer)."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ....contract.decoders.anchors import POINTS
from ....darknet.layers.heads.gaussian_yolo import GaussianYolo
from .anchors import AnchorLoss, CellGrid, Learned, Pairs, Work
from .boxes import TensorBoxes, boxes_of, slopes
from .head import HeadPlace, squares
from .result import Said, said

SPREAD = 0.3  # added to a sigma where it divides
LEAST = 1e-9  # added to a density where it divides


class GaussianYoloLoss(AnchorLoss):
    """As [yolo], but x, y, w and h (0, 2, 4, 6) have a sigma each (1, 3, 5, 7) that learns how sure they are."""

    before, box = 9, 8
    layer: GaussianYolo

    def __init__(self, place: HeadPlace, layer: GaussianYolo) -> None:
        super().__init__(place, layer)
        self.layer = layer
        self.shift = POINTS[layer.yolo_point]  # from the point to the centre, in sizes of the box

    def activate(self, rows: Tensor) -> Tensor:
        out = rows.sigmoid()
        out[:, :, 4:8:2] = rows[:, :, 4:8:2]
        stretch = self.layer.scale_x_y
        if stretch != 1:
            out[:, :, 0:4:2] = out[:, :, 0:4:2] * stretch - 0.5 * (stretch - 1)
        return out

    def decode(self, rows: Tensor, column: Tensor, row: Tensor, anchors: Tensor, grid: CellGrid) -> TensorBoxes:
        (height, width), (net_h, net_w) = grid.cells, grid.net
        w, h = rows[..., 4].exp() * anchors[..., 0] / net_w, rows[..., 6].exp() * anchors[..., 1] / net_h
        x, y = (column + rows[..., 0]) / width, (row + rows[..., 2]) / height
        return TensorBoxes(x + w * self.shift, y + h * self.shift, w, h)

    def place_of(self, boxes: TensorBoxes) -> tuple[Tensor, Tensor]:
        return boxes.x - boxes.w * self.shift, boxes.y - boxes.h * self.shift

    def ignore(self, work: Work, best: Tensor, index: Tensor | None, near: Tensor) -> None:
        delta, out = work.delta[:, :, 8], work.out
        if index is None:
            work.delta[:, :, 8] = torch.where(near, 0.0, delta)
            return
        # objectness_smooth: such boxes learn the class too, of the object that they are nearest to.
        work.delta[:, :, 8] = torch.where(near, self.layer.obj_normalizer * (best**2 - out[:, :, 8]), delta)
        listed = self._mapped(work.objects.listed_classes).to(out.device)
        classes = listed.gather(1, index.flatten(1)).reshape(index.shape)
        low, high = self.target
        one = torch.zeros_like(out[:, :, 9:]).scatter_(2, classes[:, :, None], 1.0)
        scores = low + (high - low) * one - out[:, :, 9:]
        if self.multipliers is not None:
            worth = self.multipliers.to(out.device)[classes][:, :, None] * self.layer.cls_normalizer
            scores = torch.where(one > 0, scores * worth, scores)
        work.delta[:, :, 9:] = torch.where(near[:, :, None], scores, 0.0)

    def positive(self, delta: Tensor, wanted: Tensor) -> Tensor:
        return wanted

    def averaged(self, rows: Tensor) -> Tensor:
        return torch.ones_like(rows[:, 0], dtype=torch.bool)

    def box_deltas(
        self, rows: Tensor, pairs: Pairs, pred: TensorBoxes, grid: CellGrid, factor: Tensor | None
    ) -> Tensor:
        objects = boxes_of(pairs.boxes)
        sigma = rows[:, 1:8:2]
        off = (self._targets(objects, pairs, grid) - rows[:, 0:8:2]) / sigma
        density = torch.exp(-0.5 * off * off) / (math.sqrt(2 * math.pi) * (sigma + SPREAD))
        trust = 0.5 * density / (density + LEAST) * (2 - objects.w * objects.h)[:, None]
        values = trust * off / sigma if self.layer.iou_loss == "mse" else self._slopes(rows, objects, pred)
        # The first sigma should be squared; that Darknet's is not is what networks were trained with.
        sigmas = trust * (off * off / sigma - 1 / (sigma + SPREAD)) * self.layer.uc_normalizer
        norm = self.layer.iou_normalizer
        values = values * (norm if factor is None else norm * factor[:, None])
        added = torch.stack([values, sigmas], dim=2).flatten(1)
        added = torch.where(torch.isfinite(added), added, 0.0)
        return added if self.limit is None else added.clamp(-self.limit, self.limit)

    def _targets(self, objects: TensorBoxes, pairs: Pairs, grid: CellGrid) -> Tensor:
        (height, width), (net_h, net_w) = grid.cells, grid.net
        anchors = grid.anchors[pairs.anchor]
        x, y = self.place_of(objects)
        w, h = (objects.w * net_w / anchors[:, 0]).log(), (objects.h * net_h / anchors[:, 1]).log()
        return torch.stack([x * width - pairs.cell % width, y * height - pairs.cell // width, w, h], dim=1)

    def _slopes(self, rows: Tensor, objects: TensorBoxes, pred: TensorBoxes) -> Tensor:
        pred = pred._replace(w=torch.where(pred.w == 0, 1.0, pred.w), h=torch.where(pred.h == 0, 1.0, pred.h))
        x, y, w, h = slopes(self.layer.iou_loss, pred, objects)
        x, y = x - w * self.shift, y - h * self.shift
        return torch.stack([x, y, w * rows[:, 4].exp(), h * rows[:, 6].exp()], dim=1)

    def finish(self, work: Work, found: Learned | None, delta: Tensor) -> tuple[Tensor, Tensor, Said]:
        batch = len(delta)
        sums = squares(delta, (1, 3))
        total = sums.sum()
        # "uc" is Darknet's word for sigmas; it takes the last four entries of a box for them.
        numbers = dict(
            class_loss=sums[:, 8:].sum() / batch, iou_loss=sums[:, :4].sum() / batch,
            uc_loss=sums[:, 4:8].sum() / batch, total_loss=total / batch, skipped=work.objects.skipped,
        )  # fmt: skip
        return total, sums.sum(1), said(self._template(), **self._means(work, found), **numbers)

    def _means(self, work: Work, found: Learned | None) -> dict[str, Any]:
        """What Darknet averages over the boxes that learn an object; nan where there is none."""
        free = work.out[:, :, 8].mean()
        if found is None or found.pairs.early == len(found.pairs):
            nothing = dict.fromkeys(("iou", "class", "obj", "half", "most"), math.nan)
            return {**nothing, "no_obj": free, "count": 0}
        likeness = (found.iou if self.layer.iou_loss == "mse" else found.giou)[found.counted]
        rows, classes = found.rows[found.counted], found.pairs.classes[found.counted]
        return {
            "iou": likeness.mean(), "class": rows[:, 9:].gather(1, classes[:, None]).mean(),
            "obj": rows[:, 8].mean(), "half": (likeness > 0.5).float().mean(),
            "most": (likeness > 0.75).float().mean(), "no_obj": free, "count": len(rows),
        }  # fmt: skip

    def _template(self) -> str:
        return (
            f"Region {self.info.index} Avg IOU: %(iou)f, Class: %(class)f, Obj: %(obj)f, No Obj: %(no_obj)f, "
            ".5R: %(half)f, .75R: %(most)f,  count: %(count)d, class_loss = %(class_loss).2f, "
            "iou_loss = %(iou_loss).2f, uc_loss = %(uc_loss).2f, total_loss = %(total_loss).2f"
        )
