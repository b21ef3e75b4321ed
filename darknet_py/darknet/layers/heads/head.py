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


TINY = 20  # times: anchors whose largest side goes that often into the picture are hardly those of a [yolo]
FEW = 4  # cells: of such a grid, anchors from elsewhere may well be larger
HUGE = 4  # times the picture: no object is that large


def lint_pixel_anchors(b: Lowering, anchors: tuple[float, ...], cells: tuple[int, int]) -> None:
    """Say of anchors in pixels that they look like parts of the picture, or like cells of so many (rows, columns)."""
    if not anchors or len(b.image.shape) != 3 or _lint_signs(b, anchors):
        return
    _, height, width = b.image.shape
    largest, pitch = max(anchors), min(height / cells[0], width / cells[1])
    if largest < 1:
        message = f"no anchor is larger than {largest:g} pixels: are these parts of the picture?"
        factor = f"{width}" if width == height else f"{width} (widths) and {height} (heights)"
        b.warn(Code.SUSPICIOUS, message, "anchors", f"anchors of this layer are in pixels: multiply by {factor}")
    elif largest < pitch / 2 and largest * TINY < min(height, width) and any(a != int(a) for a in anchors):
        message = f"no anchor is larger than {largest:g} pixels, half a cell: are these the cells of YOLOv2?"
        hint = f"anchors of this layer are in pixels: multiply by {pitch:g}"
        b.note(Code.SUSPICIOUS, message, "anchors", hint)


def lint_cell_anchors(b: Lowering, anchors: tuple[float, ...], cells: tuple[int, int]) -> None:
    """Say of anchors in cells that they look like pixels, or like parts of the picture of so many (rows, columns)."""
    if not anchors or len(b.image.shape) != 3 or _lint_signs(b, anchors) or max(cells) < FEW:
        return
    width = b.image.shape[2]
    largest, middle = max(anchors), sorted(anchors)[len(anchors) // 2]
    if largest > 2 * HUGE * max(cells) or middle > HUGE / 2 * max(cells):
        message = f"an anchor of {largest:g} cells is {largest / max(cells):.0f} times as large as the picture: pixels?"
        factor = f"{width / cells[1]:g}"
        b.warn(Code.SUSPICIOUS, message, "anchors", f"anchors of this layer are in cells: divide by {factor}")
    elif len(anchors) > 2 and largest < 1 and any(a != DEFAULT_ANCHOR for a in anchors):
        message = f"no anchor is larger than {largest:g} cells: are these parts of the picture?"
        b.note(Code.SUSPICIOUS, message, "anchors", f"anchors of this layer are in cells: multiply by {max(cells)}")


def _lint_signs(b: Lowering, anchors: tuple[float, ...]) -> bool:
    wrong = next((a for a in anchors if a <= 0), None)
    if wrong is not None:
        b.warn(Code.SUSPICIOUS, f"an anchor of {wrong:g} makes boxes without a size", "anchors")
    return wrong is not None
