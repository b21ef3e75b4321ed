"""What a layer that decodes to boxes must offer, and what the two YOLO families share.

Decision: a head lowers to exactly what Darknet's layer outputs. Boxes come out of that array in `decode`, as Darknet
does it, or, for an exported network that ends in boxes, out of the same array in `lower_boxes`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from ....contract.candidates import Candidates
from ....errors import Code
from ...cfg.options import opt
from ..layer import Layer, LayerError

if TYPE_CHECKING:
    from ....ir.builder import Builder
    from ....ir.graph import Value
    from ..lowering import Lowering

MAX_CLASSES = 1 << 20
MAX_ANCHORS = 1 << 16
LOGISTIC_ERROR = 1e-6  # bound of the relative error of a logistic in float32, with room
DEFAULT_ANCHOR = 0.5  # what the layers' make functions put into biases


@dataclass(frozen=True)
class Head(Layer):
    """Base of [yolo], [Gaussian_yolo], [region] and [detection]."""

    reads_input: ClassVar[bool] = False  # whether `decode` can be given the input of the layer

    classes: int = opt(20, "number of classes", low=1, high=MAX_CLASSES)

    def suppression(self) -> tuple[str, float]:
        """The kind of non-maximum suppression, and its beta."""
        return "default", 0.6

    def decode(
        self, output: np.ndarray, net_size: tuple[int, int], threshold: float, *, raw: bool = False
    ) -> Candidates:
        """The candidates in the output of this layer for one sample (no batch axis), in Darknet's order.

        Boxes are relative to the network input, whose (height, width) is `net_size`. `raw`, for heads with
        `reads_input`: the array is the input of this layer; only boxes that may have a probability are squashed.
        """
        raise NotImplementedError  # abstract: `Head` itself is no section

    def lower_boxes(self, b: Builder, output: Value, net_size: tuple[int, int]) -> tuple[Value, Value]:
        """Append the decoding of every cell to `b`, without threshold.

        Gives boxes (n, 4), left, top, right, bottom in pixels of the network input, and scores (n, classes).
        """
        raise NotImplementedError  # abstract, as above


def check_channels(b: Lowering, channels: int, boxes: int, entries: str, each: int) -> None:
    """Raise the error that names the right `filters` unless the input has `each` channels for each of the boxes."""
    wanted = boxes * each
    if channels == wanted:
        return
    before = b.layers[b.index - 1] if b.index else None
    where = "the convolution before" if hasattr(before, "filters") else "the layer before"
    message = f"{where} gives {channels} channels, and {boxes} boxes of {entries} numbers want {wanted}"
    raise LayerError(Code.HEAD_MISMATCH, message, hint=f"set filters={wanted} in {where}")


def check_classes(b: Lowering, classes: int) -> None:
    """Warn where an earlier head has other classes: Darknet has one list of names, and room for those of the first."""
    first = next((layer.classes for layer in b.layers if isinstance(layer, Head)), classes)
    if classes == first:
        return
    message = f"{classes} classes here and {first} in the first head"
    if classes > first:  # network.c make_network_boxes
        b.warn(Code.UNDEFINED, f"{message}: Darknet writes out of bounds", "classes")
    else:
        b.warn(Code.SUSPICIOUS, f"{message}: Darknet counts only the latter", "classes")


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
