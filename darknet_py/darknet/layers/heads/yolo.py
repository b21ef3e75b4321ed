"""[yolo]: boxes from anchors, in the three ways that Darknet and WongKinYiu's PyTorch code decode them.

Decision: the PyTorch dialect is a class of its own, because it decodes one way whatever the cfg says.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ....contract.candidates import Candidates, class_probabilities
from ....contract.nms import NMS_KINDS
from ....errors import Code
from ...cfg.options import opt
from ..layer import COMMON_INERT, LayerError, image
from .head import DEFAULT_ANCHOR, MAX_ANCHORS, Head, check_channels, check_classes, corners, grid, logistic, logit

if TYPE_CHECKING:
    from ....ir.builder import Builder
    from ....ir.graph import Value
    from ..lowering import Lowering

# parser.c parse_yolo and parse_gaussian_yolo: read for training, and `map` for the recall of old data sets
TRAINING = COMMON_INERT | frozenset(
    """
    max show_details max_delta label_smooth_eps objectness_smooth iou_normalizer obj_normalizer
    cls_normalizer delta_normalizer iou_loss iou_thresh_kind jitter resize focal_loss ignore_thresh truth_thresh
    iou_thresh random map
    """.split()
)


@dataclass(frozen=True)
class AnchorHead(Head):
    """What [yolo] and [Gaussian_yolo] share: anchors in pixels, of which `mask` selects some, and the suppression."""

    reads_input = True
    before: ClassVar[int] = 0  # numbers of a box before its class scores

    num: int = opt(1, "number of anchors in the whole list", low=1, high=MAX_ANCHORS)
    mask: tuple[int, ...] | None = opt(
        None, "which anchors this head uses; default: all", low=0, high=MAX_ANCHORS, comments=True
    )
    anchors: tuple[float, ...] | None = opt(
        None, "width, height of each anchor in pixels; default: 0.5 everywhere", comments=True
    )
    scale_x_y: float = opt(1.0, "stretch of the centre within and beyond its cell")
    nms_kind: str = opt("default", "how boxes are suppressed", choices=NMS_KINDS, fallback="default")
    beta_nms: float = opt(0.6, "exponent of the distance in diounms", low=0)
    counters_per_class: tuple[int, ...] | None = opt(
        None, "objects of each class in the training data; only their number counts", comments=True
    )

    @property
    def masks(self) -> tuple[int, ...]:
        """The numbers of the anchors used."""
        return self.mask or tuple(range(self.num))

    @cached_property
    def sizes(self) -> np.ndarray:
        """The (width, height) of the anchors used, in pixels of the network input."""
        table = np.full((max(self.masks) + 1) * 2, DEFAULT_ANCHOR, np.float32)
        known = (self.anchors or ())[: table.size]
        table[: len(known)] = known
        return table.reshape(-1, 2)[list(self.masks)]

    @property
    def entries(self) -> int:
        """Numbers for a box."""
        return self.before + self.classes

    def suppression(self) -> tuple[str, float]:
        return self.nms_kind, self.beta_nms

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
        return channels, h, w

    def pick(self, output: np.ndarray, threshold: float, raw: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The boxes with an objectness above the threshold, in Darknet's order: cell by cell, there anchor by anchor.

        Gives their numbers (n, entries), their cells (n, 2) as column and row, and their anchors (n, 2). `raw` numbers
        are looked at as they are, and only the objectness of boxes that may pass is squashed, then the box.
        """
        _, h, w = output.shape
        boxes = output.reshape(len(self.masks), self.entries, h * w)
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

    @property
    def squashes(self) -> bool:
        """Whether this layer takes the logistic of the objectness."""
        return True

    def squash(self, rows: np.ndarray) -> np.ndarray:
        """Boxes (n, entries) of the input of this layer as its output has them: what `lower` says, for some boxes."""
        raise NotImplementedError  # abstract: `AnchorHead` itself is no section

    def cells_last(self, b: Builder, output: Value) -> Value:
        """The output as (cells, anchors, entries), which is Darknet's order of boxes."""
        _, h, w = output.shape
        boxes = b.reshape(output, len(self.masks), self.entries, h * w)
        return b.op("transpose", boxes, order=(2, 0, 1))


