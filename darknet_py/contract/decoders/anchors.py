"""Boxes from anchors in pixels: [yolo], in the three ways that programs decode it, and [Gaussian_yolo]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ..candidates import Candidates, class_probabilities
from .decoder import Decoder, cell_centers, corners, logistic, logit, scaled

if TYPE_CHECKING:
    from ...ir.builder import Builder
    from ...ir.graph import Value

# How far the centre of a box is from the point that x and y give, in sizes of the box.
POINTS = {"center": 0.0, "left_top": 0.5, "right_bottom": -0.5}


@dataclass(frozen=True, eq=False)
class Picked:
    """Boxes of a head as `rows` (n, entries), their anchors and cells (n,) by number; `grid` is the head's (h, w)."""

    rows: np.ndarray
    anchor: np.ndarray
    cell: np.ndarray
    grid: tuple[int, int]


@dataclass(frozen=True, eq=False)
class Cells:
    """Where boxes of several heads are: `at` (n, 2) as column and row, in a `grid` (n, 2) of so many, and the size
    of their `anchors` (n, 2). `stretches` (n, 1) are how far their centres go in a cell; None where none leave it.
    """

    at: np.ndarray
    grid: np.ndarray
    anchors: np.ndarray
    stretches: np.ndarray | None

    @classmethod
    def of(cls, heads: Sequence[tuple[AnchorDecoder, Picked]]) -> Cells:
        """Those of what each head picked."""
        which = np.repeat(np.arange(len(heads)), [len(picked.cell) for _, picked in heads])
        grid = np.array([picked.grid[::-1] for _, picked in heads])[which]
        row, column = np.divmod(np.concatenate([picked.cell for _, picked in heads]), grid[:, 0])
        anchors = np.concatenate([head.sizes[picked.anchor] for head, picked in heads])
        stretches = None
        if any(head.stretch != 1 for head, _ in heads):
            stretches = np.array([head.stretch for head, _ in heads])[which, None]
        return cls(np.array([column, row], np.float32).T, grid.astype(np.float32), anchors, stretches)

    def only(self, which: np.ndarray) -> Cells:
        """Those of some boxes."""
        stretches = None if self.stretches is None else self.stretches[which]
        return Cells(self.at[which], self.grid[which], self.anchors[which], stretches)

    def stretch(self, centers: np.ndarray) -> None:
        """Move centres (n, 2) in their cells as the heads do."""
        if self.stretches is not None:
            centers *= self.stretches.astype(np.float32)
            centers -= (0.5 * (self.stretches - 1)).astype(np.float32)


@dataclass(frozen=True)
class AnchorDecoder(Decoder):
    """What both share: `anchors` are the (width, height) of each box of a cell, `stretch` scales the centre in it,
    `nms_kind` and `nms_beta` are how boxes are to be suppressed.
    """

    reads_input = True
    before: ClassVar[int] = 0  # numbers of a box before its class scores
    centers: ClassVar[slice] = slice(0)  # where among them the two of the centre are

    anchors: tuple[tuple[float, float], ...]
    stretch: float = 1.0
    nms_kind: str = "default"
    nms_beta: float = 0.6

    @property
    def suppression(self) -> tuple[str, float]:
        return self.nms_kind, self.nms_beta

    @cached_property
    def sizes(self) -> np.ndarray:
        """The anchors, (n, 2)."""
        return np.array(self.anchors, np.float32)

    @property
    def entries(self) -> int:
        """Numbers for a box."""
        return self.before + self.classes

    @property
    def squashes(self) -> bool:
        """Whether the head takes the logistic of the objectness."""
        return True

    @property
    def alike(self) -> tuple[object, ...]:
        """What heads share that are decoded together: all but their anchors, and how far centres go."""
        return type(self), self.classes

    def squash(self, rows: np.ndarray) -> np.ndarray:
        """Boxes (n, entries) of the input of the head as its output has them: what its lowering says, for some.

        The centres are left to `Cells.stretch`.
        """
        raise NotImplementedError  # abstract: `AnchorDecoder` itself has no kind

    def placed(self, rows: np.ndarray, cells: Cells, net_size: tuple[int, int], threshold: float) -> Candidates:
        """The candidates in boxes (n, entries) of the output of heads that are alike."""
        raise NotImplementedError  # abstract, as above

    def decode(
        self, array: np.ndarray, net_size: tuple[int, int], threshold: float, *, raw: bool = False
    ) -> Candidates:
        return self.decode_alike([(self, self.pick(array, threshold, raw))], net_size, threshold, raw=raw)

    def decode_alike(
        self, heads: Sequence[tuple[AnchorDecoder, Picked]], net_size: tuple[int, int], threshold: float, *, raw: bool
    ) -> Candidates:
        """The candidates in what heads picked that are like this one, head by head.

        A few boxes take NumPy as long as one does, so what heads do alike is done once. Of `raw` numbers the objectness
        is compared again when it is squashed.
        """
        rows, cells = np.concatenate([picked.rows for _, picked in heads]), Cells.of(heads)
        if raw:
            rows = self.squash(rows)
            cells.stretch(rows[:, self.centers])
            if self.squashes:
                sure = rows[:, self.before - 1] > np.float32(threshold)
                if not sure.all():
                    rows, cells = rows[sure], cells.only(sure)
        return self.placed(rows, cells, net_size, threshold)

    def pick(self, array: np.ndarray, threshold: float, raw: bool) -> Picked:
        """The boxes with an objectness above the threshold, in Darknet's order: cell by cell, there anchor by anchor.

        `raw` numbers are compared as they are, with what their logistic has to exceed or a little less.
        """
        _, h, w = array.shape
        boxes = array.reshape(len(self.anchors), self.entries, h * w)
        limit = np.float32(logit(threshold) if raw and self.squashes else threshold)
        anchor, cell = np.divmod(np.flatnonzero(boxes[:, self.before - 1] > limit), h * w)
        order = cell.argsort(kind="stable")
        anchor, cell = anchor[order], cell[order]
        return Picked(boxes[anchor, :, cell], anchor, cell, (h, w))

    def cells_last(self, b: Builder, output: Value) -> Value:
        """The output as (cells, anchors, entries), which is Darknet's order of boxes."""
        _, h, w = output.shape
        boxes = b.reshape(output, len(self.anchors), self.entries, h * w)
        return b.op("transpose", boxes, order=(2, 0, 1))

    def objectness(self, b: Builder, output: Value, scores: Value) -> Value:
        """The number before the class scores."""
        boxes = self.cells_last(b, output)
        return b.reshape(b.slice(boxes, 2, self.before - 1, self.before), scores.shape[0], 1)


