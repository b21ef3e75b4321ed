"""The layer table: shapes, parameters and BFLOPs, as Darknet prints them when it loads a cfg.

Decision: BFLOPs are Darknet's own count (convolutional_layer.c, maxpool_layer.c, shortcut_layer.c, conv_lstm_layer.c):
two for each multiply-accumulate of a convolution, one for each element that pooling reads or a shortcut adds, nothing
for the rest. They compare with published tables; what an executor really does is the cost of each operation.
"""

from __future__ import annotations

import math
from collections.abc import Set
from dataclasses import dataclass, replace
from typing import Any

from ..darknet.compile import Compilation
from ..darknet.layers.layer import Layer, layer_of
from ..darknet.layers.route import Route
from ..ir import Graph, LayerInfo, Op, Value

GIGA = 1e9

_NAMES = {
    "convolutional": "conv", "maxpool": "max", "local_avgpool": "avg", "avgpool": "avg", "normalization": "lrn",
    "scale_channels": "scale", "deconvolutional": "deconv",
}  # fmt: skip


@dataclass(frozen=True)
class SummaryRow:
    """One layer. Shapes are (channels, height, width), a vector of n numbers (n,)."""

    index: int
    type: str
    filters: int | None
    groups: int
    size: int | None
    strides: tuple[int, int] | None
    dilation: int
    sources: tuple[int, ...]
    input: tuple[int, ...]
    output: tuple[int, ...]
    bflops: float
    params: int
    line: int
    group: int | None = None  # which of the groups of its input a [route] takes, where it does not take all


@dataclass(frozen=True)
class Summary:
    """The table of a network."""

    rows: tuple[SummaryRow, ...]

    @property
    def bflops(self) -> float:
        """Billions of floating-point operations for one image."""
        return sum(row.bflops for row in self.rows)

    @property
    def params(self) -> int:
        """Numbers in the weights file."""
        return sum(row.params for row in self.rows)

    def to_json(self) -> dict[str, Any]:
        """The table as plain data; `in` and `out` are always [c, h, w]."""
        return {"layers": [_row_json(row) for row in self.rows], "bflops": self.bflops, "params": self.params}

    def format_table(self) -> str:
        """The table as Darknet prints it (widths before heights before channels)."""
        lines = ["   layer   filters  size/strd(dil)      input                output", *map(_line, self.rows)]
        return "\n".join([*lines, f"Total BFLOPS {self.bflops:5.3f}"])


def summarize(network: Compilation | Graph) -> Summary:
    r"""The table of a compiled cfg, before any pass; of one with errors, the layers that could be built.

    >>> from darknet_py.darknet.compile import compile_cfg
    >>> cfg = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=4\nsize=3\npad=1"
    >>> print(summarize(compile_cfg(cfg)).format_table())
       layer   filters  size/strd(dil)      input                output
       0 conv      4       3 x 3/ 1      8 x   8 x   3 ->    8 x   8 x   4 0.000 BF
    Total BFLOPS 0.000
    """
    graph = network.graph if isinstance(network, Compilation) else network
    outputs = {info.index: info.output.shape for info in graph.layers}
    floats: dict[int, int] = {}
    for param in graph.params:
        floats[param.layer] = floats.get(param.layer, 0) + param.size
    ops: dict[int, list[Op]] = {}
    for op in graph.ops:
        ops.setdefault(op.layer, []).append(op)
    # the kernels of a blur, which Darknet does not count
    fixed = graph.data.keys() - {p.value for p in graph.params}
    rows = [_row(info, graph, outputs, floats.get(info.index, 0)) for info in graph.layers]
    counts = (
        _operations(row, layer_of(info), ops.get(row.index, []), fixed)
        for row, info in zip(rows, graph.layers, strict=True)
    )
    return Summary(tuple(replace(row, bflops=n / GIGA) for row, n in zip(rows, counts, strict=True)))


def layer_type(info: LayerInfo) -> str:
    """Darknet's name of a layer's type, whatever alias the cfg uses: [conv] is 'convolutional'."""
    return layer_of(info).sections[0]


