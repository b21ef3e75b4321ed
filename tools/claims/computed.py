"""What can be told without training: sizes, bottlenecks, traffic, fields of view, from the cfgs alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from darknet_py.analysis.access import Access, memory_access
from darknet_py.analysis.cost import FLOAT_BYTES, NetworkCost
from darknet_py.analysis.field import Field
from darknet_py.darknet.layers.layer import layer_of
from tools.networks import NETWORKS
from tools.networks.published import cost_of, graph_of

from .memory import Saved, saved

BACKBONE = 160  # layers of CSPPeleeNet in the detectors on it
COCO = 416  # pixels


def size_of(name: str) -> int:
    """The size at which a network's figures are published."""
    return NETWORKS[name].size


@cache
def total(name: str, size: int | None = None) -> NetworkCost:
    """The cost of one of the family at its own size, or another."""
    return cost_of(name, size or size_of(name))


def less(csp: str, plain: str) -> float:
    """The part of the BFLOPs of a network that its counterpart saves."""
    return 1 - total(csp).bflops_paper / total(plain).bflops_paper


def bottleneck(name: str) -> float:
    """BFLOPs of the costliest layer."""
    return max(layer.bflops_paper for layer in total(name).layers)


def blocks_access(name: str) -> Access:
    """Memory access of the convolutions of a network, and its bound."""
    ops = graph_of(name, size_of(name)).ops
    return sum(map(memory_access, ops), Access())


def bottlenecked(name: str) -> tuple[int, int]:
    """Of the 3x3 convolutions of a residual network, how many read a map narrower than the sum that they end in; all.

    That is ResNet's bottleneck: 1x1 to fewer channels, 3x3, 1x1 back.
    """
    graph = graph_of(name, size_of(name))
    narrow = whole = 0
    for info in graph.layers:
        if layer_of(info).family != "addition":
            continue
        inside = [graph.layer(i) for i in range(min(info.inputs, key=lambda i: abs(i - info.index)) - 2, info.index)]
        for other in inside:
            layer = layer_of(other)
            if layer.family == "convolution" and layer.columns().size == 3:
                whole += 1
                narrow += graph.layer_inputs(other)[0].shape[0] < info.output.shape[0]
    return narrow, whole


def fields(name: str) -> tuple[Field, ...]:
    """What the heads of a detector see at 416."""
    return total(name, COCO).fields


@cache
def pyramid() -> Saved:
    """What the max-outs of CSPPeleeNet-EFM save."""
    return saved(NETWORKS["yolov3-csppelee-efm-plain"].text(), BACKBONE)


@dataclass(frozen=True)
class Roof:
    """A head by what bounds it: billions of operations, MB moved, and operations for a byte."""

    name: str
    gflops: float
    megabytes: float

    @property
    def intensity(self) -> float:
        """Operations for a byte: below what a machine computes while it moves one, memory is the bound."""
        return 1e9 * self.gflops / (1e6 * self.megabytes)


def roof(name: str) -> Roof:
    """The head of a detector on CSPPeleeNet: every layer reads its inputs and parameters and writes its output.

    A layer that only names another's output moves nothing.
    """
    graph = graph_of(name, COCO)
    costs = {info.index: own for info, own in zip(graph.layers, cost_of(name, COCO).layers, strict=True)}
    numbers = operations = 0
    for info in graph.layers[BACKBONE:]:
        own = costs[info.index]
        if own.output:
            read = sum(math.prod(value.shape) for value in graph.layer_inputs(info))
            numbers += read + own.output + own.params_file
            operations += 2 * own.macs
    return Roof(name, operations / 1e9, FLOAT_BYTES * numbers / 1e6)


def cio_of_blocks(c: int, m: int, d: int) -> tuple[float, float]:
    """The paper's CIO of a dense block (c channels, m layers of d) and of its partial counterpart, for each position.

    >>> cio_of_blocks(256, 8, 32)
    (3200.0, 2176.0)
    """
    return c * m + (m * m + m) * d / 2, (c * m + (m * m + m) * d) / 2
