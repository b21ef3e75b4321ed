"""The loss of [region], the head of YOLOv2 and YOLO9000 (region_layer.c forward_region_layer)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ....contract.tree import Tree
from ....darknet.layers.heads.head import anchor_table
from ....darknet.layers.heads.region import Region
from ....darknet.layers.heads.tree import read_tree
from .anchors import focal_slope
from .boxes import TensorBoxes, best_iou, boxes_of, iou
from .head import HeadLoss, HeadPlace, squares
from .result import LossResult, result, said
from .softmax import softmax_of_tree
from .truth import Objects, cells_of, read_objects, turns

WARM_UP = 12800  # pictures during which every box also learns to be its anchor
WARM_UP_SCALE = 0.01


@dataclass(frozen=True, eq=False)
class Path:
    """Of a node of a class tree: the nodes from it to its root, and all nodes that have siblings' places there."""

    nodes: Tensor
    groups: Tensor


@dataclass(frozen=True, eq=False)
class Classes:
    """Deltas of class scores (n, classes), where they are (None: everywhere), and the probability of each class."""

    delta: Tensor
    where: Tensor | None
    probability: Tensor


class RegionLoss(HeadLoss):
    """Squares through the logistic function; classes through a softmax, plain numbers, or a tree of softmaxes."""

    def __init__(self, place: HeadPlace, layer: Region) -> None:
        super().__init__(place)
        self.layer = layer
        self.map = place.class_map(layer.map_, layer.classes)
        self.anchors = torch.tensor(anchor_table(layer.anchors, layer.num), dtype=torch.float32)
        self.tree = read_tree(place.side_file(layer.tree)) if layer.tree is not None else None
        self._paths: dict[int, Path] = {}

    def __call__(self, x: Tensor, truth: Tensor, *, seen: int = 0, iteration: int = 0) -> LossResult:
        with torch.no_grad():
            work = _Work(self, x.detach().float(), read_objects(truth, len(x), self.layer.classes, self.layer.max_))
            work.learn_nothing()
            if seen < WARM_UP:
                work.learn_anchors()
            if len(work.objects):
                work.learn_objects()
            total = squares(work.delta, (1, 2, 3))
        line = (
            "Region Avg IOU: %(iou)f, Class: %(class)f, Obj: %(obj)f, No Obj: %(no_obj)f, Avg Recall: %(recall)f,"
            "  count: %(count)d"
        )
        says = said(line, **work.means(), skipped=work.objects.skipped)
        cost = total.sum()
        return result(x, cost, work.delta, work.darknets_order(x), total, says)

    def scores(self, raw: Tensor) -> Tensor:
        """The class scores (B, anchors, classes, cells) of the raw ones."""
        if self.tree is not None:
            return softmax_of_tree(raw, self.tree, 2)
        return raw.softmax(2) if self.layer.softmax else raw

    def classes(self, scores: Tensor, classes: Tensor, scale: Tensor | float) -> Classes:
        """What boxes with `scores` (n, classes) learn of their `classes` (n,)."""
        if self.tree is not None:
            return self._classes_of_tree(self.tree, scores, classes, scale)
        true = classes[:, None]
        one = torch.zeros_like(scores).scatter_(1, true, 1.0)
        probability = scores.gather(1, true)
        delta = scale * (one - scores)
        if self.layer.focal_loss:
            delta = delta * (0.5 * focal_slope(probability))
        return Classes(delta, None, probability[:, 0])

    def _classes_of_tree(self, tree: Tree, scores: Tensor, classes: Tensor, scale: Tensor | float) -> Classes:
        """Each softmax on the way from the class to its root learns; the others are left alone."""
        where = torch.zeros_like(scores, dtype=torch.bool)
        one = torch.zeros_like(scores)
        probability = torch.ones_like(scores[:, 0])
        for at, number in enumerate(classes.tolist()):
            path = self._path(tree, number)
            where[at, path.groups.to(scores.device)] = True
            nodes = path.nodes.to(scores.device)
            one[at, nodes] = 1.0
            probability[at] = scores[at, nodes].prod()
        return Classes(torch.where(where, scale * (one - scores), 0.0), where, probability)

    def _path(self, tree: Tree, number: int) -> Path:
        if number not in self._paths:
            nodes = [number]
            while tree.parents[nodes[-1]] >= 0:
                nodes.append(tree.parents[nodes[-1]])
            group = np.repeat(np.arange(len(tree.groups)), tree.groups)
            groups = np.flatnonzero(np.isin(group, group[nodes]))
            self._paths[number] = Path(torch.tensor(nodes), torch.from_numpy(groups))
        return self._paths[number]


