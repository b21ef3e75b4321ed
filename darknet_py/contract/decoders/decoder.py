"""What every decoder offers, and the arithmetic that they share.

Decision: a decoder is plain data, made once by the lowering of a head. A process that only decodes (from the start
cache, from an exported file) needs neither cfg nor layers; boxes come out of arrays in `decode`, as Darknet computes
them, or, for a network that ends in boxes, out of the same arrays in primitives (`lower_boxes`).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np

from ..candidates import Candidates

if TYPE_CHECKING:
    from ...ir.builder import Builder
    from ...ir.graph import Value

LOGISTIC_ERROR = 1e-6  # bound of the relative error of a logistic in float32, with room


@dataclass(frozen=True)
class Decoder:
    """Base of all decoders: `classes` is the number of classes that the head tells apart."""

    kind: ClassVar[str]
    reads_input: ClassVar[bool] = False  # whether `decode` can be given the input of the head

    classes: int

    @property
    def alike(self) -> tuple[object, ...] | None:
        """What heads share that are decoded together; None for those that are decoded by themselves."""
        return None

    @property
    def suppression(self) -> tuple[str, float]:
        """The kind of non-maximum suppression that the head asks for, and its beta (see `nms`)."""
        return "default", 0.6

    def decode(
        self, array: np.ndarray, net_size: tuple[int, int], threshold: float, *, raw: bool = False
    ) -> Candidates:
        """The candidates in the output of a head for one sample (no batch axis), in Darknet's order.

        Boxes are relative to the network input, whose (height, width) is `net_size`. `raw`, for decoders with
        `reads_input`: the array is the input of the head; only boxes that may have a probability are squashed.
        """
        raise NotImplementedError  # abstract: `Decoder` itself has no kind

    def lower_boxes(self, b: Builder, output: Value, net_size: tuple[int, int]) -> tuple[Value, Value]:
        """Append the decoding of every cell to `b`, without threshold.

        Gives boxes (n, 4), left, top, right, bottom in pixels of the network input, and scores (n, classes). Raises
        `BackendError` where boxes cannot be told without a threshold.
        """
        raise NotImplementedError  # abstract, as above

    def objectness(self, b: Builder, output: Value, scores: Value) -> Value:
        """The objectness of each box of `lower_boxes`, (n, 1); the best score where the head keeps none for each."""
        return b.op("reduce_max", scores, axes=(1,))

    def to_dict(self) -> dict[str, Any]:
        """The decoder as plain data, which `decoder_of` reads."""
        return {"kind": self.kind, **dataclasses.asdict(self)}

    @classmethod
    def of(cls, fields: dict[str, Any]) -> Self:
        """The decoder with these fields, which may come from JSON."""
        return cls(**{name: _tuples(value) for name, value in fields.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list | tuple) else value


def logit(threshold: float) -> float:
    """What a number must exceed for its logistic to exceed the threshold; a little less, for what rounding may add.

    >>> logit(0.5) < 0 < logit(0.500001), logit(0.0)
    (True, -inf)
    """
    low = threshold - LOGISTIC_ERROR * max(threshold, LOGISTIC_ERROR)
    return math.log(low / (1 - low)) if low > 0 else -math.inf


def logistic(x: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-x) in float32 (activations.h logistic_activate)."""
    with np.errstate(over="ignore"):
        return np.float32(1) / (np.float32(1) + np.exp(-x))


def grid(h: int, w: int) -> np.ndarray:
    """The (column, row) of each cell, as (h * w, 1, 2)."""
    rows, columns = np.divmod(np.arange(h * w, dtype=np.int64), w)
    return np.stack([columns, rows], axis=1)[:, None].astype(np.float32)


def corners(b: Builder, center: Value, size: Value) -> Value:
    """Centres and sizes (cells, n, 2) as boxes (cells * n, 4): left, top, right, bottom."""
    half = b.mul(size, 0.5)
    boxes = b.concat([b.sub(center, half), b.add(center, half)], axis=2)
    return b.reshape(boxes, center.shape[0] * center.shape[1], 4)


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