@dataclass(frozen=True)
class Yolo(AnchorHead):
    """Boxes (x, y, w, h, objectness, class scores) for each masked anchor in each cell."""

    sections = ("yolo",)
    dialects: ClassVar[tuple[str, ...]] = ("alexeyab", "pjreddie")
    inert = TRAINING | frozenset(
        """
        track_history_size sim_thresh dets_for_track dets_for_show track_ciou_norm embedding_layer
        """.split()
    )
    before = 5

    new_coords: int = opt(0, "1: the convolution before ends in a logistic; sizes are (2 w)² of the anchor, not exp(w)")

    @property
    def squared(self) -> bool:
        """Whether width and height are (2 v)² of the anchor instead of exp(v)."""
        return self.new_coords != 0

    @property
    def stretch(self) -> float:
        """The scale of x and y about the middle of the cell."""
        return self.scale_x_y

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = inputs[0]
        channels, h, w = self.check(b, x)
        self.lint(b)
        boxes = b.reshape(x, len(self.masks), self.entries, h * w)
        xy, wh, scores = self.activate(b, *(b.slice(boxes, 1, *s) for s in ((0, 2), (2, 4), (4, self.entries))))
        if self.stretch != 1:
            xy = b.sub(b.mul(xy, self.stretch), 0.5 * (self.stretch - 1))
        return b.reshape(b.concat([xy, wh, scores], axis=1), channels, h, w)

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

    @property
    def squashes(self) -> bool:
        return not self.new_coords

    def squash(self, rows: np.ndarray) -> np.ndarray:
        if self.new_coords:
            return self.stretched(rows.copy())
        found = logistic(rows)
        found[:, 2:4] = rows[:, 2:4]
        return self.stretched(found)

    def stretched(self, found: np.ndarray) -> np.ndarray:
        """Squashed boxes with their centres stretched; in place."""
        if self.stretch != 1:
            found[:, :2] = found[:, :2] * np.float32(self.stretch) - np.float32(0.5 * (self.stretch - 1))
        return found

    def decode(
        self, output: np.ndarray, net_size: tuple[int, int], threshold: float, *, raw: bool = False
    ) -> Candidates:
        found, cells, anchors = self.pick(output, threshold, raw)
        boxes = np.empty((len(found), 4), np.float32)
        boxes[:, :2] = (cells + found[:, :2]) / np.array(output.shape[:0:-1], np.float32)
        boxes[:, 2:] = scaled(found[:, 2:4], anchors, net_size, self.squared)
        probabilities = class_probabilities(found[:, 4], found[:, 5:], threshold)
        return Candidates(boxes, found[:, 4], probabilities)

    def lower_boxes(self, b: Builder, output: Value, net_size: tuple[int, int]) -> tuple[Value, Value]:
        boxes = self.cells_last(b, output)
        center = cell_centers(b, b.slice(boxes, 2, 0, 2), output.shape[1:], net_size)
        wh = b.slice(boxes, 2, 2, 4)
        factor = b.op("power", b.mul(wh, 2), exponent=2.0) if self.squared else b.op("exp", wh)
        scores = b.mul(b.slice(boxes, 2, 5, self.entries), b.slice(boxes, 2, 4, 5))
        count = center.shape[0] * center.shape[1]
        return corners(b, center, b.mul(factor, b.const(self.sizes[None]))), b.reshape(scores, count, self.classes)


@dataclass(frozen=True)
class PytorchYolo(Yolo):
    """The same with WongKinYiu's fixed decoding: logistic everywhere, 2 xy - 0.5, (2 wh)² (yolor models.py)."""

    sections = ("yolo",)
    dialects = ("pytorch",)

    @property
    def squared(self) -> bool:
        return True

    @property
    def stretch(self) -> float:
        return 2.0

    def activate(self, b: Lowering, xy: Value, wh: Value, scores: Value) -> tuple[Value, Value, Value]:
        return b.op("sigmoid", xy), b.op("sigmoid", wh), b.op("sigmoid", scores)

    @property
    def squashes(self) -> bool:
        return True

    def squash(self, rows: np.ndarray) -> np.ndarray:
        return self.stretched(logistic(rows))

    def lint(self, b: Lowering) -> None:
        """Nothing to say: the cfg does not decide."""


def scaled(wh: np.ndarray, anchors: np.ndarray, net_size: tuple[int, int], squared: bool = False) -> np.ndarray:
    """Widths and heights (n, 2) relative to the network input (yolo_layer.c get_yolo_box, whose exp is a double's)."""
    net = np.array(net_size[::-1], np.float32)
    if squared:
        return wh * wh * 4 * anchors / net
    with np.errstate(over="ignore"):
        return (np.exp(wh.astype(np.float64)) * anchors / net).astype(np.float32)


def cell_centers(b: Builder, xy: Value, cells: tuple[int, ...], net_size: tuple[int, int]) -> Value:
    """Centres in pixels of the network input from offsets (cells, n, 2) in a grid of (rows, columns)."""
    (h, w), (net_h, net_w) = cells, net_size
    step = np.array([net_w / w, net_h / h], np.float32).reshape(1, 1, 2)
    return b.mul(b.add(xy, b.const(grid(h, w))), b.const(step))
