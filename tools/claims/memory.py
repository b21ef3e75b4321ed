"""What the max-outs of a feature pyramid save: the reading of "75 % less memory" that is true, and those that are not.

Decision: max-outs and the layers after the backbone are found in the graph, by what they are, so any cfg can be asked.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

from darknet_py.analysis.cost import FLOAT_BYTES, cost, live_elements
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.layers.layer import layer_of
from darknet_py.ir.graph import Graph, LayerInfo

MIB = 1 << 20
_MAXOUT = re.compile(r"\[maxout\]\nout_channels=\d+\n")
IDENTITY = "[route]\nlayers=-1\n"


@dataclass(frozen=True)
class Head:
    """The layers from `first` on: MiB of their outputs and of what lives at most, millions of CIO, and BFLOPs."""

    first: int
    activations: float
    peak: float
    cio: float
    bflops: float


@dataclass(frozen=True)
class Saved:
    """What max-outs read and write, in numbers, and the head with them, without them, and with them moved forward.

    `early` is the same network with each max-out run as soon as the map that it narrows is there.
    """

    read: int
    written: int
    with_them: Head
    without: Head
    early: Head

    @property
    def part(self) -> float:
        """The part of the numbers that is saved, from 0 to 1."""
        return 1 - self.written / self.read


def maxouts(graph: Graph) -> list[LayerInfo]:
    """The layers that narrow channels by their maximum."""
    return [info for info in graph.layers if layer_of(info).family == "maxout"]


def saved(text: str, first: int) -> Saved:
    r"""What the max-outs of a cfg save, whose head begins at layer `first`.

    >>> net = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=16\nsize=1\n"
    >>> found = saved(net + "[maxout]\nout_channels=4\n[convolutional]\nfilters=4\nsize=1\n", 1)
    >>> found.read, found.written, found.part
    (1024, 256, 0.75)
    """
    graph = compile_cfg(text).check().graph
    narrowed = maxouts(graph)
    read = sum(math.prod(value.shape) for info in narrowed for value in graph.layer_inputs(info))
    plain = compile_cfg(_MAXOUT.sub(IDENTITY, text)).check().graph
    written = sum(math.prod(info.output.shape) for info in narrowed)
    return Saved(read, written, _head(graph, first), _head(plain, first), _head(moved_forward(graph), first))


def moved_forward(graph: Graph) -> Graph:
    """The same network in another order: each max-out directly after the layer whose output it reads.

    A [route] that only names that output goes with it.
    """
    moved = {info.index: (*_names_before(graph, info), info) for info in maxouts(graph)}
    gone = {info.index for group in moved.values() for info in group}
    order: list[LayerInfo] = []
    for info in graph.layers:
        if info.index in gone:
            continue
        order.append(info)
        for index in [i for i, group in moved.items() if info.output in graph.layer_inputs(group[0])]:
            order += moved.pop(index)
    return replace(graph, layers=tuple(order))


def _names_before(graph: Graph, info: LayerInfo) -> list[LayerInfo]:
    """The layers between one that computes and `info` that give its output another name."""
    (before,) = (graph.layer(i) for i in info.inputs)
    if before.output not in graph.layer_inputs(before):
        return []
    return [*_names_before(graph, before), before]


def _head(graph: Graph, first: int) -> Head:
    costs = {info.index: own for info, own in zip(graph.layers, cost(graph).layers, strict=True)}
    head = [own for index, own in costs.items() if index >= first]
    alive = [live for info, live in zip(graph.layers, live_elements(graph), strict=True) if info.index >= first]
    return Head(
        first, FLOAT_BYTES * sum(own.output for own in head) / MIB, FLOAT_BYTES * max(alive) / MIB,
        sum(own.cio for own in head) / 1e6, sum(own.bflops_paper for own in head),
    )  # fmt: skip
