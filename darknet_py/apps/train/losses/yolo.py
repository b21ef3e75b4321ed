"""The loss of [yolo] (yolo_layer.c forward_yolo_layer)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ....darknet.layers.heads.yolo import Yolo
from .anchors import AnchorLoss, CellGrid, Learned, Pairs, Work
from .boxes import TensorBoxes, boxes_of, slopes
from .head import HeadPlace, squares
from .result import Said, said


class YoloLoss(AnchorLoss):
    """Objectness and classes learn as of binary cross-entropy, boxes of squares or of an IoU."""

    before, box = 5, 4
    focal = True
    layer: Yolo

    def __init__(self, place: HeadPlace, layer: Yolo) -> None:
        super().__init__(place, layer)
        self.layer = layer

    def activate(self, rows: Tensor) -> Tensor:
        if self.layer.new_coords:
            out = rows.clone()
        else:
            out = rows.sigmoid()
            out[:, :, 2:4] = rows[:, :, 2:4]
        stretch = self.layer.scale_x_y
        if stretch != 1:
            out[:, :, :2] = out[:, :, :2] * stretch - 0.5 * (stretch - 1)
        return out

    def decode(self, rows: Tensor, column: Tensor, row: Tensor, anchors: Tensor, grid: CellGrid) -> TensorBoxes:
        (height, width), (net_h, net_w) = grid.cells, grid.net
        w, h = rows[..., 2], rows[..., 3]
        w, h = (4 * w * w, 4 * h * h) if self.layer.new_coords else (w.exp(), h.exp())
        x, y = (column + rows[..., 0]) / width, (row + rows[..., 1]) / height
        return TensorBoxes(x, y, w * anchors[..., 0] / net_w, h * anchors[..., 1] / net_h)

    def place_of(self, boxes: TensorBoxes) -> tuple[Tensor, Tensor]:
        return boxes.x, boxes.y

    def ignore(self, work: Work, best: Tensor, index: Tensor | None, near: Tensor) -> None:
        delta, norm = work.delta[:, :, 4], self.layer.obj_normalizer
        if self.layer.objectness_smooth:
            less = torch.maximum(norm * (best - work.out[:, :, 4]), delta)
            work.delta[:, :, 4] = torch.where(near, less, delta)
        else:
            work.delta[:, :, 4] = torch.where(near, 0.0, delta)

    def positive(self, delta: Tensor, wanted: Tensor) -> Tensor:
        # With objectness_smooth, what was decided before stays, even if it is to be 0.
        return torch.where(delta == 0, wanted, delta) if self.layer.objectness_smooth else wanted

    def averaged(self, rows: Tensor) -> Tensor:
        return rows[:, 4] != 0 if self.layer.iou_thresh < 1 else torch.zeros_like(rows[:, 4], dtype=torch.bool)

    def filtered(self, delta: Tensor, iteration: int) -> Tensor:
        if self.filters is None:
            return delta
        return self.filters.apply(delta, self.net, iteration, self.entries)

    def box_deltas(
        self, rows: Tensor, pairs: Pairs, pred: TensorBoxes, grid: CellGrid, factor: Tensor | None
    ) -> Tensor:
        objects = boxes_of(pairs.boxes)
        if self.layer.iou_loss == "mse":
            added = self._squares(rows, objects, pairs, grid) * (2 - objects.w * objects.h)[:, None]
        else:
            added = self._slopes(rows, objects, pred)
        added = added * (self.layer.iou_normalizer if factor is None else self.layer.iou_normalizer * factor[:, None])
        # Darknet gives -inf to the size of a box that is to have none, in mse.
        added = torch.where(torch.isfinite(added), added, 0.0)
        if self.limit is None or self.layer.iou_loss == "mse":
            return added
        return added.clamp(-self.limit, self.limit)

    def _squares(self, rows: Tensor, objects: TensorBoxes, pairs: Pairs, grid: CellGrid) -> Tensor:
        """How far the output is from what it should be."""
        (height, width), (net_h, net_w) = grid.cells, grid.net
        anchors = grid.anchors[pairs.anchor]
        w, h = objects.w * net_w / anchors[:, 0], objects.h * net_h / anchors[:, 1]
        w, h = ((w / 4).sqrt(), (h / 4).sqrt()) if self.layer.new_coords else (w.log(), h.log())
        x, y = objects.x * width - pairs.cell % width, objects.y * height - pairs.cell // width
        return torch.stack([x, y, w, h], dim=1) - rows[:, :4]

    def _slopes(self, rows: Tensor, objects: TensorBoxes, pred: TensorBoxes) -> Tensor:
        """Darknet's gradient of the IoU; of the chain to the output there is only that of the size, through exp."""
        pred = pred._replace(w=torch.where(pred.w == 0, 1.0, pred.w), h=torch.where(pred.h == 0, 1.0, pred.h))
        x, y, w, h = slopes(self.layer.iou_loss, pred, objects)
        if not self.layer.new_coords:
            w, h = w * rows[:, 2].exp(), h * rows[:, 3].exp()
        return torch.stack([x, y, w, h], dim=1)

    def finish(self, work: Work, found: Learned | None, delta: Tensor) -> tuple[Tensor, Tensor, Said]:
        layer, batch = self.layer, len(delta)
        sums = squares(delta, (1, 3))
        boxes, rest = sums[:, :4].sum(1), sums[:, 4:].sum(1)
        total, classes = sums.sum(), layer.obj_normalizer * rest.sum()
        count, overlap, missing, counts = self._overlaps(found, batch, delta.device)
        if layer.iou_loss == "mse" or not layer.show_details:
            cost, each = total, boxes + rest
        else:
            cost = layer.iou_normalizer * missing.sum() / max(count, 1) + classes
            each = layer.iou_normalizer * missing / counts.clamp(min=1) + layer.obj_normalizer * rest
        numbers = dict(
            iou=overlap / max(count, 1), count=count, class_loss=classes / batch, iou_loss=(total - classes) / batch,
            total_loss=total / batch, boxes=0 if found is None else len(found.pairs),
            rewritten=0 if found is None else found.rewritten, skipped=work.objects.skipped,
        )  # fmt: skip
        return cost, each, said(self._template(), **numbers)

    def _overlaps(self, found: Learned | None, batch: int, device: Any) -> tuple[int, Tensor, Tensor, Tensor]:
        """Number of pairs, sum of their IoU, and for each picture what its pairs lack to 1, and their number."""
        lacking, counts = torch.zeros(2, batch, device=device)
        if found is None:
            return 0, counts.sum(), lacking, counts
        image = found.pairs.image[found.counted]
        likeness = (found.giou if self.layer.iou_loss == "giou" else found.iou)[found.counted]
        lacking.index_add_(0, image, 1 - likeness)
        counts.index_add_(0, image, torch.ones_like(likeness))
        return len(image), found.iou[found.counted].sum(), lacking, counts

    def _template(self) -> str:
        layer = self.layer
        name = layer.iou_loss if layer.iou_loss in ("mse", "giou") else "iou"
        norms = f"iou: {layer.iou_normalizer:.2f}, obj: {layer.obj_normalizer:.2f}, cls: {layer.cls_normalizer:.2f}"
        head = f"v3 ({name} loss, Normalizer: ({norms}) Region {self.info.index} Avg (IOU: %(iou)f), count: %(count)d, "
        details = "class_loss = %(class_loss)f, iou_loss = %(iou_loss)f, " if layer.show_details else ""
        return f"{head}{details}total_loss = %(total_loss)f"
