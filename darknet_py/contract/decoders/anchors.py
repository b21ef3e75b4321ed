"""Boxes from anchors in pixels: [yolo], in the three ways that programs decode it, and [Gaussian_yolo]."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..candidates import Candidates, class_probabilities
from .decoder import Decoder, cell_centers, corners, logistic, logit, scaled

if TYPE_CHECKING:
    from ...ir.builder import Builder
    from ...ir.graph import Value

# How far the centre of a box is from the point that x and y give, in sizes of the box.
POINTS = {"center": 0.0, "left_top": 0.5, "right_bottom": -0.5}


@dataclass(frozen=True)
class AnchorDecoder(Decoder):
    """What both share: `anchors` are the (width, height) of each box of a cell, `stretch` scales the centre in it,
    `nms_kind` and `nms_beta` are how boxes are to be suppressed.
    """

    reads_input = True
    before: ClassVar[int] = 0  # numbers of a box before its class scores

    anchors: tuple[tuple[float, float], ...]
    stretch: float = 1.0
    nms_kind: str = "default"
    nms_beta: float = 0.6

    @property
    def suppression(self) -> tuple[str, float]:
        return self.nms_kind, self.nms_beta

    @cached_property
    def sizes(self) -> np.ndarray:
        """The anchors, (n, 2)."""
        return np.array(self.anchors, np.float32)

    @property
    def entries(self) -> int:
        """Numbers for a box."""
        return self.before + self.classes

    @property
    def squashes(self) -> bool:
        """Whether the head takes the logistic of the objectness."""
        return True

    def squash(self, rows: np.ndarray) -> np.ndarray:
        """Boxes (n, entries) of the input of the head as its output has them: what its lowering says, for some."""
        raise NotImplementedError  # abstract: `AnchorDecoder` itself has no kind

    def pick(self, array: np.ndarray, threshold: float, raw: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The boxes with an objectness above the threshold, in Darknet's order: cell by cell, there anchor by anchor.

        Gives their numbers (n, entries), their cells (n, 2) as column and row, and their anchors (n, 2). `raw` numbers
        are looked at as they are, and only the objectness of boxes that may pass is squashed, then the box.
        """
        _, h, w = array.shape
        boxes = array.reshape(len(self.anchors), self.entries, h * w)
        late = raw and self.squashes
        limit = np.float32(logit(threshold) if late else threshold)
        anchor, cell = np.divmod(np.flatnonzero(boxes[:, self.before - 1] > limit), h * w)
        order = np.argsort(cell, kind="stable")
        anchor, cell = anchor[order], cell[order]
        found = boxes[anchor, :, cell]
        if late:
            found = self.squash(found)
            sure = found[:, self.before - 1] > np.float32(threshold)
            found, anchor, cell = found[sure], anchor[sure], cell[sure]
        elif raw:
            found = self.squash(found)
        return found, np.stack([cell % w, cell // w], axis=1).astype(np.float32), self.sizes[anchor]

    def cells_last(self, b: Builder, output: Value) -> Value:
        """The output as (cells, anchors, entries), which is Darknet's order of boxes."""
        _, h, w = output.shape
        boxes = b.reshape(output, len(self.anchors), self.entries, h * w)
        return b.op("transpose", boxes, order=(2, 0, 1))

    def objectness(self, b: Builder, output: Value, scores: Value) -> Value:
        """The number before the class scores."""
        boxes = self.cells_last(b, output)
        return b.reshape(b.slice(boxes, 2, self.before - 1, self.before), scores.shape[0], 1)


@dataclass(frozen=True)
class Yolo(AnchorDecoder):
    """Boxes (x, y, w, h, objectness, class scores).

    `logistic` says what the head takes the logistic of: 'centre and scores' (Darknet), 'nothing' (new_coords, where the
    convolution before does it) or 'all' (WongKinYiu's PyTorch code). Sizes are (2 w)² of the anchor where `squared`,
    else exp(w).
    """

    kind = "yolo"
    before = 5

    logistic: str = "centre and scores"
    squared: bool = False

    @property
    def squashes(self) -> bool:
        return self.logistic != "nothing"

    def squash(self, rows: np.ndarray) -> np.ndarray:
        found = logistic(rows) if self.squashes else rows.copy()
        if self.logistic != "all":
            found[:, 2:4] = rows[:, 2:4]
        if self.stretch != 1:
            found[:, :2] = found[:, :2] * np.float32(self.stretch) - np.float32(0.5 * (self.stretch - 1))
        return found

    def decode(
        self, array: np.ndarray, net_size: tuple[int, int], threshold: float, *, raw: bool = False
    ) -> Candidates:
        found, cells, anchors = self.pick(array, threshold, raw)
        boxes = np.empty((len(found), 4), np.float32)
        boxes[:, :2] = (cells + found[:, :2]) / np.array(array.shape[:0:-1], np.float32)
        boxes[:, 2:] = scaled(found[:, 2:4], anchors, net_size, self.squared)
        probabilities = class_probabilities(found[:, 4], found[:, 5:], threshold)
        return Candidates(boxes, found[:, 4], probabilities)

    def lower_boxes(self, b: Builder, output: Value, net_size: tuple[int, int]) -> tuple[Value, Value]:
        boxes = self.cells_last(b, output)
        center = cell_centers(b, b.slice(boxes, 2, 0, 2), output.shape[1:], net_size)
        wh = b.slice(boxes, 2, 2, 4)
        factor = b.op("power", b.mul(wh, 2), exponent=2.0) if self.squared else b.op("exp", wh)
        objectness = b.slice(boxes, 2, 4, 5)
        if not self.squashes:  # a negative one is above no threshold, but times a negative score it would be
            objectness = b.op("relu", objectness)
        scores = b.mul(b.slice(boxes, 2, 5, self.entries), objectness)
        count = center.shape[0] * center.shape[1]
        return corners(b, center, b.mul(factor, b.const(self.sizes[None]))), b.reshape(scores, count, self.classes)


@dataclass(frozen=True)
class Gaussian(AnchorDecoder):
    """Boxes (x, σx, y, σy, w, σw, h, σh, objectness, class scores), sure ones trusted more.

    `point` is the point of the box that x and y are, one of `POINTS`.
    """

    kind = "gaussian_yolo"
    before = 9

    point: str = "center"

    def squash(self, rows: np.ndarray) -> np.ndarray:
        found = logistic(rows)
        found[:, 4], found[:, 6] = rows[:, 4], rows[:, 6]
        if self.stretch != 1:
            shift = np.float32(0.5 * (self.stretch - 1))
            found[:, 0:4:2] = found[:, 0:4:2] * np.float32(self.stretch) - shift
        return found

    def decode(
        self, array: np.ndarray, net_size: tuple[int, int], threshold: float, *, raw: bool = False
    ) -> Candidates:
        found, cells, anchors = self.pick(array, threshold, raw)
        boxes = np.empty((len(found), 4), np.float32)
        boxes[:, 2:] = scaled(found[:, 4:8:2], anchors, net_size)
        boxes[:, :2] = (cells + found[:, 0:4:2]) / np.array(array.shape[:0:-1], np.float32)
        point = np.float32(POINTS[self.point])
        if point.any():  # no multiplication by 0: sides of a network that has learned nothing may be infinite
            boxes[:, :2] += boxes[:, 2:] * point
        sigmas, objectness = found[:, 1:8:2], found[:, 8]
        sure = 1 - sigmas.mean(axis=1, keepdims=True)
        probabilities = class_probabilities(objectness, found[:, 9:] * sure, threshold)
        return Candidates(boxes, objectness, probabilities, sigmas)

    def lower_boxes(self, b: Builder, output: Value, net_size: tuple[int, int]) -> tuple[Value, Value]:
        boxes = self.cells_last(b, output)
        rows = [b.slice(boxes, 2, i, i + 1) for i in range(9)]
        size = b.mul(b.op("exp", b.concat([rows[4], rows[6]], axis=2)), b.const(self.sizes[None]))
        center = cell_centers(b, b.concat([rows[0], rows[2]], axis=2), output.shape[1:], net_size)
        if POINTS[self.point]:
            center = b.add(center, b.mul(size, POINTS[self.point]))
        sigmas = b.op("reduce_mean", b.concat([rows[i] for i in (1, 3, 5, 7)], axis=2), axes=(2,))
        trust = b.mul(rows[8], b.sub(1.0, sigmas))
        scores = b.mul(b.slice(boxes, 2, 9, self.entries), trust)
        return corners(b, center, size), b.reshape(scores, center.shape[0] * center.shape[1], self.classes)
