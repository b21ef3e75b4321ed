"""Which channels are taken out: the sets of channels of a network, what each is worth, and which go.

Decision: a set is worth the largest of its scales of batch normalization (network slimming: Liu et al. 2017), and sets
of all layers are compared with one another. Whatever is chosen, a layer keeps some channels, and each part one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np

from ...darknet.layers.channels import Channels, Flow
from ...darknet.layers.layer import layer_of
from ...ir import Graph

Arrays = Mapping[tuple[int, str], np.ndarray]  # by layer and role


@dataclass(frozen=True, eq=False)
class Sets:
    """The channels of a network: what layers do with them, those of each layer, and which sets could go.

    `worth` has each set that could go, `reasons` why others cannot.
    """

    channels: Channels
    flows: Mapping[int, Flow]
    worth: Mapping[int, float]
    reasons: Mapping[int, str]

    def of(self, flow: Flow) -> list[int]:
        """The set of each channel."""
        return [self.channels.set_of(i) for i in flow.ids]

    def why_not(self, layer: int) -> str:
        """Why no channel of a layer could go; '' where some could."""
        sets = self.of(self.channels.made[layer][1])
        return "" if any(s in self.worth for s in sets) else next(self.reasons[s] for s in sets)


def find_sets(graph: Graph, arrays: Arrays, alone: Collection[int] = ()) -> Sets:
    """The sets of channels of a network whose parameters are `arrays`; those that layers `alone` make stay."""
    c = Channels()
    flows = {-1: c.fixed(graph.image.shape[0], "the input of the network")}
    for info in graph.layers:
        inputs = graph.layer_inputs(info)
        c.enter(info.index, info.section, (*(v.shape for v in inputs), info.output.shape))
        flow = flows[info.index] = layer_of(info).channels(c, *(flows[i] for i in info.inputs))
        assert len(flow) == info.output.shape[0], f"{info.name} says nothing true of its channels"
        if info.output in graph.outputs:
            c.stay(flow, "this is what comes out of the network")
        if info.index in alone:
            c.stay(flow, "this layer is to be left alone")
    reasons = c.reasons()
    worth: dict[int, float] = {}
    for layer, ids in c.scales:
        for channel, scale in zip(ids, np.abs(arrays[layer, "scales"]).tolist(), strict=True):
            set_ = c.set_of(channel)
            if set_ not in reasons:
                worth[set_] = max(worth.get(set_, 0.0), scale)
    return Sets(c, flows, worth, reasons)


def choose_sets(sets: Sets, *, share: float | None, below: float | None, minimum: int) -> frozenset[int]:
    """The sets that go: those worth least, until `share` of the channels that could go has, or all worth less than
    `below`. Each layer with parameters keeps `minimum` channels, or as many as it has.
    """
    made = {layer: Counter(sets.of(flow)) for layer, (_, flow) in sets.channels.made.items()}
    parts = {layer: Counter(sets.of(flow)) for layer, flow in sets.flows.items()}
    holders: dict[int, list[int]] = {}
    for layer, counts in (*made.items(), *parts.items()):
        for set_ in counts:
            holders.setdefault(set_, []).append(layer)
    left = {layer: sum(counts.values()) for layer, counts in parts.items()}
    least = {layer: min(left[layer], minimum if layer in made else 1) for layer in left}
    sizes = Counter(s for _, counts in made.items() for s, n in counts.items() for _ in range(n) if s in sets.worth)
    wanted = float("inf") if share is None else share * sum(sizes.values())
    gone: set[int] = set()
    taken = 0
    for set_ in sorted(sets.worth, key=lambda s: (sets.worth[s], s)):
        if below is not None and not sets.worth[set_] < below:
            break
        if taken + sizes[set_] > wanted:
            break
        affected = set(holders[set_])
        if any(left[layer] - parts[layer][set_] < least[layer] for layer in affected):
            continue
        for layer in affected:
            left[layer] -= parts[layer][set_]
        taken += sizes[set_]
        gone.add(set_)
    return frozenset(gone)
