"""The published figures beside ours: what is printed, what the cfg costs, and the reason where the two differ."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache
from math import prod
from pathlib import Path
from typing import Any

from darknet_py.analysis.cost import NetworkCost, cost
from darknet_py.darknet.compile import compile_cfg
from darknet_py.ir import Graph

from .catalogue import NETWORKS

TOLERANCE = 0.002
FILE = Path(__file__).with_name("published.toml")


def macs_mm(graph: Graph) -> float:
    """Multiply-accumulates as mmpretrain counts: two more per normalized element, one per activated or pooled one."""
    extra = {"batch_norm": 2, "leaky_relu": 1, "max_pool": 1, "reduce_mean": 1}
    return sum(op.macs + extra.get(op.kind, 0) * prod(op.inputs[0].shape) for op in graph.ops) / 1e9


@dataclass(frozen=True)
class Figure:
    """A printed number: of which cfg at which size, of what, where it is printed, and why ours may differ."""

    network: str
    size: int
    quantity: str
    value: float
    source: str
    reason: str

    @property
    def ours(self) -> float:
        """The same of our cfg."""
        return QUANTITIES[self.quantity][1](self.network, self.size)

    @property
    def deviation(self) -> float:
        """(ours - published) / published."""
        return self.ours / self.value - 1

    @property
    def met(self) -> bool:
        """Whether ours is within the tolerance."""
        return abs(self.deviation) <= TOLERANCE

    @property
    def unit(self) -> str:
        """What the number counts, in words."""
        return QUANTITIES[self.quantity][0]


@cache
def graph_of(name: str, size: int) -> Graph:
    """The lowered graph of one of our networks, for images of size x size."""
    return compile_cfg(NETWORKS[name].text(), f"{name}.cfg", size=(size, size)).check().graph


@cache
def cost_of(name: str, size: int) -> NetworkCost:
    """Its cost."""
    return cost(graph_of(name, size))


QUANTITIES: dict[str, tuple[str, Callable[[str, int], float]]] = {
    "params": ("M params", lambda *net: cost_of(*net).params_conv / 1e6),
    "params_file": ("M floats in the file", lambda *net: cost_of(*net).params_file / 1e6),
    "params_trained": ("M params (PyTorch)", lambda *net: cost_of(*net).params_trained / 1e6),
    "bflops": ("BFLOPs", lambda *net: cost_of(*net).bflops_paper),
    "macs_mm": ("GMACs (mmpretrain)", lambda *net: macs_mm(graph_of(*net))),
    "cio": ("M CIO", lambda *net: cost_of(*net).cio / 1e6),
}


@cache
def figures() -> tuple[Figure, ...]:
    """All published figures."""
    data = _data()
    return tuple(_figure(row, data["reasons"]) for row in data["figures"])


def absent() -> list[list[str]]:
    """What is published of networks that are not here: network, figures, source, reason."""
    rows: list[list[str]] = _data()["absent"]
    return rows


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(FILE.read_text())


def figures_of(name: str) -> Iterable[Figure]:
    """Those of one network."""
    return (f for f in figures() if f.network == name)


def _figure(row: tuple[str, int, str, float, str], reasons: dict[str, str]) -> Figure:
    name, size, quantity, value, source = row
    key = f"{name} {quantity}"
    return Figure(name, size, quantity, value, source, reasons.get(f"{key} @{size}", reasons.get(key, "")))