def _row(info: LayerInfo, graph: Graph, outputs: dict[int, tuple[int, ...]], params: int) -> SummaryRow:
    layer, kind = layer_of(info), layer_type(info)
    source = info.inputs[0] if info.inputs else -1
    size, strides = getattr(layer, "size", None), getattr(layer, "strides", None)
    stride = getattr(layer, "stride", None)
    if strides is None and isinstance(stride, int):
        strides = (stride, stride)
    if kind in ("maxpool", "local_avgpool") and size is None:
        size = stride
    filters, groups = getattr(layer, "filters", None), getattr(layer, "groups", 1)
    return SummaryRow(
        info.index, kind, filters if isinstance(filters, int) else None, groups,
        size if isinstance(size, int) else None, strides, getattr(layer, "dilation", 1), info.inputs,
        outputs.get(source, graph.image.shape), info.output.shape, 0.0, params, info.span.line,
        layer.group_id if isinstance(layer, Route) and groups > 1 else None,
    )  # fmt: skip


def _operations(row: SummaryRow, layer: Layer, ops: list[Op], fixed: Set[Value]) -> float:
    outputs = math.prod(row.output)
    if row.type == "shortcut":
        weighted = row.params > 0  # a product for each element as well
        return (len(row.sources) - 1) * outputs * (2 if weighted else 1)
    if row.type in ("maxpool", "local_avgpool", "maxout"):
        # before a blur, and with all input channels: maxpool_layer.c counts so for maxpool_depth too
        pooled = next((op.output.shape for op in ops if op.kind in ("max_pool", "avg_pool")), row.output)
        return (row.size or 1) ** 2 * math.prod((*row.input[:1], *pooled[1:]))
    if row.type == "local":
        return 0  # local_layer.c counts nothing
    total = sum(2 * op.macs for op in ops if op.kind in ("conv", "conv_transpose") and op.inputs[1] not in fixed)
    if row.type == "conv_lstm":
        total += (12 if getattr(layer, "peephole", 0) else 9) * outputs  # conv_lstm_layer.c make_conv_lstm_layer
    if getattr(layer, "xnor", 0):
        return total / 32  # convolutional_layer.c: 32 of them are one instruction
    return total


def _row_json(row: SummaryRow) -> dict[str, Any]:
    return {
        "index": row.index, "type": row.type, "filters": row.filters, "size": row.size,
        "stride": list(row.strides) if row.strides else None, "dilation": row.dilation, "groups": row.groups,
        "from": list(row.sources), "in": _chw(row.input), "out": _chw(row.output), "bflops": row.bflops,
        "params": row.params, "line": row.line, **({} if row.group is None else {"group": row.group}),
    }  # fmt: skip


def _chw(shape: tuple[int, ...]) -> list[int]:
    return list(shape) if len(shape) == 3 else [math.prod(shape), 1, 1]


def _line(row: SummaryRow) -> str:
    read = _size(row.input) if row.group is None else f"{f'{row.group}/{row.groups}':>16}"  # route_layer.c
    text = f"{row.index:4d} {_label(row):<17}{_window(row):<12}{read} -> {_size(row.output)}"
    return f"{text} {row.bflops:5.3f} BF" if row.bflops else text


def _label(row: SummaryRow) -> str:
    name = _NAMES.get(row.type, row.type)
    if row.filters is not None:
        return f"{name:<5} {row.filters:5d}" + (f"/{row.groups:4d} " if row.groups > 1 else "")
    sources = row.sources if row.type == "route" else row.sources[1:]  # the rest read the layer before as well
    return " ".join([name, *map(str, sources)])


def _window(row: SummaryRow) -> str:
    if row.strides is None:
        return ""
    down, across = row.strides
    if row.size is None:
        return f"{across:7d}x" if row.type == "upsample" else f"      /{across:2d}"
    if row.type != "convolutional":
        return f"{row.size:3d}x{row.size:2d}/{across:2d}" + (f"x{down:2d}" if down != across else "")
    if down != across:
        return f"{row.size:2d}x{row.size:2d}/{across:2d}x{down:2d}"
    return f"{row.size:2d} x{row.size:2d}/{across:2d}" + (f"({row.dilation})" if row.dilation > 1 else "")


def _size(shape: tuple[int, ...]) -> str:
    if len(shape) != 3:
        return f"{math.prod(shape):16d}"
    c, h, w = shape
    return f"{w:4d} x{h:4d} x{c:4d}"
