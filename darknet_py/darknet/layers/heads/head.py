"""What a layer that gives boxes must offer, and what such layers check.

Decision: a head lowers to exactly what Darknet's layer outputs, and returns with it the decoder that makes boxes of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ....errors import Code
from ...cfg.options import opt
from ..layer import Decoded, Layer, LayerError, layer

if TYPE_CHECKING:
    from ....ir.graph import Value
    from ..lowering import Lowering

MAX_CLASSES = 1 << 20
MAX_ANCHORS = 1 << 16
DEFAULT_ANCHOR = 0.5  # what the layers' make functions put into biases


@layer
class Head(Layer):
    """Base of [yolo], [Gaussian_yolo], [region] and [detection]."""

    classes: int = opt(20, "number of classes", low=1, high=MAX_CLASSES)

    def lower(self, b: Lowering, *inputs: Value) -> Decoded:
        """Append the operations of this layer to `b`; its output, and how boxes come out of it."""
        raise NotImplementedError  # abstract: `Head` itself is no section


def check_channels(b: Lowering, channels: int, boxes: int, entries: str, each: int) -> None:
    """Raise the error that names the right `filters` unless the input has `each` channels for each of the boxes."""
    wanted = boxes * each
    if channels == wanted:
        return
    before = b.layers[b.index - 1] if b.index else None
    where = "the convolution before" if before is not None and before.family == "convolution" else "the layer before"
    message = f"{where} gives {channels} channels, and {boxes} boxes of {entries} numbers want {wanted}"
    raise LayerError(Code.HEAD_MISMATCH, message, hint=f"set filters={wanted} in {where}")


def check_classes(b: Lowering, classes: int) -> None:
    """Warn where an earlier head has other classes: Darknet has one list of names, and room for those of the first."""
    first = b.heads[0].classes if b.heads else classes
    if classes == first:
        return
    message = f"{classes} classes here and {first} in the first head"
    if classes > first:  # network.c make_network_boxes
        b.warn(Code.UNDEFINED, f"{message}: Darknet writes out of bounds", "classes")
    else:
        b.warn(Code.SUSPICIOUS, f"{message}: Darknet counts only the latter", "classes")


def anchor_table(anchors: tuple[float, ...] | None, count: int) -> list[tuple[float, float]]:
    """The (width, height) of `count` anchors; what is missing is 0.5, as Darknet's make functions leave it.

    >>> anchor_table((1, 2, 3), 2)
    [(1, 2), (3, 0.5)]
    """
    known = (anchors or ())[: count * 2]
    table = [*known, *[DEFAULT_ANCHOR] * (count * 2 - len(known))]
    return list(zip(table[::2], table[1::2], strict=True))
