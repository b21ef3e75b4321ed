"""What [yolo] and [Gaussian_yolo] share: which boxes learn which objects, and what order decides.

Decision: all boxes at once decide about "no object"; then the few places that have objects are taken out as rows,
worked on in turns (most places have one object, and so one turn), and put back. Nothing loops over cells, and without
truth_thresh nothing waits for a GPU.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ....darknet.layers.heads.head import anchor_table
from ....darknet.layers.heads.yolo import AnchorHead
from .boxes import KINDS, TensorBoxes, best_iou, boxes_of, giou, iou
from .head import HeadLoss, HeadPlace
from .result import LossResult, Said, result
from .truth import Objects, cells_of, read_objects, turns

SEEN_CLASS = 0.25  # probability of any class from which a box may be ignored (yolo_layer.c compare_yolo_class)


@dataclass(frozen=True, eq=False)
class CellGrid:
    """The (height, width) of cells and of the network's input, and anchors (n, 2) of this head in pixels."""

    cells: tuple[int, int]
    net: tuple[int, int]
    anchors: Tensor


@dataclass(frozen=True, eq=False)
class Pairs:
    """Boxes and the objects that they learn, in Darknet's order; tensors of one length.

    `image`, `anchor` (of the mask) and `cell` say which box, `boxes` and `classes` are the object's. The first `early`
    of them come from truth_thresh: Darknet meets them before it goes through the objects, and counts them nowhere.
    """

    image: Tensor
    anchor: Tensor
    cell: Tensor
    boxes: Tensor
    classes: Tensor
    early: int = 0

    def __len__(self) -> int:
        return len(self.image)

    @property
    def at(self) -> tuple[Tensor, Tensor, slice, Tensor]:
        """The index of their rows in a tensor (B, anchors, entries, cells)."""
        return self.image, self.anchor, slice(None), self.cell

    def parts(self) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        """Their tensors."""
        return self.image, self.anchor, self.cell, self.boxes, self.classes

    def then(self, other: Pairs) -> Pairs:
        """These, which are early, and then others."""
        image, anchor, cell, boxes, classes = map(torch.cat, zip(self.parts(), other.parts(), strict=True))
        return Pairs(image, anchor, cell, boxes, classes, len(self))

    def to(self, device: Any) -> Pairs:
        """The same on a device."""
        image, anchor, cell, boxes, classes = (part.to(device, non_blocking=True) for part in self.parts())
        return Pairs(image, anchor, cell, boxes, classes, self.early)


@dataclass(frozen=True, eq=False)
class Learned:
    """What came of the pairs: the rows of their boxes, the IoU and GIoU of each pair, and how many were rewritten."""

    pairs: Pairs
    rows: Tensor
    iou: Tensor
    giou: Tensor
    rewritten: Tensor | int

    @property
    def counted(self) -> slice:
        """The pairs that statistics are about."""
        return slice(self.pairs.early, None)


@dataclass(frozen=True, eq=False)
class Work:
    """A mini batch in the making: `out` and `delta` (B, anchors, entries, cells), the objects, the boxes of `out`."""

    out: Tensor
    delta: Tensor
    objects: Objects
    listed: Tensor
    pred: TensorBoxes
    grid: CellGrid


