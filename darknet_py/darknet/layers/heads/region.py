"""[region]: the head of YOLOv2 and YOLO9000.

Decision: the output has the order that Darknet's CPU code leaves in memory, cells first and the numbers of a box last,
under the name of an image (region_layer.c forward_region_layer flattens and keeps w, h and c).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ....contract.candidates import Candidates, class_probabilities
from ....errors import BackendError, Code, DataError
from ....ir.builder import Builder
from ....ir.graph import Value
from ...cfg.options import opt
from ..layer import COMMON_INERT, LayerError, image
from ..lowering import Lowering
from ..softmax import softmax_by_groups
from .head import DEFAULT_ANCHOR, MAX_ANCHORS, Head, check_channels, check_classes, corners, logistic, logit
from .tree import Tree, find_tree
from .yolo import cell_centers, scaled

BEFORE = 5  # x, y, w, h, objectness: the C code has them in these places whatever `coords` says
HIERARCHY_THRESHOLD = 0.5  # region_layer.c get_region_boxes; the `-hier` of the command line does not reach it
CLASSFIX_THRESHOLD = 0.5


@dataclass(frozen=True)
class Region(Head):
    """Boxes (x, y, w, h, objectness, class scores) for each anchor in each cell; anchors are in cells."""

    sections = ("region",)
    reads_input = True
    inert = COMMON_INERT | frozenset(
        """
        max log sqrt focal_loss jitter resize rescore thresh absolute random coord_scale object_scale noobject_scale
        mask_scale class_scale bias_match map
        """.split()
    )

    coords: int = opt(4, "numbers of a box; Darknet decodes 4")
    num: int = opt(1, "number of anchors", low=1, high=MAX_ANCHORS)
    anchors: tuple[float, ...] | None = opt(None, "width, height of each anchor in cells; default: 0.5 everywhere")
    softmax: int = opt(0, "class scores go through a softmax, else they stay as they are")
    classfix: int = opt(0, "-1: a box with an objectness below 0.5 has no classes")
    tree: str | None = opt(None, "file of a class hierarchy: one softmax for the children of each node")

    # Found by `lower`, which alone knows the folder of the cfg.
    hierarchy: Tree | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def entries(self) -> int:
        """Numbers for a box."""
        return BEFORE + self.classes

    @property
    def sizes(self) -> np.ndarray:
        """The (width, height) of the anchors, in cells."""
        table = np.full(self.num * 2, DEFAULT_ANCHOR, np.float32)
        known = (self.anchors or ())[: table.size]
        table[: len(known)] = known
        return table.reshape(-1, 2)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = inputs[0]
        channels, h, w = image(x)
        self._check(b, channels)
        boxes = b.reshape(b.op("transpose", x, order=(1, 2, 0)), h * w * self.num, self.entries)
        box, objectness = b.slice(boxes, 1, 0, 4), b.op("sigmoid", b.slice(boxes, 1, 4, 5))
        scores = self._scores(b, b.slice(boxes, 1, 5, self.entries))
        return b.reshape(b.concat([box, objectness, scores], axis=1), channels, h, w)

    def _check(self, b: Lowering, channels: int) -> None:
        if self.coords != 4:
            message = f"coords={self.coords}: Darknet decodes 4 and takes other numbers for them"
            raise LayerError(Code.UNDEFINED, message, "coords", "set coords=4")
        check_channels(b, channels, self.num, f"{BEFORE} + {self.classes}", self.entries)
        check_classes(b, self.classes)
        given = len(self.anchors or ())
        if given > 2 * self.num:
            message = f"{given} numbers for {self.num} anchors: Darknet writes out of bounds; here the rest is unused"
            b.warn(Code.UNDEFINED, message, "anchors", f"set num={given // 2}")
        if given < 2 * self.num:
            message = f"{given} numbers for {self.num} anchors: what is missing is {DEFAULT_ANCHOR} cells"
            b.warn(Code.SUSPICIOUS, message, "anchors")

    def _scores(self, b: Lowering, scores: Value) -> Value:
        if self.tree is None:
            return b.op("softmax", scores, axis=1) if self.softmax else scores
        tree = find_tree(b, self.tree, self.classes)
        if tree is None:
            return scores
        object.__setattr__(self, "hierarchy", tree)
        return softmax_by_groups(b, scores, tree.groups, axis=1)

    def decode(
        self, output: np.ndarray, net_size: tuple[int, int], threshold: float, *, raw: bool = False
    ) -> Candidates:
        _, h, w = output.shape
        if raw:
            rows, box = self._pick(output, threshold)
        else:
            rows = output.reshape(h * w * self.num, self.entries)
            box = np.arange(len(rows))
        cell, anchor = np.divmod(box, self.num)
        place = np.stack([cell % w, cell // w], axis=1).astype(np.float32)
        places = np.empty((len(rows), 4), np.float32)
        places[:, :2] = (place + _logistic(rows[:, :2])) / np.array([w, h], np.float32)
        places[:, 2:] = scaled(rows[:, 2:4], self.sizes[anchor], (h, w))
        # Every box is a candidate with objectness 1; its own objectness is only in its probabilities.
        ones = np.ones(len(rows), np.float32)
        return Candidates(places, ones, self._probabilities(rows[:, 4], rows[:, 5:], threshold))

    def _pick(self, x: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """The boxes in the input of this layer that may have a probability, as its output has them; their numbers."""
        _, h, w = x.shape
        boxes = x.reshape(self.num, self.entries, h * w)
        # Without a softmax a score may be above 1, and objectness alone says nothing.
        limit = logit(threshold) if self.softmax or self.hierarchy else -np.inf
        cell, anchor = np.nonzero(np.float32(limit) <= boxes[:, 4].T)
        rows = boxes[anchor, :, cell]
        rows[:, 4] = logistic(rows[:, 4])
        if self.hierarchy is not None:
            rows[:, 5:] = _softmax_of_groups(rows[:, 5:], self.hierarchy.groups)
        elif self.softmax and self.tree is None:
            rows[:, 5:] = _softmax_of_groups(rows[:, 5:], (self.classes,))
        return rows, cell * self.num + anchor

    def _probabilities(self, scale: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
        if self.classfix == -1:
            scale = np.where(scale < CLASSFIX_THRESHOLD, np.float32(0), scale)
        if self.tree is None:
            return class_probabilities(scale, scores, threshold)
        if self.hierarchy is None:
            raise DataError(f"boxes of a [region] with a class tree need the file {self.tree!r}, which was not found")
        probabilities = np.zeros_like(scores)
        rows = np.flatnonzero(scale > np.float32(threshold))
        absolute = self.hierarchy.absolute(scores[rows])
        # The last node above the threshold wins, and keeps its probability without the objectness.
        likely = absolute > HIERARCHY_THRESHOLD
        node = likely.shape[1] - 1 - likely[:, ::-1].argmax(axis=1)
        probabilities[rows, node] = np.where(likely.any(axis=1), absolute[np.arange(len(rows)), node], 0)
        return probabilities

    def lower_boxes(self, b: Builder, output: Value, net_size: tuple[int, int]) -> tuple[Value, Value]:
        if self.tree is not None:
            raise BackendError("a [region] with a class tree has no scores without a threshold: export its raw output")
        _, h, w = output.shape
        boxes = b.reshape(output, h * w, self.num, self.entries)
        center = cell_centers(b, b.op("sigmoid", b.slice(boxes, 2, 0, 2)), (h, w), net_size)
        pixels = self.sizes * np.array([net_size[1] / w, net_size[0] / h], np.float32)
        size = b.mul(b.op("exp", b.slice(boxes, 2, 2, 4)), b.const(pixels[None]))
        scale = b.slice(boxes, 2, 4, 5)
        if self.classfix == -1:
            scale = b.mul(scale, b.op("floor", b.add(scale, 1 - CLASSFIX_THRESHOLD)))
        scores = b.mul(b.slice(boxes, 2, 5, self.entries), scale)
        return corners(b, center, size), b.reshape(scores, h * w * self.num, self.classes)


def _softmax_of_groups(scores: np.ndarray, groups: tuple[int, ...]) -> np.ndarray:
    """Softmax of runs of columns of (n, classes), float32 (softmax_by_groups)."""
    starts = np.cumsum((0, *groups[:-1]))
    powers = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts, axis=1), groups, axis=1))
    return powers / np.repeat(np.add.reduceat(powers, starts, axis=1), groups, axis=1)


def _logistic(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return (1 / (1 + np.exp(-x.astype(np.float64)))).astype(np.float32)
