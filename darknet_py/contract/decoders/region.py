"""[region], YOLOv2 and YOLO9000: boxes from anchors in cells, with classes that may form a tree.

The array has the order that each program leaves in memory: AlexeyAB's cells first and the numbers of a box last,
pjreddie's as an image, whose channels are the numbers of each anchor's box.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ...errors import BackendError, DataError
from ..candidates import Candidates, class_probabilities
from ..tree import Tree, tree_of
from .decoder import Decoder, cell_centers, corners, logistic, logit, scaled

if TYPE_CHECKING:
    from ...ir.builder import Builder
    from ...ir.graph import Value

BOX = 4  # x, y, w, h
BEFORE = BOX + 1  # and objectness: AlexeyAB's C code has them in these places whatever `coords` says
HIERARCHY_THRESHOLD = 0.5  # region_layer.c get_region_boxes; the `-hier` of the command line does not reach it
CLASSFIX_THRESHOLD = 0.5


@dataclass(frozen=True)
class Region(Decoder):
    """Boxes (x, y, w, h, objectness, class scores) for each anchor in each cell.

    `softmax`: class scores went through one; `classfix`: boxes with an objectness below 0.5 have no classes.
    `coords` numbers come before objectness, and the first four are the box; `planes`: the array is an image, and scores
    without a softmax are logistic.
    `tree_file` is what the cfg calls its class hierarchy and `tree` the hierarchy itself, None where the file was not
    there.
    """

    kind = "region"
    reads_input = True

    anchors: tuple[tuple[float, float], ...]
    softmax: bool = False
    classfix: bool = False
    tree_file: str | None = None
    tree: Tree | None = None
    coords: int = BOX
    planes: bool = False

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Self:
        """The decoder with these fields, which may come from JSON."""
        tree = fields.get("tree")
        made = super().of({**fields, "tree": None})
        if tree is None:
            return made
        read = tree_of(tree)
        if len(read) != made.classes:
            raise ValueError(f"a tree of {len(read)} nodes for {made.classes} classes")
        return cls(**{**vars(made), "tree": read})

    @cached_property
    def sizes(self) -> np.ndarray:
        """The anchors, (n, 2)."""
        return np.array(self.anchors, np.float32)

    @property
    def entries(self) -> int:
        """Numbers for a box."""
        return self.coords + 1 + self.classes

    def decode(
        self, array: np.ndarray, net_size: tuple[int, int], threshold: float, *, raw: bool = False
    ) -> Candidates:
        _, h, w = array.shape
        num = len(self.anchors)
        if raw:
            rows, box = self._pick(array, threshold)
        elif self.planes:
            rows = array.reshape(num, self.entries, h * w).transpose(2, 0, 1).reshape(-1, self.entries)
            box = np.arange(len(rows))
        else:
            rows = array.reshape(h * w * num, self.entries)
            box = np.arange(len(rows))
        cell, anchor = np.divmod(box, num)
        place = np.stack([cell % w, cell // w], axis=1).astype(np.float32)
        places = np.empty((len(rows), 4), np.float32)
        center = rows[:, :2] if self.planes and not raw else _logistic_of_doubles(rows[:, :2])
        places[:, :2] = (place + center) / np.array([w, h], np.float32)
        places[:, 2:] = scaled(rows[:, 2:4], self.sizes[anchor], (h, w))
        # Every box is a candidate with objectness 1; its own objectness is only in its probabilities.
        ones = np.ones(len(rows), np.float32)
        return Candidates(places, ones, self._probabilities(*self._scored(rows), threshold))

    def _scored(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Objectness and class scores of boxes."""
        return rows[:, self.coords], rows[:, self.coords + 1 :]

    def _pick(self, x: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        """The boxes in the input of the head that may have a probability, as its output has them; their numbers."""
        _, h, w = x.shape
        num = len(self.anchors)
        boxes = x.reshape(num, self.entries, h * w)
        # Without a softmax a score may be above 1 in AlexeyAB's order, and objectness alone says nothing.
        limit = logit(threshold) if self.softmax or self.tree or self.planes else -np.inf
        cell, anchor = np.nonzero(np.float32(limit) <= boxes[:, self.coords].T)
        rows = boxes[anchor, :, cell]
        objectness, scores = self._scored(rows)
        objectness[:] = logistic(objectness)
        if self.tree is not None:
            scores[:] = _softmax_of_groups(scores, self.tree.groups)
        elif self.softmax and self.tree_file is None:
            scores[:] = _softmax_of_groups(scores, (self.classes,))
        elif self.planes and self.tree_file is None:
            scores[:] = logistic(scores)
        return rows, cell * num + anchor

    def _probabilities(self, scale: np.ndarray, scores: np.ndarray, threshold: float) -> np.ndarray:
        if self.classfix:
            scale = np.where(scale < CLASSFIX_THRESHOLD, np.float32(0), scale)
        if self.tree_file is None:
            return class_probabilities(scale, scores, threshold)
        if self.tree is None:
            raise DataError(
                f"boxes of a [region] with a class tree need the file {self.tree_file!r}, which was not found"
            )
        probabilities = np.zeros_like(scores)
        rows = np.flatnonzero(scale > np.float32(threshold))
        absolute = self.tree.absolute(scores[rows])
        # The last node above the threshold wins, and keeps its probability without the objectness.
        likely = absolute > HIERARCHY_THRESHOLD
        node = likely.shape[1] - 1 - likely[:, ::-1].argmax(axis=1)
        probabilities[rows, node] = np.where(likely.any(axis=1), absolute[np.arange(len(rows)), node], 0)
        return probabilities

    def lower_boxes(self, b: Builder, output: Value, net_size: tuple[int, int]) -> tuple[Value, Value]:
        if self.tree_file is not None:
            raise BackendError("a [region] with a class tree has no scores without a threshold: export its raw output")
        _, h, w = output.shape
        num = len(self.anchors)
        boxes = self._rows(b, output)
        center = b.slice(boxes, 2, 0, 2)
        center = cell_centers(b, center if self.planes else b.op("sigmoid", center), (h, w), net_size)
        pixels = self.sizes * np.array([net_size[1] / w, net_size[0] / h], np.float32)
        size = b.mul(b.op("exp", b.slice(boxes, 2, 2, 4)), b.const(pixels[None]))
        scale = b.slice(boxes, 2, self.coords, self.coords + 1)
        if self.classfix:
            scale = b.mul(scale, b.op("floor", b.add(scale, 1 - CLASSFIX_THRESHOLD)))
        scores = b.mul(b.slice(boxes, 2, self.coords + 1, self.entries), scale)
        return corners(b, center, size), b.reshape(scores, h * w * num, self.classes)

    def objectness(self, b: Builder, output: Value, scores: Value) -> Value:
        """The number before the class scores."""
        rows = b.reshape(self._rows(b, output), scores.shape[0], self.entries)
        return b.slice(rows, 1, self.coords, self.coords + 1)

    def _rows(self, b: Builder, output: Value) -> Value:
        """The numbers of each box, (cells, anchors, numbers)."""
        _, h, w = output.shape
        num = len(self.anchors)
        if not self.planes:
            return b.reshape(output, h * w, num, self.entries)
        return b.op("transpose", b.reshape(output, num, self.entries, h * w), order=(2, 0, 1))


def _softmax_of_groups(scores: np.ndarray, groups: tuple[int, ...]) -> np.ndarray:
    """Softmax of runs of columns of (n, classes), float32 (softmax_by_groups)."""
    starts = np.cumsum((0, *groups[:-1]))
    powers = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts, axis=1), groups, axis=1))
    return powers / np.repeat(np.add.reduceat(powers, starts, axis=1), groups, axis=1)


def _logistic_of_doubles(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return (1 / (1 + np.exp(-x.astype(np.float64)))).astype(np.float32)
