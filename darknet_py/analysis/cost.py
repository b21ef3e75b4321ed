"""What a network costs: parameters, BFLOPs, memory traffic and memory, per layer and in all.

Decision: costs are read off the lowered graph, so every layer has them without saying so; only what Darknet and the
paper count differently the layers state themselves. Several conventions exist, each with a name: the paper's numbers
are `params_conv` and `bflops_paper`, the size of a weights file `params_file`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields

from ..darknet.layers.layer import Lowered, layer_of
from ..ir.graph import Graph, LayerInfo, Param, Value
from .access import Access, memory_access
from .field import Field, fields_of_heads
from .summary import GIGA, lowered_layers

FLOAT_BYTES = 4
COUNTED_BY_CIO = frozenset({"convolution", "max pool", "maxout", "average pool"})  # families of layers
STATISTICS = ("mean", "variance")  # of batch normalization: stored, not trained by gradient


@dataclass(frozen=True)
class LayerCost:
    """One layer. Counts are for one image; BFLOPs are in units of 1e9.

    params_file: all floats in the weights file. params_trained: without the running statistics of batch
    normalization, as PyTorch counts. params_conv: weights of convolutions only, as the CSPNet paper counts. macs:
    multiply-accumulates. bflops_paper: two per multiply-accumulate of a convolution, and size x size per output of
    a max pool, as Darknet printed in autumn 2019. bflops_darknet: what Darknet prints today, with shortcuts. cio:
    elements read and written by convolutions and pools (Chao et al., HarDNet). access: elements that convolutions move,
    weights too; access_bound: the fewest for as much arithmetic (`access.memory_access`). output: elements of the
    output; 0 where the layer only renames what another one computed. live: elements that must exist at once while the
    layer is computed, its output too.
    """

    name: str
    shape: tuple[int, ...]
    params_file: int
    params_trained: int
    params_conv: int
    macs: int
    bflops_paper: float
    bflops_darknet: float
    cio: int
    access: int
    access_bound: int
    output: int
    live: int


# What a layer can be sorted by.
COLUMNS = tuple(f.name for f in fields(LayerCost) if f.name not in ("name", "shape"))
NOT_ADDED = frozenset({"output", "live"})  # of these the sum has another name, or no sense


def table(layers: Iterable[LayerCost]) -> str:
    """Layers and all their costs, a line each."""
    rows = [("layer", "output", *COLUMNS), *((c.name, "x".join(map(str, c.shape)), *_cells(c)) for c in layers)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    aligns = [str.ljust, str.ljust, *[str.rjust] * len(COLUMNS)]
    return "\n".join(
        "  ".join(align(cell, w) for cell, w, align in zip(row, widths, aligns, strict=True)) for row in rows
    )


def _cells(layer: LayerCost) -> list[str]:
    values = (getattr(layer, column) for column in COLUMNS)
    return [f"{v:.4f}" if isinstance(v, float) else f"{v:,}" for v in values]


@dataclass(frozen=True)
class NetworkCost:
    """All layers and what they sum up to; memory in bytes of float32, for one image.

    weights_bytes: the parameters. activation_bytes: the outputs of all layers, side by side, as Darknet keeps them.
    peak_bytes: the most that must exist at once when layers run in their order, and an output is dropped after its
    last reader, and where. fields: what a cell of each head sees.
    """

    layers: tuple[LayerCost, ...]
    fields: tuple[Field, ...] = ()

    def sorted(self, column: str) -> tuple[LayerCost, ...]:
        """The layers, those that cost most of `column` (a field of `LayerCost`) first."""
        return tuple(sorted(self.layers, key=lambda layer: -getattr(layer, column)))

    def totals(self) -> dict[str, float]:
        """What the network costs in all, by the names of the properties and fields."""
        sums = {column: getattr(self, column) for column in COLUMNS if column not in NOT_ADDED}
        memory = ("weights_bytes", "activation_bytes", "peak_bytes")
        return {**sums, **{name: getattr(self, name) for name in memory}}

    def text(self) -> str:
        """The totals in four lines, and a line for what each head sees."""
        mega = 1 << 20
        weights = f"{self.weights_bytes / mega:.1f} MiB"
        return (
            f"Parameters {self.params_file:,} ({weights}), of these {self.params_conv:,} weights of convolutions\n"
            f"{self.macs / GIGA:.3f} GMACs, {self.bflops_paper:.3f} BFLOPs as the CSPNet paper counts, "
            f"CIO {self.cio / 1e6:.1f} M\n{self._access_text()}\n"
            f"Activations {self.activation_bytes / mega:.1f} MiB, at most "
            f"{self.peak_bytes / mega:.1f} MiB at once (at {self.peak_layer})"
        ) + "".join(f"\n{field.sentence()}" for field in self.fields)

    def _access_text(self) -> str:
        text = f"Memory access of convolutions {self.access / 1e6:.1f} M numbers with weights"
        if not self.access_bound:
            return text
        ratio = self.access / self.access_bound
        return f"{text}; as much arithmetic takes {self.access_bound / 1e6:.1f} M at least ({ratio:.2f} times that)"

    @property
    def params_file(self) -> int:
        """Floats in the weights file."""
        return sum(c.params_file for c in self.layers)

    @property
    def params_trained(self) -> int:
        """Parameters as PyTorch counts them."""
        return sum(c.params_trained for c in self.layers)

    @property
    def params_conv(self) -> int:
        """Parameters as the CSPNet paper counts them."""
        return sum(c.params_conv for c in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates."""
        return sum(c.macs for c in self.layers)

    @property
    def bflops_paper(self) -> float:
        """BFLOPs as the CSPNet paper counts them."""
        return sum(c.bflops_paper for c in self.layers)

    @property
    def bflops_darknet(self) -> float:
        """BFLOPs as Darknet prints them today."""
        return sum(c.bflops_darknet for c in self.layers)

    @property
    def cio(self) -> int:
        """Convolutional input and output."""
        return sum(c.cio for c in self.layers)

    @property
    def access(self) -> int:
        """Elements that convolutions move, with weights."""
        return sum(c.access for c in self.layers)

    @property
    def access_bound(self) -> int:
        """The fewest for as much arithmetic."""
        return sum(c.access_bound for c in self.layers)

    @property
    def peak_bytes(self) -> int:
        """Memory of what must exist at once."""
        return FLOAT_BYTES * max((c.live for c in self.layers), default=0)

    @property
    def peak_layer(self) -> str:
        """The first layer at which that much exists."""
        return max(self.layers, key=lambda c: c.live).name if self.layers else ""

    @property
    def weights_bytes(self) -> int:
        """Memory of the parameters."""
        return FLOAT_BYTES * self.params_file

    @property
    def activation_bytes(self) -> int:
        """Memory of all outputs."""
        return FLOAT_BYTES * sum(c.output for c in self.layers)


