"""[detection]: the head of YOLOv1, a vector with all class scores first, then all objectness, then all boxes.

Decision: boxes are relative like those of the other heads. Darknet gives these, and only these, in pixels of the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....contract.candidates import Candidates, class_probabilities
from ....errors import Code
from ....ir.builder import Builder
from ....ir.graph import Value
from ...cfg.options import opt
from ..layer import COMMON_INERT, LayerError
from ..lowering import Lowering
from .head import MAX_ANCHORS, MAX_CLASSES, Head, corners, grid
from .yolo import cell_centers

BOX = 4  # detection_layer.c get_detection_detections steps by 4 whatever `coords` says


@dataclass(frozen=True)
class Detection(Head):
    """`num` boxes and one set of class scores for each of side x side cells."""

    sections = ("detection",)
    inert = COMMON_INERT | frozenset(
        """
        rescore max coord_scale forced object_scale noobject_scale class_scale jitter resize random reorg
        """.split()
    )

    classes: int = opt(1, "number of classes", low=1, high=MAX_CLASSES)
    coords: int = opt(1, "numbers of a box; Darknet decodes 4", low=1, high=MAX_ANCHORS)
    side: int = opt(7, "rows and columns of cells", low=1, high=4096)
    num: int = opt(1, "boxes in each cell", low=1, high=MAX_ANCHORS)
    softmax: int = opt(0, "class scores go through a softmax")
    sqrt: int = opt(0, "sizes are square roots")

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = b.flatten(inputs[0])
        cells = self.side * self.side
        wanted = cells * ((1 + self.coords) * self.num + self.classes)
        if x.shape[0] != wanted:
            message = (
                f"{self.side} x {self.side} cells of {self.num} boxes x (1 + {self.coords}) + {self.classes} classes"
                f" want {wanted} numbers, and the layer before gives {x.shape[0]}"
            )
            raise LayerError(Code.HEAD_MISMATCH, message, hint=f"set output={wanted} in the [connected] before")
        if self.coords < BOX:
            message = f"coords={self.coords}: Darknet reads {BOX} numbers for each box, out of bounds"
            raise LayerError(Code.UNDEFINED, message, "coords", f"set coords={BOX}")
        if self.coords > BOX:
            message = f"coords={self.coords}: Darknet decodes {BOX} numbers for each box, not those it trained"
            b.warn(Code.SUSPICIOUS, message, "coords", f"set coords={BOX}")
        return self._softmax(b, x) if self.softmax else x

    def _softmax(self, b: Lowering, x: Value) -> Value:
        cells = self.side * self.side
        count = cells * self.classes
        scores = b.op("softmax", b.reshape(b.slice(x, 0, 0, count), cells, self.classes), axis=1)
        return b.concat([b.flatten(scores), b.slice(x, 0, count, x.shape[0])])

    def decode(
        self, output: np.ndarray, net_size: tuple[int, int], threshold: float, *, raw: bool = False
    ) -> Candidates:
        cells, n, side = self.side * self.side, self.num, self.side
        scores, scale, boxes = np.split(output[: cells * (self.classes + n + n * BOX)], self._ends())
        found = boxes.reshape(cells, n, BOX)
        places = np.empty((cells, n, 4), np.float32)
        places[..., :2] = (found[..., :2] + grid(side, side)) / np.float32(side)
        places[..., 2:] = found[..., 2:] ** 2 if self.sqrt else found[..., 2:]
        each = np.repeat(scores.reshape(cells, self.classes), n, axis=0)
        return Candidates(places.reshape(-1, 4), scale, class_probabilities(scale, each, threshold))

    def _ends(self) -> tuple[int, int]:
        """Where the class scores and the objectness end."""
        cells = self.side * self.side
        return cells * self.classes, cells * (self.classes + self.num)

    def lower_boxes(self, b: Builder, output: Value, net_size: tuple[int, int]) -> tuple[Value, Value]:
        cells, n, side = self.side * self.side, self.num, self.side
        first, second = self._ends()
        scores = b.reshape(b.slice(output, 0, 0, first), cells, 1, self.classes)
        scale = b.reshape(b.slice(output, 0, first, second), cells, n, 1)
        boxes = b.reshape(b.slice(output, 0, second, second + cells * n * BOX), cells, n, BOX)
        center = cell_centers(b, b.slice(boxes, 2, 0, 2), (side, side), net_size)
        wh = b.slice(boxes, 2, 2, 4)
        size = b.op("power", wh, exponent=2.0) if self.sqrt else wh
        pixels = np.array([net_size[1], net_size[0]], np.float32).reshape(1, 1, 2)
        joint = b.reshape(b.mul(scores, scale), cells * n, self.classes)
        return corners(b, center, b.mul(size, b.const(pixels))), joint
