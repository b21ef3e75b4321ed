"""Small graphs for passes, and the comparison of what they compute before and after."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from goldens import error

from darknet_py.backends.session import open_session
from darknet_py.ir import Graph, Value, check
from darknet_py.ir.builder import Builder
from darknet_py.passes.im2col import TapCosts

ROUNDING = 1e-6
# `unfold_convolutions` wherever it can; the second with its WORTH at 0 as well.
ALL_TAPS, COLUMNS = TapCosts(1, tap=0, strided=2, edge=0), TapCosts(64, tap=0, strided=0, edge=0)


def graph_of(body: Callable[[Builder, Value], Value | list[Value]], shape: tuple[int, ...]) -> Graph:
    """A graph of what `body` builds on an input."""
    b = Builder()
    x = b.input("images", shape)
    b.enter(0, "test")
    y = body(b, x)
    return check(b.graph(x, *(y if isinstance(y, list) else [y])))


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    """Random numbers around 0."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def kinds(graph: Graph) -> list[str]:
    """The primitives of a graph, in order."""
    return [op.kind for op in graph.ops]


def computes_the_same(before: Graph, after: Graph, tolerance: float = 0.0) -> None:
    """Assert that two graphs give the same outputs for two samples."""
    check(after)
    x = numbers(2, *before.image.shape, seed=1)
    wanted, got = (open_session(g, "numpy").run([x]) for g in (before, after))
    for a, b in zip(got, wanted, strict=True):
        assert error(a, b) <= tolerance
