"""[detection], YOLOv1: a vector with all class scores first, then all objectness, then all boxes.

Decision: boxes are relative like those of the other decoders. Darknet gives these, and only these, in pixels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..candidates import Candidates, class_probabilities
from .decoder import Decoder, cell_centers, corners, grid

if TYPE_CHECKING:
    from ...ir.builder import Builder
    from ...ir.graph import Value

BOX = 4  # detection_layer.c get_detection_detections steps by 4 whatever `coords` says


@dataclass(frozen=True)
class Detection(Decoder):
    """`num` boxes and one set of class scores for each of `side` x `side` cells; sizes are squared where `sqrt`."""

    kind = "detection"

    side: int
    num: int
    sqrt: bool = False

    def decode(
        self, array: np.ndarray, net_size: tuple[int, int], threshold: float, *, raw: bool = False
    ) -> Candidates:
        cells, n, side = self.side * self.side, self.num, self.side
        scores, scale, boxes = np.split(array[: cells * (self.classes + n + n * BOX)], self._ends())
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
