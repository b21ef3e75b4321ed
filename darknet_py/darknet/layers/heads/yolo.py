"""[yolo]: boxes from anchors, in the three ways that Darknet and WongKinYiu's PyTorch code decode them.

Decision: the PyTorch dialect is a class of its own, because it decodes one way whatever the cfg says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from ....contract.decoders import Yolo as Decoder
from ....contract.nms import NMS_KINDS
from ....errors import Code
from ...cfg.options import opt
from ..layer import Decoded, LayerError, Spelling, image, layer
from ..training import YoloTraining, unused
from .head import (
    DEFAULT_ANCHOR,
    MAX_ANCHORS,
    Head,
    anchor_table,
    check_channels,
    check_classes,
    lint_pixel_anchors,
)  # fmt: skip

if TYPE_CHECKING:
    from ....ir.graph import Value
    from ....ir.ops import Shape
    from ..lowering import Lowering


@layer
class AnchorHead(Head, YoloTraining):
    """What [yolo] and [Gaussian_yolo] share: anchors in pixels, of which `mask` selects some, and the suppression."""

    before: ClassVar[int] = 0  # numbers of a box before its class scores

    num: int = opt(1, "number of anchors in the whole list", low=1, high=MAX_ANCHORS)
    mask: tuple[int, ...] | None = opt(
        None, "which anchors this head uses; default: all", low=0, high=MAX_ANCHORS, comments=True
    )
    anchors: tuple[float, ...] | None = opt(
        None, "width, height of each anchor in pixels; default: 0.5 everywhere", comments=True
    )
    scale_x_y: float = opt(1.0, "stretch of the centre within and beyond its cell", usual=(1, 3))
    nms_kind: str = opt("default", "how boxes are suppressed", choices=NMS_KINDS, fallback="default")
    beta_nms: float = opt(0.6, "exponent of the distance in diounms", low=0)
    counters_per_class: tuple[int, ...] | None = opt(
        None, "objects of each class in the training data; only their number counts", comments=True
    )

    @property
    def masks(self) -> tuple[int, ...]:
        """The numbers of the anchors used."""
        return self.mask or tuple(range(self.num))

    @property
    def entries(self) -> int:
        """Numbers for a box."""
        return self.before + self.classes

    @property
    def boxes(self) -> tuple[tuple[float, float], ...]:
        """The (width, height) of the anchors used, in pixels of the network input."""
        table = anchor_table(self.anchors, max(self.masks) + 1)
        return tuple(table[m] for m in self.masks)

    def check(self, b: Lowering, x: Value) -> tuple[int, int, int]:
        """The (channels, height, width) of the input; errors and warnings about filters and anchors."""
        channels, h, w = image(x)
        check_channels(b, channels, len(self.masks), f"{self.before} + {self.classes}", self.entries)
        check_classes(b, self.classes)
        if self.counters_per_class and len(self.counters_per_class) != self.classes:
            message = f"{len(self.counters_per_class)} counters for {self.classes} classes: Darknet refuses it"
            raise LayerError(Code.HEAD_MISMATCH, message, "counters_per_class")
        given = len(self.anchors or ())
        listed, last = -(-given // 2), max(self.masks)
        if last >= max(self.num, listed):
            message = f"mask {last} is beyond num={self.num} and the {listed} anchors: Darknet reads out of bounds"
            raise LayerError(Code.UNDEFINED, message, "mask")
        if last >= self.num:
            message = f"mask {last} is beyond num={self.num}: out of bounds for Darknet, here the listed anchor counts"
            b.warn(Code.UNDEFINED, message, "num", f"set num={listed}")
        if last * 2 + 1 >= given:
            message = f"mask {last} has no width and height in 'anchors': what is missing is {DEFAULT_ANCHOR} pixels"
            b.warn(Code.SUSPICIOUS, message, "anchors")
        elif given < 2 * self.num or given % 2:
            message = f"'anchors' has {given} numbers, and {self.num} anchors want {2 * self.num}"
            b.warn(Code.SUSPICIOUS, message, "anchors", "each anchor is a width and a height")
        lint_pixel_anchors(b, self.anchors or (), (h, w))
        return channels, h, w


@layer
class Yolo(AnchorHead):
    """Boxes (x, y, w, h, objectness, class scores) for each masked anchor in each cell."""

    sections = ("yolo",)
    dialects: ClassVar[tuple[str, ...]] = ("alexeyab", "pjreddie")
    before = 5

    track_history_size: int = unused(5, "images that Darknet's tracker looks back")
    sim_thresh: float = unused(0.8, "least likeness of two detections that the tracker takes for one object")
    dets_for_track: int = unused(1, "detections after which the tracker follows an object")
    dets_for_show: int = unused(1, "detections after which the tracker shows an object")
    track_ciou_norm: float = unused(0.01, "weight of places, against embeddings, in the tracker")
    embedding_layer: int | None = unused(None, "the layer whose output the tracker compares; default: none")
    new_coords: int = opt(0, "1: the convolution before ends in a logistic; sizes are (2 w)² of the anchor, not exp(w)")

    @property
    def decoder(self) -> Decoder:
        """How boxes come out of the output of this layer."""
        logistic = "nothing" if self.new_coords else "centre and scores"
        return Decoder(
            self.classes, self.boxes, self.scale_x_y, self.nms_kind, self.beta_nms, logistic, self.new_coords != 0
        )

    def lower(self, b: Lowering, *inputs: Value) -> Decoded:
        x = inputs[0]
        channels, h, w = self.check(b, x)
        self.lint(b)
        boxes = b.reshape(x, len(self.masks), self.entries, h * w)
        xy, wh, scores = self.activate(b, *(b.slice(boxes, 1, *s) for s in ((0, 2), (2, 4), (4, self.entries))))
        decoder = self.decoder
        if decoder.stretch != 1:
            xy = b.sub(b.mul(xy, decoder.stretch), 0.5 * (decoder.stretch - 1))
        return Decoded(b.reshape(b.concat([xy, wh, scores], axis=1), channels, h, w), decoder)

    def activate(self, b: Lowering, xy: Value, wh: Value, scores: Value) -> tuple[Value, Value, Value]:
        """What yolo_layer.c forward_yolo_layer applies to the centre, the size, and objectness with class scores."""
        if self.new_coords:
            return xy, wh, scores
        return b.op("sigmoid", xy), wh, b.op("sigmoid", scores)

    def lint(self, b: Lowering) -> None:
        """Warn about an activation before this head that does not go with its way of decoding."""
        wanted = "logistic" if self.new_coords else "linear"
        found = getattr(b.layers[b.index - 1], "activation", wanted) if b.index else wanted
        if found == wanted:
            return
        message = f"new_coords={self.new_coords} wants activation={wanted} in the layer before, which has {found}"
        hint = "WongKinYiu's PyTorch cfgs are decoded with --dialect pytorch" if self.new_coords else None
        b.warn(Code.SUSPICIOUS, message, "new_coords", hint)


@layer
class PytorchYolo(Yolo):
    """The same with WongKinYiu's fixed decoding: logistic everywhere, 2 xy - 0.5, (2 wh)² (yolor models.py)."""

    sections = ("yolo",)
    dialects = ("pytorch",)

    def spelled(self, *inputs: Shape) -> Spelling:
        return Spelling(options={"new_coords": "1", "scale_x_y": "2.0"}, before="logistic")

    @property
    def decoder(self) -> Decoder:
        return Decoder(self.classes, self.boxes, 2.0, self.nms_kind, self.beta_nms, "all", squared=True)

    def activate(self, b: Lowering, xy: Value, wh: Value, scores: Value) -> tuple[Value, Value, Value]:
        return b.op("sigmoid", xy), b.op("sigmoid", wh), b.op("sigmoid", scores)

    def lint(self, b: Lowering) -> None:
        """Nothing to say: the cfg does not decide."""