@dataclass(frozen=True)
class Yolo(AnchorDecoder):
    """Boxes (x, y, w, h, objectness, class scores).

    `logistic` says what the head takes the logistic of: 'centre and scores' (Darknet), 'nothing' (new_coords, where the
    convolution before does it) or 'all' (WongKinYiu's PyTorch code). Sizes are (2 w)² of the anchor where `squared`,
    else exp(w).
    """

    kind = "yolo"
    before = 5
    centers = slice(2)

    logistic: str = "centre and scores"
    squared: bool = False

    @property
    def squashes(self) -> bool:
        return self.logistic != "nothing"

    @property
    def alike(self) -> tuple[object, ...]:
        return *super().alike, self.logistic, self.squared

    def squash(self, rows: np.ndarray) -> np.ndarray:
        if not self.squashes:
            return rows
        found = logistic(rows)
        if self.logistic != "all":
            found[:, 2:4] = rows[:, 2:4]
        return found

    def placed(self, rows: np.ndarray, cells: Cells, net_size: tuple[int, int], threshold: float) -> Candidates:
        boxes = np.empty((len(rows), 4), np.float32)
        boxes[:, :2] = (cells.at + rows[:, :2]) / cells.grid
        boxes[:, 2:] = scaled(rows[:, 2:4], cells.anchors, net_size, self.squared)
        return Candidates(boxes, rows[:, 4], class_probabilities(rows[:, 4], rows[:, 5:], threshold))

    def lower_boxes(self, b: Builder, output: Value, net_size: tuple[int, int]) -> tuple[Value, Value]:
        boxes = self.cells_last(b, output)
        center = cell_centers(b, b.slice(boxes, 2, 0, 2), output.shape[1:], net_size)
        wh = b.slice(boxes, 2, 2, 4)
        factor = b.op("power", b.mul(wh, 2), exponent=2.0) if self.squared else b.op("exp", wh)
        objectness = b.slice(boxes, 2, 4, 5)
        if not self.squashes:  # a negative one is above no threshold, but times a negative score it would be
            objectness = b.op("relu", objectness)
        scores = b.mul(b.slice(boxes, 2, 5, self.entries), objectness)
        count = center.shape[0] * center.shape[1]
        return corners(b, center, b.mul(factor, b.const(self.sizes[None]))), b.reshape(scores, count, self.classes)


@dataclass(frozen=True)
class Gaussian(AnchorDecoder):
    """Boxes (x, σx, y, σy, w, σw, h, σh, objectness, class scores), sure ones trusted more.

    `point` is the point of the box that x and y are, one of `POINTS`.
    """

    kind = "gaussian_yolo"
    before = 9
    centers = slice(0, 4, 2)

    point: str = "center"

    @property
    def alike(self) -> tuple[object, ...]:
        return *super().alike, self.point

    def squash(self, rows: np.ndarray) -> np.ndarray:
        found = logistic(rows)
        found[:, 4], found[:, 6] = rows[:, 4], rows[:, 6]
        return found

    def placed(self, rows: np.ndarray, cells: Cells, net_size: tuple[int, int], threshold: float) -> Candidates:
        boxes = np.empty((len(rows), 4), np.float32)
        boxes[:, 2:] = scaled(rows[:, 4:8:2], cells.anchors, net_size)
        boxes[:, :2] = (cells.at + rows[:, 0:4:2]) / cells.grid
        point = np.float32(POINTS[self.point])
        if point.any():  # no multiplication by 0: sides of a network that has learned nothing may be infinite
            boxes[:, :2] += boxes[:, 2:] * point
        sigmas, objectness = rows[:, 1:8:2], rows[:, 8]
        sure = 1 - sigmas.mean(axis=1, keepdims=True)
        probabilities = class_probabilities(objectness, rows[:, 9:] * sure, threshold)
        return Candidates(boxes, objectness, probabilities, sigmas)

    def lower_boxes(self, b: Builder, output: Value, net_size: tuple[int, int]) -> tuple[Value, Value]:
        boxes = self.cells_last(b, output)
        rows = [b.slice(boxes, 2, i, i + 1) for i in range(9)]
        size = b.mul(b.op("exp", b.concat([rows[4], rows[6]], axis=2)), b.const(self.sizes[None]))
        center = cell_centers(b, b.concat([rows[0], rows[2]], axis=2), output.shape[1:], net_size)
        if POINTS[self.point]:
            center = b.add(center, b.mul(size, POINTS[self.point]))
        sigmas = b.op("reduce_mean", b.concat([rows[i] for i in (1, 3, 5, 7)], axis=2), axes=(2,))
        trust = b.mul(rows[8], b.sub(1.0, sigmas))
        scores = b.mul(b.slice(boxes, 2, 9, self.entries), trust)
        return corners(b, center, size), b.reshape(scores, center.shape[0] * center.shape[1], self.classes)
