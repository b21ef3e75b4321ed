"""[Gaussian_yolo]: a [yolo] that also gives a standard deviation for x, y, w and h, and trusts sure boxes more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ....contract.candidates import Candidates, class_probabilities
from ....errors import Code
from ...cfg.options import opt
from .head import corners, logistic
from .yolo import TRAINING, AnchorHead, cell_centers, scaled

if TYPE_CHECKING:
    from ....ir.builder import Builder
    from ....ir.graph import Value
    from ..lowering import Lowering

# How far the centre of a box is from the point that x and y give, in sizes of the box.
POINTS = {"center": 0.0, "left_top": 0.5, "right_bottom": -0.5}


@dataclass(frozen=True)
class GaussianYolo(AnchorHead):
    """Boxes (x, σx, y, σy, w, σw, h, σh, objectness, class scores) for each masked anchor in each cell."""

    sections = ("Gaussian_yolo",)
    inert = TRAINING | frozenset({"uc_normalizer"})
    before = 9

    yolo_point: str = opt("center", "the point of the box that x and y are", choices=POINTS, fallback="center")

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = inputs[0]
        channels, h, w = self.check(b, x)
        given = len(self.anchors or ())
        if given > 2 * self.num:  # parse_gaussian_yolo copies them all, which parse_yolo does not
            message = f"{given} numbers for {self.num} anchors: Darknet writes out of bounds"
            b.warn(Code.UNDEFINED, message, "anchors", f"set num={-(-given // 2)}")
        boxes = b.reshape(x, len(self.masks), self.entries, h * w)
        logistic = b.op("sigmoid", boxes)
        rows = [b.slice(boxes if i in (4, 6) else logistic, 1, i, i + 1) for i in range(8)]
        if self.scale_x_y != 1:
            shift = 0.5 * (self.scale_x_y - 1)
            rows[0], rows[2] = (b.sub(b.mul(rows[i], self.scale_x_y), shift) for i in (0, 2))
        scores = b.slice(logistic, 1, 8, self.entries)
        return b.reshape(b.concat([*rows, scores], axis=1), channels, h, w)

    def squash(self, rows: np.ndarray) -> np.ndarray:
        found = logistic(rows)
        found[:, 4], found[:, 6] = rows[:, 4], rows[:, 6]
        if self.scale_x_y != 1:
            shift = np.float32(0.5 * (self.scale_x_y - 1))
            found[:, 0:4:2] = found[:, 0:4:2] * np.float32(self.scale_x_y) - shift
        return found

    def decode(
        self, output: np.ndarray, net_size: tuple[int, int], threshold: float, *, raw: bool = False
    ) -> Candidates:
        found, cells, anchors = self.pick(output, threshold, raw)
        boxes = np.empty((len(found), 4), np.float32)
        boxes[:, 2:] = scaled(found[:, 4:8:2], anchors, net_size)
        boxes[:, :2] = (cells + found[:, 0:4:2]) / np.array(output.shape[:0:-1], np.float32)
        boxes[:, :2] += boxes[:, 2:] * np.float32(POINTS[self.yolo_point])
        sigmas, objectness = found[:, 1:8:2], found[:, 8]
        sure = 1 - sigmas.mean(axis=1, keepdims=True)
        probabilities = class_probabilities(objectness, found[:, 9:] * sure, threshold)
        return Candidates(boxes, objectness, probabilities, sigmas)

    def lower_boxes(self, b: Builder, output: Value, net_size: tuple[int, int]) -> tuple[Value, Value]:
        boxes = self.cells_last(b, output)
        rows = [b.slice(boxes, 2, i, i + 1) for i in range(9)]
        size = b.mul(b.op("exp", b.concat([rows[4], rows[6]], axis=2)), b.const(self.sizes[None]))
        center = cell_centers(b, b.concat([rows[0], rows[2]], axis=2), output.shape[1:], net_size)
        if POINTS[self.yolo_point]:
            center = b.add(center, b.mul(size, POINTS[self.yolo_point]))
        sigmas = b.op("reduce_mean", b.concat([rows[i] for i in (1, 3, 5, 7)], axis=2), axes=(2,))
        trust = b.mul(rows[8], b.sub(1.0, sigmas))
        scores = b.mul(b.slice(boxes, 2, 9, self.entries), trust)
        return corners(b, center, size), b.reshape(scores, center.shape[0] * center.shape[1], self.classes)