class AnchorLoss(HeadLoss):
    """The loss of [yolo] (yolo_layer.c process_batch) and what [Gaussian_yolo] has in common with it."""

    before: ClassVar[int]  # numbers of a box before its class scores
    box: ClassVar[int]  # numbers before objectness
    focal: ClassVar[bool] = False  # whether the key focal_loss has an effect

    def __init__(self, place: HeadPlace, layer: AnchorHead) -> None:
        super().__init__(place)
        self.layer = layer
        self.filters = place.filters
        self.map = place.class_map(layer.map_, layer.classes)
        table = anchor_table(layer.anchors, max(layer.num, max(layer.masks) + 1))
        self.every_anchor = torch.tensor(table[: layer.num], dtype=torch.float32)
        self.anchors = torch.tensor([table[m] for m in layer.masks], dtype=torch.float32)
        self.mask_of = torch.full((layer.num,), -1, dtype=torch.long)  # the place of each anchor in the mask
        for at in reversed(range(len(layer.masks))):  # the first of equal ones
            if layer.masks[at] < layer.num:
                self.mask_of[layer.masks[at]] = at
        self.limit = layer.max_delta
        self.multipliers = _multipliers(layer.counters_per_class, layer.max_delta)
        eps = layer.label_smooth_eps
        self.target = (0.5 * eps, 1 - eps + 0.5 * eps) if eps else (0.0, 1.0)

    # What the two heads do differently.

    @abstractmethod
    def activate(self, rows: Tensor) -> Tensor:
        """The output of the layer, (B, anchors, entries, cells)."""

    @abstractmethod
    def decode(self, rows: Tensor, column: Tensor, row: Tensor, anchors: Tensor, grid: CellGrid) -> TensorBoxes:
        """The boxes of rows (…, entries), in parts of the picture."""

    @abstractmethod
    def place_of(self, boxes: TensorBoxes) -> tuple[Tensor, Tensor]:
        """The point of an object whose cell is its own."""

    @abstractmethod
    def box_deltas(
        self, rows: Tensor, pairs: Pairs, pred: TensorBoxes, grid: CellGrid, factor: Tensor | None
    ) -> Tensor:
        """What each pair adds to the delta of its box, (pairs, box); `factor` is what the class of each is worth."""

    @abstractmethod
    def ignore(self, work: Work, best: Tensor, index: Tensor | None, near: Tensor) -> None:
        """Change the delta of boxes that are `near` an object: `best` is its IoU, `index` its number."""

    @abstractmethod
    def positive(self, delta: Tensor, wanted: Tensor) -> Tensor:
        """The delta of objectness of a box with an object, where it was `delta` and would become `wanted`."""

    @abstractmethod
    def averaged(self, rows: Tensor) -> Tensor:
        """Which rows (n, entries) of deltas have those of their boxes divided by the number of their classes."""

    @abstractmethod
    def finish(self, work: Work, found: Learned | None, delta: Tensor) -> tuple[Tensor, Tensor, Said]:
        """Cost, cost of each picture, and what is said."""

    # What is the same.

    @property
    def entries(self) -> int:
        """Numbers of a box."""
        return self.before + self.layer.classes

    def __call__(self, x: Tensor, truth: Tensor, *, seen: int = 0, iteration: int = 0) -> LossResult:
        with torch.no_grad():
            work = self._begin(x.detach().float(), truth)
            found = self._objects(work)
            delta = self.filtered(work.delta, iteration)
            cost, per_sample, said = self.finish(work, found, delta)
        output = work.out.reshape(x.shape)
        return result(x, cost, delta, output, per_sample, said, self.layer.delta_normalizer)

    def filtered(self, delta: Tensor, iteration: int) -> Tensor:
        """The delta after the loss filters, which Darknet has in [yolo] only."""
        return delta

    def _begin(self, x: Tensor, truth: Tensor) -> Work:
        batch, _, height, width = x.shape
        grid = CellGrid((height, width), (self.net.height, self.net.width), self.anchors.to(x.device))
        out = self.activate(x.reshape(batch, len(self.anchors), self.entries, height * width))
        objects = read_objects(truth, batch, self.layer.classes, self.layer.max_)
        delta = torch.zeros_like(out)
        delta[:, :, self.before - 1] = out[:, :, self.before - 1] * -self.layer.obj_normalizer
        cell = torch.arange(height * width, device=x.device)
        boxes = out[:, :, : self.before].transpose(2, 3)
        pred = self.decode(boxes, cell % width, cell // width, grid.anchors[:, None], grid)
        return Work(out, delta, objects, objects.listed.to(x.device), pred, grid)

    def _objects(self, work: Work) -> Learned | None:
        if not len(work.objects):
            return None
        layer = self.layer
        eager = layer.truth_thresh < 1  # at 1, Darknet's default, no IoU is above
        best, index = best_iou(work.pred, work.listed, eager or bool(layer.objectness_smooth))
        near = (best > layer.ignore_thresh) & (work.out[:, :, self.before :].amax(2) > SEEN_CLASS)
        self.ignore(work, best, index, near)
        pairs = self._assigned(work)
        if eager and index is not None:
            pairs = self._eager(work, best, index).then(pairs)
        return self._learn(work, pairs) if len(pairs) else None

    def _mapped(self, classes: Tensor) -> Tensor:
        return classes if self.map is None else self.map.to(classes.device)[classes]

    def _eager(self, work: Work, best: Tensor, index: Tensor) -> Pairs:
        """The boxes whose IoU with an object is above truth_thresh; waits for the device."""
        image, anchor, cell = (best > self.layer.truth_thresh).nonzero(as_tuple=True)
        number = index[image, anchor, cell].cpu()
        image, anchor, cell = image.cpu(), anchor.cpu(), cell.cpu()
        objects = work.objects
        classes = self._mapped(objects.listed_classes[image, number])
        return Pairs(image, anchor, cell, objects.listed[image, number], classes)

    def _assigned(self, work: Work) -> Pairs:
        """Each object with the anchors that learn it, the best before the others: from the truth alone."""
        objects, (height, width) = work.objects, work.grid.cells
        none = torch.zeros(len(objects), 1)
        shapes = TensorBoxes(none, none, objects.boxes[:, 2:3], objects.boxes[:, 3:4])
        net_h, net_w = work.grid.net
        flat = torch.zeros(1, len(self.every_anchor))
        anchors = TensorBoxes(flat, flat, self.every_anchor[None, :, 0] / net_w, self.every_anchor[None, :, 1] / net_h)
        best = iou(anchors, shapes).argmax(1)  # the first of equal ones; 0 where none overlaps
        chosen = torch.zeros(len(objects), 1 + len(self.every_anchor), dtype=torch.bool)
        chosen[:, 0] = self.mask_of[best] >= 0
        if self.layer.iou_thresh < 1:
            kind = KINDS.get(self.layer.iou_thresh_kind, iou)
            others = (kind(anchors, shapes) > self.layer.iou_thresh) & (self.mask_of >= 0)
            others[torch.arange(len(objects)), best] = False
            chosen[:, 1:] = others
        number, which = chosen.nonzero(as_tuple=True)
        anchor = self.mask_of[torch.where(which == 0, best[number], which - 1)]
        boxes = objects.boxes[number]
        x, y = self.place_of(boxes_of(boxes))
        cell = cells_of(y, height) * width + cells_of(x, width)
        return Pairs(objects.image[number], anchor, cell, boxes, self._mapped(objects.classes[number]))

    def _learn(self, work: Work, pairs: Pairs) -> Learned:
        """Write the deltas of pairs that are on the CPU."""
        device = work.out.device
        number = (pairs.image * len(self.anchors) + pairs.anchor) * work.out.shape[3] + pairs.cell
        _, first, place = np.unique(number.numpy(), return_index=True, return_inverse=True)
        places = place.reshape(-1)
        ordered = [torch.from_numpy(turn) for turn in turns(places)]
        unique = Pairs(*(part[torch.from_numpy(first)] for part in pairs.parts())).to(device)
        at = torch.from_numpy(places).to(device, non_blocking=True)
        pairs = pairs.to(device)
        rows = work.out[pairs.at]
        pred = work.pred.pick((pairs.image, pairs.anchor, pairs.cell))
        factor = None if self.multipliers is None else self.multipliers.to(device)[pairs.classes]
        added = self.box_deltas(rows, pairs, pred, work.grid, factor)
        objects = boxes_of(pairs.boxes)
        found = Learned(pairs, rows, iou(pred, objects), giou(pred, objects), 0)
        deltas = work.delta[unique.at]
        rewritten: Any = 0
        for turn in ordered:
            early = turn < pairs.early if pairs.early else None
            turn = turn.to(device, non_blocking=True)
            before = deltas[at[turn]]
            rewritten = rewritten + (before[:, : self.box] != 0).any(1).sum()
            deltas[at[turn]] = self._turn(before, added[turn], found, turn, factor, early)
        work.delta[unique.at] = self._averages(deltas)
        return replace(found, rewritten=rewritten)

    def _turn(
        self, delta: Tensor, added: Tensor, found: Learned, turn: Tensor, factor: Tensor | None, early: Tensor | None
    ) -> Tensor:
        """The delta rows of some pairs, no two of one box, after them; `factor` is what the classes are worth."""
        rows, classes = found.rows[turn], found.pairs.classes[turn]
        worth = None if factor is None else factor[turn]
        at = self.before - 1
        norm = self.layer.obj_normalizer
        wanted = norm * (1 - rows[:, at])
        objectness = self.positive(delta[:, at], wanted if worth is None else wanted * worth)
        scores = self._classes(delta[:, self.before :], rows[:, self.before :], classes, worth)
        if early is not None:
            early = early.to(rows.device)
            square = found.iou[turn] ** 2
            smooth = bool(self.layer.objectness_smooth)
            objectness = torch.where(early, norm * (square - rows[:, at]) if smooth else wanted, objectness)
            if smooth:
                true = classes[:, None]
                less = square[:, None] - rows[:, self.before :].gather(1, true)
                less = less if worth is None else less * worth[:, None]
                scores = scores.scatter(1, true, torch.where(early[:, None], less, scores.gather(1, true)))
        return torch.cat([delta[:, : self.box] + added, objectness[:, None], scores], dim=1)

    def _classes(self, delta: Tensor, scores: Tensor, classes: Tensor, worth: Tensor | None) -> Tensor:
        """The deltas of classes of boxes that learn `classes`: a second object in a box only changes that of its own.

        The second one is known by the delta of its class, in [Gaussian_yolo] too, where Darknet looks at class 0.
        """
        true = classes[:, None]
        low, high = self.target
        was = delta.gather(1, true)
        again = high - scores.gather(1, true)
        again = torch.where(torch.isfinite(again), again, was)
        again = again if worth is None else again * worth[:, None]
        one = torch.zeros_like(scores).scatter_(1, true, 1.0)
        if self.focal and self.layer.focal_loss:
            first = (one - scores) * (0.5 * focal_slope(scores.gather(1, true)))
        else:
            first = low + (high - low) * one - scores if low else one - scores
            first = torch.where(torch.isfinite(first), first, delta)
            if worth is not None:
                first = torch.where(one > 0, first * (worth[:, None] * self.layer.cls_normalizer), first)
        return torch.where(was != 0, delta.scatter(1, true, again), first)

    def _averages(self, deltas: Tensor) -> Tensor:
        """What boxes learn, divided by the number of classes that they learn."""
        classes = (deltas[:, self.before :] > 0).sum(1)
        divided = self.averaged(deltas) & (classes > 0)
        divisor = torch.where(divided, classes, 1).to(deltas.dtype)
        return torch.cat([deltas[:, : self.box] / divisor[:, None], deltas[:, self.box :]], dim=1)


def focal_slope(probability: Tensor) -> Tensor:
    """The factor of focal loss (gamma 2) for the probability of the true class (yolo_layer.c delta_yolo_class)."""
    p = probability + 1e-15
    return -(1 - p) * (2 * p * torch.log(p) + p - 1)


def _multipliers(counters: tuple[int, ...] | None, limit: float | None) -> Tensor | None:
    """What the objects of each class are worth, from how many there are (parser.c get_classes_multipliers).

    >>> _multipliers((100, 40, 0), 50).tolist()
    [1.0, 2.5, 50.0]
    """
    if not counters:
        return None
    counts = torch.tensor(counters, dtype=torch.float32).clamp(min=1)
    worth = counts.max() / counts
    return worth if limit is None else worth.clamp(max=limit)
