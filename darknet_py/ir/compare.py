"""How far two results for the same value are apart, relative to the largest number in the one that is right; and
whether two graphs are the same one.
"""

from __future__ import annotations

import numpy as np

from .graph import Graph, Value

HUGE = 1e37  # what is beyond is -FLT_MAX, "no cell under the window" (maxpool_layer.c), and compared as such


def scale(array: np.ndarray) -> float:
    """The largest absolute number of an array that is neither infinite nor as good as."""
    comparable = np.abs(array[np.isfinite(array) & (np.abs(array) < HUGE)])
    return float(comparable.max(initial=0))


def difference(got: np.ndarray, wanted: np.ndarray, least: float = 0.0) -> float:
    """The largest difference relative to the largest number; infinite where shapes or non-finite numbers differ.

    `least` is what the largest number counts as where it is smaller: 1 for probabilities, which may all be next to 0.
    """
    if got.shape != wanted.shape:
        return float("inf")
    plain = np.isfinite(wanted) & (np.abs(wanted) < HUGE)
    if not np.array_equal(got[~plain], wanted[~plain], equal_nan=True) or not np.isfinite(got[plain]).all():
        return float("inf")
    off = float(np.abs(got[plain].astype(np.float64) - wanted[plain]).max(initial=0))
    return off / (max(scale(wanted), least) or 1.0)


def is_same(a: Graph, b: Graph) -> bool:
    """Whether two graphs do the same operations on the same numbers, in the same order.

    >>> from .builder import Builder
    >>> def doubled(number: float) -> Graph:
    ...     b = Builder()
    ...     x = b.input("x", (1,))
    ...     return b.graph(x, b.mul(x, number))
    >>> is_same(doubled(2), doubled(2)), is_same(doubled(2), doubled(3))
    (True, False)
    """
    inputs, roots = (a.inputs, b.inputs), (a.roots, b.roots)
    if len(a.ops) != len(b.ops) or any(len(x) != len(y) for x, y in (inputs, roots)):
        return False
    known: dict[Value, Value] = dict(zip(*inputs, strict=True))

    def is_known(x: Value, y: Value) -> bool:
        if x not in a.data:
            return known.get(x) is y
        if x not in known:
            known[x] = y
            return y in b.data and np.array_equal(a.data[x], b.data[y], equal_nan=True)
        return known[x] is y or np.array_equal(a.data[x], b.data[y], equal_nan=True)

    for one, other in zip(a.ops, b.ops, strict=True):
        if one.kind != other.kind or one.attrs != other.attrs or len(one.inputs) != len(other.inputs):
            return False
        if not all(map(is_known, one.inputs, other.inputs)):
            return False
        known[one.output] = other.output
    return all(map(is_known, *roots))
