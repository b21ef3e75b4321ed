"""The receptive field of each head: how much of the picture one of its cells sees.

Decision: a cell's field is followed back from the head to the image, operation by operation, as a box of indices of
every value on the way; no formula of strides and sizes is needed, and a map that was enlarged, cut or reordered is
followed as it is. Boxes reach beyond the picture where padding stands for it, as receptive fields are given. It is the
field of what can have an influence, not of what has much.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..darknet.layers.heads.yolo import AnchorHead
from ..darknet.layers.layer import layer_of
from ..ir.graph import Graph, LayerInfo, Op, Value

Range = tuple[int, int]  # first and last
Box = tuple[Range, ...]  # a range for each axis

CELLS = 8  # next to each other, from the middle of a map: enlarged maps give neighbours different fields
REDUCTIONS = frozenset({"reduce_max", "reduce_mean", "reduce_sum"})


@dataclass(frozen=True)
class Field:
    """What a cell of a head sees: height and width in pixels of the network input, through windows.

    `whole` says that a reduction over a whole map, such as [avgpool], or a fully connected layer tells it of the rest
    of the picture too; height and width are 0 where nothing but that does. `cells` are the rows and columns of its
    map, `anchors` the (width, height) of its boxes in pixels, if it has some.
    """

    layer: str
    cells: tuple[int, int]
    height: int
    width: int
    whole: bool
    anchors: tuple[tuple[float, float], ...] = ()

    def __str__(self) -> str:
        windows = f"{self.width}x{self.height}" if self.height else ""
        return " and ".join(part for part in (windows, "whole" if self.whole else "") if part) or "nothing"

    def sentence(self) -> str:
        """`16_yolo, 13x13 cells, sees 318x318 pixels; anchors 81x82 to 344x319`."""
        rows, columns = self.cells
        windows = [f"{self.width}x{self.height} pixels"] if self.height else []
        seen = " and ".join([*windows, *(["the whole picture at once"] if self.whole else [])]) or "nothing"
        text = f"{self.layer}, {columns}x{rows} cells, sees {seen}"
        if not self.anchors:
            return text
        by_area = sorted(self.anchors, key=math.prod)
        ends = dict.fromkeys(f"{w:g}x{h:g}" for w, h in (by_area[0], by_area[-1]))
        return f"{text}; anchors {' to '.join(ends)}"

    def to_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "layer": self.layer, "cells": list(self.cells), "height": self.height, "width": self.width,
            "whole": self.whole, "anchors": [list(anchor) for anchor in self.anchors],
        }  # fmt: skip


def fields_of_heads(graph: Graph) -> tuple[Field, ...]:
    r"""The field of each head; of a network without heads, that of the layer that it returns.

    Two 3x3 convolutions and a 2x2 pool: 3 pixels, then 5, and the pool looks at two of those next to each other.

    >>> from darknet_py.darknet.compile import compile_cfg
    >>> conv = "[convolutional]\nsize=3\npad=1\n"
    >>> net = "[net]\nwidth=16\nheight=16\nchannels=3\n" + 2 * conv + "[maxpool]\nsize=2\nstride=2\n"
    >>> print(*(field.sentence() for field in fields_of_heads(compile_cfg(net).graph)))
    2_maxpool, 8x8 cells, sees 6x6 pixels
    """
    infos = [graph.layer(i) for i in graph.heads]
    if not infos:
        outputs = {*graph.outputs}
        infos = [info for info in graph.layers if info.output in outputs][-1:]
    return tuple(_of_head(graph, info) for info in infos)


def _of_head(graph: Graph, info: LayerInfo) -> Field:
    """The field of a head is that of the map it reads, whose cells it decodes."""
    layer = layer_of(info)
    anchors = layer.boxes if isinstance(layer, AnchorHead) else ()
    value = graph.layer_inputs(info)[0] if info.index in graph.heads else info.output
    height, width, whole = field_of(graph, value)
    rows, columns = value.shape[1:] if len(value.shape) == 3 else (1, 1)
    return Field(info.name, (rows, columns), height, width, whole, anchors)


def field_of(graph: Graph, value: Value) -> tuple[int, int, bool]:
    """The largest height and width in pixels that a cell near the middle of a value sees, and `Field.whole`."""
    height = width = 0
    whole = False
    for box in _cells(value):
        seen, all_of_it = image_box(graph, value, box)
        whole = whole or all_of_it
        if seen is None or len(seen) != 3:
            whole = whole or seen is not None  # the network's input is a vector
            continue
        height, width = (max(n, hi - lo + 1) for n, (lo, hi) in zip((height, width), seen[1:], strict=True))
    return height, width, whole


def _cells(value: Value) -> Iterator[Box]:
    """Boxes of single cells of a map, with all channels; of anything else, all of it."""
    if len(value.shape) != 3:
        yield _all(value)
        return
    _, rows, columns = value.shape
    for i in range(min(CELLS, max(rows, columns))):
        y, x = (min(n // 2 + i, n - 1) for n in (rows, columns))
        yield (_all(value)[0], (y, y), (x, x))


def image_box(graph: Graph, value: Value, box: Box) -> tuple[Box | None, bool]:
    """The part of the image that a part of a value depends on through windows, and whether a reduction adds all of it.

    None where nothing of the image is read through windows.
    """
    boxes: dict[Value, Box] = {value: box}
    whole = False
    for op in reversed(graph.ops):
        found = boxes.get(op.output)
        if found is None:
            continue
        if _sees_a_whole_map(op):
            whole = True
            continue
        for x, part in _read(op, found):
            boxes[x] = part if x not in boxes else tuple(map(_hull, boxes[x], part))
    return boxes.get(graph.image), whole


def _all(value: Value) -> Box:
    return tuple((0, n - 1) for n in value.shape)


def _hull(a: Range, b: Range) -> Range:
    return min(a[0], b[0]), max(a[1], b[1])


def _sees_a_whole_map(op: Op) -> bool:
    """Whether an operation makes each of its results of all places of a map that has several."""
    x = op.inputs[0]
    if not x.batched:
        return False
    if op.kind == "linear":
        return True
    axes = op.attrs["axes"] if op.kind in REDUCTIONS else (op.attrs["axis"],) if op.kind == "softmax" else ()
    return len(x.shape) == 3 and any(axis > 0 and x.shape[axis] > 1 for axis in axes)


# -- what each operation reads -----------------------------------------------------------------------------------


def _read(op: Op, box: Box) -> Iterator[tuple[Value, Box]]:
    """The parts of the inputs that a part of the output is made of."""
    x, attrs = op.inputs[0], op.attrs
    match op.kind:
        case "conv":
            kernel = op.inputs[1].shape[2:]
            yield x, (_group(op, box[0], x.shape[0]), *_windows(box[1:], kernel, attrs))
        case "conv_transpose":
            yield x, (_all(x)[0], *_transposed(box[1:], op.inputs[1].shape[2:], attrs))
        case "max_pool" | "avg_pool":
            yield x, (box[0], *_windows(box[1:], attrs["kernel"], attrs))
        case "pad":
            top, left, *_ = attrs["pads"]
            yield x, (box[0], *((lo - n, hi - n) for (lo, hi), n in zip(box[1:], (top, left), strict=True)))
        case "upsample":
            yield x, (box[0], *((lo // n, hi // n) for (lo, hi), n in zip(box[1:], attrs["scale"], strict=True)))
        case "untile":
            side = math.isqrt(op.inputs[1].shape[0])
            yield x, (_all(x)[0], *((lo // side, hi // side) for lo, hi in box[1:]))
        case "concat":
            yield from _pieces(op, box)
        case "slice":
            yield x, _sliced(box, attrs)
        case "gather":
            indices = np.asarray(attrs["indices"])[_clipped(box[attrs["axis"]], len(attrs["indices"]))]
            yield x, _with(box, attrs["axis"], (int(indices.min()), int(indices.max())))
        case "transpose":
            places = {axis: i for i, axis in enumerate(attrs["order"])}
            yield x, tuple(box[places[axis]] for axis in range(len(box)))
        case "reshape":
            yield x, _reshaped(x, op.output, box)
        case "matmul":
            a, b = op.inputs
            yield a, (box[0], box[1], _all(a)[2])
            yield b, (box[0], _all(b)[1], box[2])
        case "reduce_max" | "reduce_mean" | "reduce_sum":
            yield x, tuple(r if i in attrs["axes"] else box[i] for i, r in enumerate(_all(x)))
        case "softmax":
            yield x, _with(box, attrs["axis"], _all(x)[attrs["axis"]])
        case "repeat_batch":
            yield x, box  # a constant; of the other operand only the size of the batch counts
        case _:  # element by element
            for operand in op.inputs:
                if len(operand.shape) == len(box):
                    pairs = zip(operand.shape, op.output.shape, box, strict=True)
                    yield operand, tuple((0, 0) if n < m else r for n, m, r in pairs)


def _windows(box: Box, kernel: tuple[int, ...], attrs: Mapping[str, Any]) -> Iterator[Range]:
    """The rows and columns under some windows, those of the padding too."""
    for (lo, hi), size, stride, before, step in zip(
        box, kernel, attrs["strides"], attrs["pads"][:2], attrs.get("dilations", (1, 1)), strict=True
    ):
        yield lo * stride - before, hi * stride - before + (size - 1) * step


def _transposed(box: Box, kernel: tuple[int, ...], attrs: Mapping[str, Any]) -> Iterator[Range]:
    """Cell i of the input adds to cells i * stride - pad and those after it, as many as the kernel has taps."""
    for (lo, hi), size, stride, before in zip(box, kernel, attrs["strides"], attrs["pads"][:2], strict=True):
        yield -((size - 1 - before - lo) // stride), (hi + before) // stride


def _group(op: Op, channels: Range, count: int) -> Range:
    """The input channels of the groups that some output channels belong to."""
    groups = op.attrs["groups"]
    out, into = op.output.shape[0] // groups, count // groups
    return channels[0] // out * into, (channels[1] // out + 1) * into - 1


def _pieces(op: Op, box: Box) -> Iterator[tuple[Value, Box]]:
    axis, start = op.attrs["axis"], 0
    for x in op.inputs:
        lo, hi = max(box[axis][0] - start, 0), min(box[axis][1] - start, x.shape[axis] - 1)
        if lo <= hi:
            yield x, _with(box, axis, (lo, hi))
        start += x.shape[axis]


def _sliced(box: Box, attrs: Mapping[str, Any]) -> Box:
    for axis, start, step in zip(attrs["axes"], attrs["starts"], attrs["steps"], strict=True):
        lo, hi = box[axis]
        box = _with(box, axis, (start + lo * step, start + hi * step))
    return box


def _reshaped(x: Value, y: Value, box: Box) -> Box:
    """The same rows and columns where the last two axes stay; else the hull of where the elements were."""
    before, after = x.shape, y.shape
    if before == after:
        return box
    if min(len(before), len(after)) > 2 and before[-2:] == after[-2:]:
        return *_all(x)[:-2], *box[-2:]
    grid = [np.arange(n)[_clipped(r, n)] for r, n in zip(box, after, strict=True)]
    if not grid:
        return _all(x)
    places = np.unravel_index(np.ravel_multi_index(np.ix_(*grid), after), before)
    return tuple((int(p.min()), int(p.max())) for p in places)


def _clipped(part: Range, length: int) -> slice:
    """The part that exists; at least one element."""
    lo = min(max(part[0], 0), length - 1)
    return slice(lo, max(min(part[1], length - 1), lo) + 1)


def _with(box: Box, axis: int, part: Range) -> Box:
    return *box[:axis], part, *box[axis + 1 :]
