"""`prune`: a smaller network of a trained one, as a cfg and weights for further training.

Decision: the text of the cfg stays, comments and all, and only the numbers that count channels change. What is written
is compiled again, and every parameter must have the shape that the new cfg gives it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...analysis.cost import cost
from ...darknet.cfg.edit import edit
from ...darknet.compile import Compilation, compile_cfg
from ...darknet.network import open_network
from ...darknet.weights import Header, Weights
from ...darknet.writing import check_network_place, names_of, write_network
from ...errors import DataError, Say
from ...ir import Graph
from .plan import Arrays, Sets, choose_sets, find_sets

MINIMUM = 8  # channels that a layer keeps: what processors take at a time


@dataclass(frozen=True)
class PrunedLayer:
    """A layer with parameters: its channels before and after, and why it could lose none ('' if it could)."""

    index: int
    section: str
    before: int
    after: int
    reason: str


@dataclass(frozen=True)
class Pruning:
    """What became of a network: its layers, and its size before and after; parameters are floats of the file."""

    cfg: Path
    weights: Path
    layers: tuple[PrunedLayer, ...]
    parameters: tuple[int, int]
    bflops: tuple[float, float]

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, for `--json`."""
        return {**asdict(self), "cfg": str(self.cfg), "weights": str(self.weights)}

    def text(self) -> str:
        """A line for each layer that changed, one for each reason of others, and what was saved."""
        lines = [f"{r.index:4} [{r.section}] {r.before:5} -> {r.after}" for r in self.layers if r.after != r.before]
        kept: dict[str, list[int]] = {}
        for row in self.layers:
            if row.reason:
                kept.setdefault(row.reason, []).append(row.index)
        for reason, layers in kept.items():
            numbers = ", ".join(map(str, layers[:12])) + (", …" if len(layers) > 12 else "")
            lines.append(f"left whole: layer{'s' if len(layers) > 1 else ''} {numbers}: {reason}")
        (floats, fewer), (flops, less) = self.parameters, self.bflops
        lines.append(f"parameters {floats:,} -> {fewer:,} ({_percent(fewer, floats)}), ")
        lines[-1] += f"BFLOPs {flops:.3f} -> {less:.3f} ({_percent(less, flops)})"
        return "\n".join(lines)


def _percent(after: float, before: float) -> str:
    return f"{100 * (after / before - 1):+.1f} %" if before else "0 %"


def prune(
    cfg: str | Path,
    output: str | Path,
    *,
    weights: str | Path | None = None,
    share: float | None = None,
    below: float | None = None,
    minimum: int = MINIMUM,
    alone: Collection[int] = (),
    dialect: str | None = None,
    names: str | Path | None = None,
    replace: bool = False,
    say: Say | None = None,
) -> Pruning:
    """Write the network of `cfg` without the channels that matter least: `output`, a cfg, and weights beside it.

    What a channel matters is the scale of its batch normalization. `share`, from 0 to 1, is how many of the channels
    that could go do, or `below` the scale under which they go (one of the two); each layer keeps `minimum`, and the
    layers numbered in `alone` all of theirs. Channels that are added or multiplied go together, those of a group with
    it. Where a channel gave 0, nothing changes; other results change, and further training mends them: the count of
    images in the weights starts again. Raises `DataError` for bad options, and where nothing could go.
    """
    if (share is None) == (below is None):
        raise DataError("say how much goes: either share (--share), a part of 1, or below (--below), a scale")
    if share is not None and not 0 < share < 1:
        raise DataError(f"share={share:g} is no part of the channels: it is more than 0 and less than 1")
    if minimum < 1:
        raise DataError(f"minimum={minimum}: a layer keeps one channel at least")
    path = Path(output)
    network = open_network(cfg, weights, dialect=dialect, say=say)
    graph, known = network.graph, names_of(network, names)
    sources = [p for p in (network.cfg, network.weights) if p is not None]
    check_network_place(path, sources=sources, replace=replace)
    _check_layers(graph, alone, network.cfg)
    arrays = {(p.layer, p.role): graph.data[p.value] for p in graph.params}
    sets = find_sets(graph, arrays, alone)
    if not sets.worth:
        told = "; ".join(dict.fromkeys(filter(None, map(sets.why_not, sets.channels.made)))) or "it has no parameters"
        raise DataError(f"{network.cfg}: no channel could be taken out: {told}")
    gone = choose_sets(sets, share=share, below=below, minimum=minimum)
    if not gone:
        how = f"below={below:g}" if below is not None else f"share={share:g}"
        raise DataError(
            f"{network.cfg}: {how} and minimum={minimum} take no channel out\n  hint: take more, or fewer left"
        )
    text, compilation, loaded = without(network.compilation, arrays, sets, gone)
    write_network(path, text, compilation.graph, loaded, names=known, sources=sources, replace=replace)
    costs = [cost(g) for g in (graph, compilation.graph)]
    return Pruning(
        path, path.with_suffix(".weights"), _rows(graph, sets, gone),
        (costs[0].params_file, costs[1].params_file), (costs[0].bflops_darknet, costs[1].bflops_darknet),
    )  # fmt: skip


def _check_layers(graph: Graph, layers: Collection[int], cfg: Path) -> None:
    unknown = [n for n in layers if not 0 <= n < len(graph.layers)]
    if unknown:
        raise DataError(f"{cfg} has layers 0 to {len(graph.layers) - 1}, and no layer {unknown[0]}")


def without(source: Compilation, arrays: Arrays, sets: Sets, gone: Collection[int]) -> tuple[str, Compilation, Weights]:
    """A network without some sets of its channels: the text of its cfg, what that compiles to, and its weights."""
    c = sets.channels
    counts: dict[tuple[int, str], str] = {}
    for layer, key, ids in c.numbers:
        counted = sum(c.set_of(i) not in gone for i in ids)
        if counted != len(ids):
            counts[layer + 1, key] = str(counted)
    text = edit(source.cfg, counts)
    folder = str(Path(source.cfg.source.name).parent)
    compilation = compile_cfg(text, "the pruned cfg", folder=folder, dialect=source.dialect.name).check()
    cut = {key: _cut(array, c.cuts.get(key, {}), sets, gone) for key, array in arrays.items()}
    for param in compilation.graph.params:
        if cut[param.layer, param.role].shape != param.value.shape:
            info = compilation.graph.layer(param.layer)
            shapes = f"{cut[param.layer, param.role].shape}, and the cfg wants {param.value.shape}"
            raise DataError(f"layer {info.index} [{info.section}] cannot be pruned: its {param.role} are {shapes}")
    loaded = Weights(Header(), {p.value: cut[p.layer, p.role] for p in compilation.graph.params})
    return text, compilation, loaded


def _cut(array: np.ndarray, axes: Mapping[int, tuple[int, ...]], sets: Sets, gone: Collection[int]) -> np.ndarray:
    for axis, ids in axes.items():
        kept = [place for place, i in enumerate(ids) if sets.channels.set_of(i) not in gone]
        array = array if len(kept) == len(ids) else array.take(kept, axis)
    return array


def _rows(graph: Graph, sets: Sets, gone: Collection[int]) -> tuple[PrunedLayer, ...]:
    rows = []
    for layer, (_, flow) in sets.channels.made.items():
        left = sum(s not in gone for s in sets.of(flow))
        rows.append(PrunedLayer(layer, graph.layer(layer).section, len(flow), left, sets.why_not(layer)))
    return tuple(rows)
