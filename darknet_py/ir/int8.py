"""Which operations of a graph compute in 8 bits, and on which grids their numbers lie.

Decision: the graph stays as it is; an `Int8Plan` beside it says what an executor writes in 8 bits, as `half` does of
float16. Weights lie on a grid for each output channel, symmetric around 0. Activations lie on one of 256 steps, with 0
on it, and values that are only moved about (by a concatenation, a pool, a slice) share theirs: nothing is
rounded twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .graph import Graph, Op, Value

STEPS = 255  # between the first and the last of 256 numbers
FEWEST = 16  # input channels of a product that is faster in 8 bits, where what stays in float is bfloat16
WEIGHT = 127  # the largest weight: -128 is left out, so that the grid is symmetric
PRODUCTS = frozenset(("conv", "linear"))
CARRIERS = frozenset(("concat", "max_pool", "slice", "upsample", "reshape"))  # their results are among their operands
JOINED = frozenset(("leaky_relu", "relu", "clip", "add", "sigmoid"))  # what has a kernel of 8 bits in some back ends

Range = tuple[float, float]


@dataclass(frozen=True)
class ByteGrid:
    """The numbers (q - zero) * scale for q from 0 to 255.

    >>> ByteGrid.over((-1.0, 4.1))
    ByteGrid(scale=0.02, zero=50)
    """

    scale: float
    zero: int

    @classmethod
    def over(cls, limits: Range) -> ByteGrid:
        """The finest grid that holds 0 and reaches over a range."""
        low, high = min(limits[0], 0.0), max(limits[1], 0.0)
        scale = (high - low) / STEPS or 1.0
        return cls(round(scale, 12) if scale > 1e-6 else scale, int(np.clip(round(-low / scale), 0, STEPS)))

    @classmethod
    def of_step(cls, limits: Range, step: float) -> ByteGrid:
        """The grid of a step, at least that of `over`, which reaches over a range."""
        return cls(step, int(np.clip(round(-min(limits[0], 0.0) / step), 0, STEPS)))

    def rounded(self, x: np.ndarray) -> np.ndarray:
        """The nearest numbers of the grid."""
        q = np.clip(np.rint(x / self.scale) + self.zero, 0, STEPS)
        return ((q - self.zero) * self.scale).astype(np.float32)


@dataclass(frozen=True)
class Calibration:
    """What pictures told of a graph: the range of each value by its name, and the products that stay in float32.

    `biases` are what is added to the biases of a product, by the name of its result, so that its mean stays.
    """

    ranges: Mapping[str, Range]
    in_float: frozenset[str] = frozenset()
    biases: Mapping[str, tuple[float, ...]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {**asdict(self), "in_float": sorted(self.in_float)}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Calibration:
        """What `to_dict` gave."""
        ranges = {str(name): (float(low), float(high)) for name, (low, high) in data["ranges"].items()}
        biases = {str(name): tuple(map(float, numbers)) for name, numbers in data["biases"].items()}
        return cls(ranges, frozenset(map(str, data["in_float"])), biases)


@dataclass(frozen=True, eq=False)
class Int8Plan:
    """The operations that read numbers of 8 bits, and the grid of each value that is read so."""

    graph: Graph
    ops: frozenset[Op]
    grids: Mapping[Value, ByteGrid]


def heads(graph: Graph) -> frozenset[Op]:
    """The operations from the last products on, these included."""
    producers = graph.producers()
    todo = [producers[v] for v in graph.roots if v in producers]
    found: set[Op] = set()
    while todo:
        op = todo.pop()
        if op in found:
            continue
        found.add(op)
        if op.kind not in PRODUCTS:
            todo += [producers[v] for v in op.inputs if v in producers]
    return frozenset(found)


def quantizable(graph: Graph) -> tuple[Op, ...]:
    """The products with constant weights that are no heads, in order."""
    last = heads(graph)
    return tuple(
        op for op in graph.ops
        if op.kind in PRODUCTS and op not in last and op.inputs[0].batched
        and all(v in graph.data for v in op.inputs[1:])
    )  # fmt: skip


def families(graph: Graph) -> dict[Value, Value]:
    """For each value the first of those that share its grid, because something only moves their numbers about."""
    parent: dict[Value, Value] = {}

    def first(v: Value) -> Value:
        while parent.setdefault(v, v) is not v:
            v = parent[v]
        return v

    for op in graph.ops:
        if op.kind in CARRIERS:
            for v in op.inputs:
                parent[first(op.output)] = first(v)
    values = [*graph.inputs, *(op.output for op in graph.ops)]
    return {v: first(v) for v in values}


def plan(graph: Graph, calibration: Calibration, whole: bool) -> Int8Plan:
    """What computes in 8 bits.

    `whole` is for executors that keep numbers of 8 bits between operations only where each of these is said to compute
    on them: activations and additions too. Others fuse these to the product before, which is rounded once then, and
    lose time with products of few channels (depthwise ones, the first of a network), which stay in float.
    """
    shared = families(graph)
    ranges = _ranges(calibration, shared)
    products = {
        op for op in quantizable(graph)
        if op.output.name not in calibration.in_float and shared[op.inputs[0]] in ranges
        and (whole or op.inputs[1].shape[1] >= FEWEST)
    }  # fmt: skip
    ops, wanted = set(products), {shared[op.inputs[0]] for op in products}
    if whole:
        ops |= _joined(graph, products, shared, wanted, ranges)
        wanted |= {shared[v] for op in ops - products for v in op.inputs}
    ops |= {op for op in graph.ops if op.kind in CARRIERS and shared[op.output] in wanted and _is_batched(op)}
    read = {v for op in ops for v in op.inputs[: 1 if op.kind in PRODUCTS else None]}
    read |= {op.output for op in ops if op.kind in CARRIERS}
    grids = {v: ByteGrid.over(ranges[shared[v]]) for v in read}
    steps = _steps([op for op in graph.ops if op in ops], shared, grids)
    grids = {v: ByteGrid.of_step(ranges[shared[v]], step) for v, step in steps.items()}
    biases = {
        op.inputs[2]: graph.data[op.inputs[2]] + np.array(calibration.biases[op.output.name], np.float32)
        for op in products
        if len(op.inputs) > 2 and op.output.name in calibration.biases
    }
    return Int8Plan(graph.with_data(biases), frozenset(ops), grids)


def _ranges(calibration: Calibration, shared: Mapping[Value, Value]) -> dict[Value, Range]:
    """The range of each family that was calibrated."""
    found: dict[Value, Range] = {}
    for value, family in shared.items():
        if value.name in calibration.ranges:
            low, high = calibration.ranges[value.name]
            before = found.get(family, (low, high))
            found[family] = min(low, before[0]), max(high, before[1])
    return found


def _joined(
    graph: Graph, products: set[Op], shared: Mapping[Value, Value], wanted: set[Value], ranges: Mapping[Value, Range]
) -> set[Op]:
    """Activations and additions between numbers of 8 bits: what reads nothing but products, or is read in 8 bits."""
    producers, found, seen = graph.producers(), set[Op](), set(wanted)
    for op in reversed(graph.ops):
        if op.kind not in JOINED or not _is_batched(op) or any(shared[v] not in ranges for v in op.inputs):
            continue
        after_products = all(producers.get(v) in products for v in op.inputs)
        if shared[op.output] in seen or after_products:
            found.add(op)
            seen |= {shared[v] for v in op.inputs}
    return found


def _is_batched(op: Op) -> bool:
    return all(v.batched for v in op.inputs)


def _steps(ops: Sequence[Op], shared: Mapping[Value, Value], grids: Mapping[Value, ByteGrid]) -> dict[Value, float]:
    """The step of each value: that of its own grid, or of the coarser one of what an activation makes of it.

    With the same step on both sides, what is positive passes a leaky activation without being rounded again.
    """
    steps = {shared[v]: grid.scale for v, grid in grids.items()}
    pairs = [(shared[op.inputs[0]], shared[op.output]) for op in ops if op.kind in ("leaky_relu", "relu")]
    pairs = [(x, y) for x, y in pairs if x in steps and y in steps]
    for _ in pairs:  # a coarser one passes on from one to the next
        for x, y in pairs:
            steps[x] = steps[y] = max(steps[x], steps[y])
    return {v: steps[shared[v]] for v in grids}


def weight_scales(weights: np.ndarray) -> np.ndarray:
    """The step of each output channel's grid (n,): the largest weight is its 127th."""
    largest = np.abs(weights.reshape(len(weights), -1)).max(1)
    return np.where(largest > 0, largest / WEIGHT, 1.0).astype(np.float32)


def whole_weights(weights: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Weights as int8, in steps of their channels' grids."""
    steps = weights / scales.reshape(-1, *[1] * (weights.ndim - 1))
    return np.clip(np.rint(steps), -WEIGHT, WEIGHT).astype(np.int8)
