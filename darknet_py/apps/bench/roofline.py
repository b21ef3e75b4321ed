"""Where the time of a network goes: for each layer its speed, beside what the machine allows.

Decision: a layer can be no faster than its arithmetic at the SGEMM peak, nor than its bytes at the speed of a copy; the
slower of the two is its bound, and the part of its time that the bound explains says whether it is worth a look.
Winograd's convolutions need fewer operations than are counted, so a part can be over 1.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from ...analysis.cost import FLOAT_BYTES, cost
from ...ir.graph import Graph

_LAYER = re.compile(r"(?:^|[^0-9A-Za-z.])(\d+)_[A-Za-z]")  # engines' names of nodes begin with Darknet's layers

_KIND = re.compile(r"[A-Za-z]+")  # of a node of the engine's own, which numbers follow


@dataclass(frozen=True)
class LayerSpeed:
    """A layer: its time, what it computes and moves, the shortest time that the machine allows, and by what bound."""

    name: str
    shape: tuple[int, ...]
    seconds: float
    flops: int
    bytes: int
    bound: float
    by: str

    @property
    def explained(self) -> float:
        """The part of the time that the bound explains."""
        return self.bound / self.seconds if self.seconds else 0.0

    @property
    def lost(self) -> float:
        """Seconds beyond the bound."""
        return max(0.0, self.seconds - self.bound)


def layer_speeds(graph: Graph, nodes: Mapping[str, float], flops: float, traffic: float) -> tuple[LayerSpeed, ...]:
    """The layers in their order, from seconds of an engine's nodes; `flops` and `traffic` are the machine's peaks.

    What an engine fuses counts for the layer that it names, together with the layers before that have no time of their
    own, such as a convolution whose sum with a shortcut is one node. What belongs to no layer, such as changes of
    layout, follows by its kind.
    """
    taken: dict[int, float] = defaultdict(float)
    others: dict[str, float] = defaultdict(float)
    for name, seconds in nodes.items():
        if found := _LAYER.search(name):
            taken[int(found[1])] += seconds
        else:
            kind = _KIND.match(name)
            others[kind[0] if kind else "engine"] += seconds
    costs = {info.index: own for info, own in zip(graph.layers, cost(graph).layers, strict=True)}
    fused: set[int] = set()
    rows = []
    for info in graph.layers:
        if info.index not in taken:
            continue
        own = costs[info.index]
        macs, numbers, sources = own.macs, own.params_file + own.output, list(info.inputs)
        while sources:
            i = sources.pop()
            if i in taken or i in fused or i < 0:
                numbers += math.prod((graph.image if i < 0 else graph.layer_output(i)).shape)
            else:
                fused.add(i)
                macs, numbers = macs + costs[i].macs, numbers + costs[i].params_file
                sources += graph.layer(i).inputs
        flops_, bytes_ = 2 * macs, FLOAT_BYTES * numbers
        limits = {"arithmetic": flops_ / flops, "memory": bytes_ / traffic}
        by = max(limits, key=lambda k: limits[k])
        rows.append(LayerSpeed(info.name, own.shape, taken[info.index], flops_, bytes_, limits[by], by))
    return (
        *rows,
        *(LayerSpeed(kind, (), seconds, 0, 0, 0.0, "nothing") for kind, seconds in others.items() if seconds),
    )


def format_layers(rows: tuple[LayerSpeed, ...], most: int | None = None) -> str:
    """A table, the layers that lose most first (`most` of them)."""
    total = sum(r.seconds for r in rows) or 1.0
    chosen = sorted(rows, key=lambda r: -r.lost)[:most]
    lines = [f"{'layer':22} {'output':>14} {'ms':>8} {'part':>5} {'GFLOP/s':>8} {'GB/s':>6}  bound by    explained"]
    for r in chosen:
        speed = f"{r.flops / r.seconds / 1e9:8.1f} {r.bytes / r.seconds / 1e9:6.1f}" if r.seconds else f"{'':15}"
        shape = "x".join(map(str, r.shape))
        lines.append(
            f"{r.name:22} {shape:>14} {r.seconds * 1e3:8.3f} {r.seconds / total:5.1%} {speed}  "
            f"{r.by:10} {r.explained:10.0%}"
        )
    return "\n".join(lines)
