"""[region]: the head of YOLOv2 and YOLO9000.

Decision: the output has the order that Darknet's CPU code leaves in memory, cells first and the numbers of a box last,
under the name of an image (region_layer.c forward_region_layer flattens and keeps w, h and c).
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from ....contract.decoders import Region as Decoder
from ....contract.decoders.region import BEFORE, BOX
from ....contract.tree import Tree
from ....errors import Code
from ....ir.graph import Value
from ....ir.ops import Shape
from ...cfg.options import opt
from ..layer import Decoded, LayerError, Spelling, image, layer, unspeakable
from ..lowering import Lowering
from ..softmax import softmax_by_groups
from ..training import GridTraining, train, unused
from .head import (
    DEFAULT_ANCHOR,
    MAX_ANCHORS,
    Head,
    anchor_table,
    check_channels,
    check_classes,
    lint_cell_anchors,
)  # fmt: skip
from .tree import find_tree


@layer
class Region(Head, GridTraining):
    """Boxes (x, y, w, h, objectness, class scores) for each anchor in each cell; anchors are in cells."""

    sections = ("region",)
    dialects: ClassVar[tuple[str, ...]] = ("alexeyab", "pytorch")

    thresh: float = train(0.5, "IoU with an object above which a box without one is not punished", usual=(0, 1))
    bias_match: int = train(0, "1: the anchor closest in size learns an object, not the box closest to it")
    focal_loss: int = train(0, "1: focal loss of classes")
    map_: str | None = train(None, "file of class numbers: what the classes of labels stand for")
    absolute: int = unused(0, "without effect in Darknet")
    mask_scale: float = unused(1.0, "without effect in Darknet")
    log: int = unused(0, "without effect in Darknet")
    sqrt: int = unused(0, "without effect in Darknet")
    coords: int = opt(4, "numbers of a box; AlexeyAB's Darknet decodes 4, pjreddie's reads others after them")
    num: int = opt(1, "number of anchors", low=1, high=MAX_ANCHORS)
    anchors: tuple[float, ...] | None = opt(None, "width, height of each anchor in cells; default: 0.5 everywhere")
    softmax: int = opt(0, "class scores go through a softmax, else they stay as they are")
    classfix: int = opt(0, "-1: a box with an objectness below 0.5 has no classes")
    tree: str | None = opt(None, "file of a class hierarchy: one softmax for the children of each node")

    @property
    def entries(self) -> int:
        """Numbers for a box."""
        return BEFORE + self.classes

    def lower(self, b: Lowering, *inputs: Value) -> Decoded:
        x = inputs[0]
        channels, h, w = image(x)
        self._check(b, channels, (h, w))
        boxes = b.reshape(b.op("transpose", x, order=(1, 2, 0)), h * w * self.num, self.entries)
        box, objectness = b.slice(boxes, 1, 0, 4), b.op("sigmoid", b.slice(boxes, 1, 4, 5))
        tree = find_tree(b, self.tree, self.classes) if self.tree is not None else None
        scores = self._scores(b, b.slice(boxes, 1, 5, self.entries), tree)
        output = b.reshape(b.concat([box, objectness, scores], axis=1), channels, h, w)
        return Decoded(output, self._decoder(tree))

    def _decoder(self, tree: Tree | None) -> Decoder:
        anchors = tuple(anchor_table(self.anchors, self.num))
        return Decoder(self.classes, anchors, bool(self.softmax), self.classfix == -1, self.tree, tree)

    def _check(self, b: Lowering, channels: int, cells: tuple[int, int]) -> None:
        if self.coords != BOX:
            message = f"coords={self.coords}: {b.dialect.title} decodes {BOX} and takes other numbers for them"
            hint = f"coords={self.coords} is read by pjreddie's Darknet: --dialect pjreddie"
            raise LayerError(Code.UNDEFINED, message, "coords", hint if self.coords > BOX else f"set coords={BOX}")
        check_channels(b, channels, self.num, f"{BEFORE} + {self.classes}", self.entries)
        self.check_anchors(b, cells)

    def check_anchors(self, b: Lowering, cells: tuple[int, int]) -> None:
        """Warn where classes or the number of anchors do not fit."""
        check_classes(b, self.classes)
        lint_cell_anchors(b, self.anchors or (), cells)
        given = len(self.anchors or ())
        if given > 2 * self.num:
            message = f"{given} numbers for {self.num} anchors: Darknet writes out of bounds; here the rest is unused"
            b.warn(Code.UNDEFINED, message, "anchors", f"set num={given // 2}")
        if given < 2 * self.num:
            message = f"{given} numbers for {self.num} anchors: what is missing is {DEFAULT_ANCHOR} cells"
            b.warn(Code.SUSPICIOUS, message, "anchors")

    def _scores(self, b: Lowering, scores: Value, tree: Tree | None) -> Value:
        if tree is not None:
            return softmax_by_groups(b, scores, tree.groups, axis=1)
        return b.op("softmax", scores, axis=1) if self.softmax and self.tree is None else scores


@layer
class PjreddieRegion(Region):
    """The same with `coords` numbers before objectness, in the order of an image (pjreddie's region_layer.c).

    The first four numbers make the box; those after them, such as the corners of a pose, stay as they are. Without
    `softmax` class scores are logistic.
    """

    sections = ("region",)
    dialects = ("pjreddie",)

    coords: int = opt(4, "numbers before objectness; the first four are the box", low=1, high=MAX_ANCHORS)

    @property
    def entries(self) -> int:
        """Numbers for a box."""
        return self.coords + 1 + self.classes

    def spelled(self, *inputs: Shape) -> Spelling:
        if self.coords != BOX:
            raise unspeakable(f"it decodes {BOX} numbers for each box", "coords")
        if not self.softmax and self.tree is None:
            raise unspeakable("it leaves class scores as they are, without a logistic")
        return Spelling(options={"classfix": None})

    def lower(self, b: Lowering, *inputs: Value) -> Decoded:
        x, at = inputs[0], self.coords
        channels, h, w = image(x)
        if at < BOX:
            message = f"coords={at}: Darknet reads {BOX} numbers for each box, and so objectness and scores as sizes"
            raise LayerError(Code.UNDEFINED, message, "coords", f"set coords={BOX}")
        check_channels(b, channels, self.num, f"{at} + 1 + {self.classes}", self.entries)
        self.check_anchors(b, (h, w))
        boxes = b.reshape(x, self.num, self.entries, h * w)
        tree = find_tree(b, self.tree, self.classes) if self.tree is not None else None
        parts = [
            b.op("sigmoid", b.slice(boxes, 1, 0, 2)), b.slice(boxes, 1, 2, at),
            b.op("sigmoid", b.slice(boxes, 1, at, at + 1)),
            self._scores(b, b.slice(boxes, 1, at + 1, self.entries), tree),
        ]  # fmt: skip
        output = b.reshape(b.concat(parts, axis=1), channels, h, w)
        return Decoded(output, replace(self._decoder(tree), coords=at, planes=True, classfix=False))

    def _scores(self, b: Lowering, scores: Value, tree: Tree | None) -> Value:
        plain = not self.softmax and self.tree is None
        return b.op("sigmoid", scores) if plain else super()._scores(b, scores, tree)
