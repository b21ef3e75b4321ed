"""[detection]: the head of YOLOv1, a vector with all class scores first, then all objectness, then all boxes."""

from __future__ import annotations

from ....contract.decoders import Detection as Decoder
from ....contract.decoders.detection import BOX
from ....errors import Code
from ....ir.graph import Value
from ...cfg.options import opt
from ..layer import Decoded, LayerError, layer
from ..lowering import Lowering
from ..training import GridTraining, train, unused
from .head import MAX_ANCHORS, MAX_CLASSES, Head


@layer
class Detection(Head, GridTraining):
    """`num` boxes and one set of class scores for each of side x side cells."""

    sections = ("detection",)

    forced: int = train(0, "1: small objects belong to the second box of a cell, others to the first")
    reorg: int = unused(0, "without effect in Darknet")
    classes: int = opt(1, "number of classes", low=1, high=MAX_CLASSES)
    coords: int = opt(1, "numbers of a box; Darknet decodes 4", low=1, high=MAX_ANCHORS)
    side: int = opt(7, "rows and columns of cells", low=1, high=4096)
    num: int = opt(1, "boxes in each cell", low=1, high=MAX_ANCHORS)
    softmax: int = opt(0, "class scores go through a softmax")
    sqrt: int = opt(0, "sizes are square roots")

    def has_area(self, shape: tuple[int, ...]) -> bool:
        return self.side > 1 or super().has_area(shape)

    def lower(self, b: Lowering, *inputs: Value) -> Decoded:
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
        decoder = Decoder(self.classes, self.side, self.num, bool(self.sqrt))
        return Decoded(self._softmax(b, x) if self.softmax else x, decoder)

    def _softmax(self, b: Lowering, x: Value) -> Value:
        cells = self.side * self.side
        count = cells * self.classes
        scores = b.op("softmax", b.reshape(b.slice(x, 0, 0, count), cells, self.classes), axis=1)
        return b.concat([b.flatten(scores), b.slice(x, 0, count, x.shape[0])])