class _Work:
    """A mini batch in the making: `out` and `delta` (B, anchors, entries, cells), and sums for what is printed."""

    def __init__(self, head: RegionLoss, x: Tensor, objects: Objects) -> None:
        batch, _, self.height, self.width = x.shape
        self.head, self.objects = head, objects
        rows = x.reshape(batch, head.layer.num, head.layer.entries, self.height * self.width)
        self.out = torch.cat([rows[:, :, :4], rows[:, :, 4:5].sigmoid(), head.scores(rows[:, :, 5:])], dim=2)
        self.delta = torch.zeros_like(self.out)
        cell = torch.arange(rows.shape[3], device=x.device)
        self.center = rows[:, :, :2].sigmoid()
        anchors = head.anchors.to(x.device)[:, :, None]
        self.pred = TensorBoxes(
            (cell % self.width + self.center[:, :, 0]) / self.width,
            (cell // self.width + self.center[:, :, 1]) / self.height,
            rows[:, :, 2].exp() * anchors[:, 0] / self.width, rows[:, :, 3].exp() * anchors[:, 1] / self.height,
        )  # fmt: skip
        self.sums: dict[str, Any] = dict.fromkeys(("iou", "class", "obj", "recall"), 0.0)
        self.count = self.class_count = 0

    def darknets_order(self, x: Tensor) -> Tensor:
        """The output, cells first and the numbers of a box last, under the name of an image."""
        return self.out.permute(0, 3, 1, 2).reshape(x.shape)

    def learn_nothing(self) -> None:
        """Objectness of all boxes, and classes of those near an object with classfix."""
        layer, objectness = self.head.layer, self.out[:, :, 4]
        listed = self.objects.listed.to(self.out.device)
        best, index = best_iou(self.pred, listed, layer.classfix > 0)
        slope = objectness * (1 - objectness) * layer.noobject_scale
        if layer.classfix == -1:
            self.delta[:, :, 4] = (best - objectness) * slope
            return
        near = best > layer.thresh
        self.delta[:, :, 4] = torch.where(near, 0.0, -objectness * slope)
        if index is not None and listed.shape[1]:
            self._learn_classes_nearby(near, index)

    def _learn_classes_nearby(self, near: Tensor, index: Tensor) -> None:
        layer = self.head.layer
        image, anchor, cell = near.nonzero(as_tuple=True)
        at = (image, anchor, slice(None), cell)
        rows = self.out[at]
        classes = self.objects.listed_classes.to(rows.device)[image, index[image, anchor, cell]]
        scale = layer.class_scale * rows[:, 4:5] if layer.classfix == 2 else layer.class_scale
        learned = self.head.classes(rows[:, 5:], classes, scale)
        deltas = self.delta[at]
        deltas[:, 5:] = learned.delta
        self.delta[at] = deltas
        self.sums["class"] = self.sums["class"] + learned.probability.sum()
        self.class_count += len(rows)

    def learn_anchors(self) -> None:
        """Each box a little of its anchor, in the middle of its cell."""
        self.delta[:, :, :2] = WARM_UP_SCALE * (0.5 - self.center) * self.center * (1 - self.center)
        self.delta[:, :, 2:4] = -WARM_UP_SCALE * self.out[:, :, 2:4]

    def _matches(self, image: Tensor, cell: Tensor) -> Tensor:
        """The anchor of each object: by its own size, or by that of the box there, which waits for the device."""
        head, boxes = self.head, self.objects.boxes
        sizes = head.anchors / torch.tensor([self.width, self.height])
        if head.layer.bias_match:
            w, h = sizes[None, :, 0], sizes[None, :, 1]
        else:
            at = (image.to(self.out.device), slice(None), cell.to(self.out.device))
            w, h = self.pred.w[at].cpu(), self.pred.h[at].cpu()
        none = torch.zeros(1, 1)
        return iou(TensorBoxes(none, none, w, h), TensorBoxes(none, none, boxes[:, 2:3], boxes[:, 3:4])).argmax(1)

    def learn_objects(self) -> None:
        """The best box of each object learns it; what a later object says of a box replaces what was said before."""
        head, layer, objects = self.head, self.head.layer, self.objects
        cell = cells_of(objects.boxes[:, 1], self.height) * self.width + cells_of(objects.boxes[:, 0], self.width)
        anchor = self._matches(objects.image, cell)
        number = (objects.image * layer.num + anchor) * self.out.shape[3] + cell
        order = list(turns(number.numpy()))
        device = self.out.device
        image, anchor, cell, boxes = (v.to(device) for v in (objects.image, anchor, cell, objects.boxes))
        classes = objects.classes if head.map is None else head.map[objects.classes]
        at = (image, anchor, slice(None), cell)
        rows, truth = self.out[at], boxes_of(boxes)
        likeness = iou(self.pred.pick((image, anchor, cell)), truth)
        learned = head.classes(rows[:, 5:], classes.to(device), layer.class_scale)
        objectness = rows[:, 4]
        wanted = likeness if layer.rescore else torch.ones_like(likeness)
        fixed = torch.cat([
            layer.coord_scale * self._box(rows, truth, anchor, cell),
            (layer.object_scale * (wanted - objectness) * objectness * (1 - objectness))[:, None],
        ], dim=1)  # fmt: skip
        for turn in order:
            here = tuple(v[turn] for v in (image, anchor))
            there = (*here, slice(None), cell[turn])
            scores = learned.delta[turn]
            if learned.where is not None:
                scores = torch.where(learned.where[turn], scores, self.delta[there][:, 5:])
            self.delta[there] = torch.cat([fixed[turn], scores], dim=1)
        self.count, self.class_count = len(rows), self.class_count + len(rows)
        self.sums = dict(
            iou=likeness.sum(), obj=objectness.sum(), recall=(likeness > 0.5).float().sum(),
            **{"class": self.sums["class"] + learned.probability.sum()},
        )  # fmt: skip

    def _box(self, rows: Tensor, truth: TensorBoxes, anchor: Tensor, cell: Tensor) -> Tensor:
        anchors = self.head.anchors.to(rows.device)[anchor]
        center = rows[:, :2].sigmoid()
        target = torch.stack([truth.x * self.width - cell % self.width, truth.y * self.height - cell // self.width], 1)
        size = torch.stack([truth.w * self.width / anchors[:, 0], truth.h * self.height / anchors[:, 1]], 1).log()
        sizes = torch.where(torch.isfinite(size), size - rows[:, 2:4], 0.0)  # Darknet: -inf where there is no size
        return torch.cat([(target - center) * center * (1 - center), sizes], dim=1)

    def means(self) -> dict[str, Any]:
        """What Darknet prints; nan where there is no object."""

        def mean(name: str, count: int) -> Any:
            return self.sums[name] / count if count else math.nan

        parts = {name: mean(name, self.count) for name in ("iou", "obj", "recall")}
        free = self.out[:, :, 4].mean()
        return {**parts, "class": mean("class", self.class_count), "no_obj": free, "count": self.count}
