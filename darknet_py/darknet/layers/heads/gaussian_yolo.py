"""[Gaussian_yolo]: a [yolo] that also gives a standard deviation for x, y, w and h, and trusts sure boxes more."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....contract.decoders.anchors import POINTS, Gaussian
from ....errors import Code
from ...cfg.options import opt
from ..layer import Decoded, layer
from ..training import train
from .yolo import AnchorHead

if TYPE_CHECKING:
    from ....ir.graph import Value
    from ..lowering import Lowering


@layer
class GaussianYolo(AnchorHead):
    """Boxes (x, σx, y, σy, w, σw, h, σh, objectness, class scores) for each masked anchor in each cell."""

    sections = ("Gaussian_yolo",)
    before = 9

    uc_normalizer: float = train(1.0, "factor of the gradient of standard deviations")
    yolo_point: str = opt("center", "the point of the box that x and y are", choices=POINTS, fallback="center")

    def lower(self, b: Lowering, *inputs: Value) -> Decoded:
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
        decoder = Gaussian(self.classes, self.boxes, self.scale_x_y, self.nms_kind, self.beta_nms, self.yolo_point)
        return Decoded(b.reshape(b.concat([*rows, scores], axis=1), channels, h, w), decoder)