def cost(graph: Graph) -> NetworkCost:
    r"""The cost of each layer of a graph and of the whole.

    >>> from darknet_py.darknet.compile import compile_cfg
    >>> net = compile_cfg("[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=4\nsize=3\npad=1")
    >>> total = cost(net.graph)
    >>> total.params_file, total.params_conv, total.macs, total.cio
    (112, 108, 6912, 448)
    """
    params: dict[int, list[Param]] = {info.index: [] for info in graph.layers}
    for param in graph.params:
        params[param.layer].append(param)
    owners: set[Value] = {graph.image}
    layers = []
    for (info, lowered), live in zip(lowered_layers(graph), live_elements(graph), strict=True):
        own = 0 if info.output in owners else _elements(info.output)
        layers.append(_layer(info, lowered, params[info.index], own, live))
        owners.add(info.output)
    return NetworkCost(tuple(layers), fields_of_heads(graph))


def _layer(info: LayerInfo, lowered: Lowered, params: list[Param], output: int, live: int) -> LayerCost:
    layer = layer_of(info)
    access = sum(map(memory_access, lowered.ops), Access())
    return LayerCost(
        name=info.name,
        shape=info.output.shape,
        params_file=sum(p.size for p in params),
        params_trained=sum(p.size for p in params if not p.role.endswith(STATISTICS)),
        params_conv=sum(p.size for p in params if len(p.value.shape) == 4),
        macs=sum(op.macs for op in lowered.ops),
        bflops_paper=layer.paper_operations(lowered) / GIGA,
        bflops_darknet=layer.darknet_operations(lowered) / GIGA,
        cio=lowered.read + _elements(info.output) if layer.family in COUNTED_BY_CIO else 0,
        access=access.moved,
        access_bound=access.least,
        output=output,
        live=live,
    )


def live_elements(graph: Graph) -> list[int]:
    """The size of the live set at each layer, in elements: what is computed, and a later layer or the caller reads.

    Layers run in the order of `graph.layers`, which need not be that of their numbers.
    """
    last_read: dict[Value, float] = dict.fromkeys(graph.outputs, math.inf)
    for at, info in enumerate(graph.layers):
        for value in graph.layer_inputs(info):
            last_read[value] = max(last_read.get(value, -1), at)
    live: set[Value] = {graph.image}
    sizes = []
    for at, info in enumerate(graph.layers):
        live.add(info.output)
        sizes.append(sum(_elements(v) for v in live))
        live = {v for v in live if last_read.get(v, -1) > at}
    return sizes


def _elements(value: Value) -> int:
    return math.prod(value.shape)
