"""The layer table: shapes, parameters and BFLOPs, as Darknet prints them when it loads a cfg.

Decision: BFLOPs are Darknet's own count, which each layer states (`Layer.darknet_operations`): two for
each multiply-accumulate of a convolution, one for each element that pooling reads or a shortcut adds, nothing for the
rest. They compare with published tables; what an executor really does is the cost of each operation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ..contract.contract import Contract
from ..darknet.compile import Compilation
from ..darknet.layers.layer import Lowered, layer_of
from ..ir import Graph, LayerInfo, Op

GIGA = 1e9


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
    short: str = ""  # the type as Darknet prints it
    named: tuple[int, ...] = ()  # of `sources`, those that an option names
    window: str = ""  # size and strides as Darknet prints them


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
    return Summary(tuple(_row(info, lowered) for info, lowered in lowered_layers(graph)))


def lowered_layers(graph: Graph) -> list[tuple[LayerInfo, Lowered]]:
    """Each layer of a graph, and what it became."""
    floats: dict[int, int] = {}
    for param in graph.params:
        floats[param.layer] = floats.get(param.layer, 0) + param.size
    ops: dict[int, list[Op]] = {}
    for op in graph.ops:
        ops.setdefault(op.layer, []).append(op)
    constants = graph.data.keys() - {p.value for p in graph.params}
    found = []
    for info in graph.layers:
        inputs = tuple(v.shape for v in graph.layer_inputs(info))
        first, own = inputs[0] if inputs else graph.image.shape, tuple(ops.get(info.index, ()))
        found.append((info, Lowered(first, inputs, info.output.shape, own, floats.get(info.index, 0), constants)))
    return found


def layer_type(info: LayerInfo) -> str:
    """Darknet's name of a layer's type, whatever alias the cfg uses: [conv] is 'convolutional'."""
    return layer_of(info).sections[0]


def _row(info: LayerInfo, lowered: Lowered) -> SummaryRow:
    layer, kind = layer_of(info), layer_type(info)
    columns = layer.columns()
    named = info.inputs if layer.family == "concatenation" else info.inputs[1:]  # others read the layer before as well
    return SummaryRow(
        info.index, kind, columns.filters, columns.groups, columns.size, columns.strides, columns.dilation,
        info.inputs, lowered.first, info.output.shape, layer.darknet_operations(lowered) / GIGA, lowered.params,
        info.span.line, columns.group, layer.short or kind, named, layer.window(),
    )  # fmt: skip


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
    text = f"{row.index:4d} {_label(row):<17}{row.window:<12}{read} -> {_size(row.output)}"
    return f"{text} {row.bflops:5.3f} BF" if row.bflops else text


def _label(row: SummaryRow) -> str:
    if row.filters is not None:
        return f"{row.short:<5} {row.filters:5d}" + (f"/{row.groups:4d} " if row.groups > 1 else "")
    return " ".join([row.short, *map(str, row.named)])


def _size(shape: tuple[int, ...]) -> str:
    if len(shape) != 3:
        return f"{math.prod(shape):16d}"
    c, h, w = shape
    return f"{w:4d} x{h:4d} x{c:4d}"


def describe_contract(contract: Contract) -> str:
    """What goes into a finished network and what comes out of it, a line for each.

    >>> print(describe_contract(Contract((3, 416, 608), 2, names=("cat", "dog"), outputs=("yolo_0",), cfg="net.cfg")))
    input       images: (any number, 3, 416, 608)
    pictures    608x416 (width x height) by stretch, RGB, 0 to 1
    output      yolo_0: raw
    classes     2: cat, dog
    from        net.cfg
    """
    shape = ", ".join(map(str, contract.shape))
    pictures = ""
    if len(contract.shape) == 3:
        channels, height, width = contract.shape
        colours = "grey" if channels == 1 else contract.colour
        pictures = f"{width}x{height} (width x height) by {contract.resize}, {colours}, 0 to {255 * contract.scale:g}"
    names = ", ".join(contract.names[:5]) + (", …" if len(contract.names) > 5 else "")
    rows = [
        ("input", f"{contract.input}: ({contract.batch or 'any number'}, {shape})"),
        ("pictures", pictures),
        ("output", f"{', '.join(contract.outputs)}: {contract.boxes}"),
        ("classes", f"{contract.classes}: {names}" if names else str(contract.classes)),
        ("thresholds", f"probability {contract.threshold:g}, overlap {contract.iou:g}" if contract.decoders else ""),
        ("memory", ", ".join(f"{s.input} {s.shape}" for s in contract.states)),
        ("numbers", "float16" if contract.half else "8 bits" if contract.int8 else ""),
        ("from", contract.cfg),
    ]
    return "\n".join(f"{key:12}{value}" for key, value in rows if value)
