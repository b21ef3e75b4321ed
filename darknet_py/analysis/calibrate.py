"""What int8 needs to know of a network, from pictures: ranges, corrections of biases, what is better left in float32.

Decision: a range is not from the least to the largest number, but the one whose 256 steps round the numbers of the
pictures with the least error, to the third power, counted after the activation that follows; where the outputs are off
by much, layers stay in float32, the worst first, until they are close enough. All of that is measured on the pictures
of the calibration: their labels are not looked at. What was tried beside it is in the documentation, on precision.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from math import sqrt

import numpy as np

from ..backends.precision import INT8, Precision
from ..backends.session import Session, open_session
from ..contract.program import Program
from ..errors import Say, to_nobody
from ..ir.graph import Graph, Op, Value
from ..ir.int8 import (
    CARRIERS,
    JOINED,
    PRODUCTS,
    STEPS,
    ByteGrid,
    Calibration,
    Range,
    families,
    quantizable,
    weight_scales,
    whole_weights,
)
from ..passes import optimize, passes_for
from ..vision.inference import inputs_of
from ..vision.sources import Found, pictures

BINS = 2048  # of the numbers of a value
SAMPLED = 1 << 16  # numbers of a value that are counted in each picture; the extremes are those of all
LOWER, UPPER = np.linspace(0.04, 1, 17), np.linspace(0.2, 1, 25)  # parts of the extremes that are tried
POWER = 3  # of the error: by squares too much is cut off, and the few large numbers are what a detector goes by
CLOSE = 0.07  # of their root mean square, what the outputs may be off by before layers stay in float32
LOOKED_AT = 6  # pictures on which that is measured

Inputs = list[np.ndarray]


def calibrate(
    program: Program, files: Sequence[Found], backend: str, close: float = CLOSE, tell: Say = to_nobody
) -> Calibration:
    """What pictures say of a program with its parameters loaded, for int8 in a back end.

    `close` is how far the outputs may be off, relative to their root mean square. Raises `DataError` for a file that is
    no picture, and `BackendError` where the back end cannot run the network in 8 bits.
    """
    graph = optimize(program.graph, passes_for("file"))
    contract = program.contract
    inputs = [inputs_of(picture, contract) for f in files for picture in pictures(f, contract.shape[0])]
    found = _Numbers(graph, inputs)
    whole = Calibration(found.ranges(), biases=found.corrections())
    open_with = partial(_open, program.graph, backend)
    seen = inputs[:: max(1, len(inputs) // LOOKED_AT)][:LOOKED_AT]
    wanted = [open_session(program.graph).run(x) for x in seen]
    off = partial(_off, seen, wanted)
    names = [op.output.name for op in quantizable(graph)]
    total = off(open_with(whole))
    tell(f"int8 in {backend}: outputs off by {total:.1%} of their scale, on the pictures of the calibration")
    if total <= close:
        return whole
    alone = {name: off(open_with(replace(whole, in_float=frozenset(names) - {name}))) for name in names}
    worst = sorted(names, key=lambda name: -alone[name])
    while total > close and len(whole.in_float) < len(names):
        # Errors of layers add up as variances do.
        left = total**2
        more = set(whole.in_float)
        for name in (n for n in worst if n not in whole.in_float):
            more.add(name)
            left -= alone[name] ** 2
            if left <= close**2:
                break
        whole = replace(whole, in_float=frozenset(more))
        total = off(open_with(whole))
    kept = ", ".join(name for name in worst if name in whole.in_float)
    tell(f"int8 in {backend}: {kept} in float32, being the worst: off by {total:.1%}")
    return whole


def _open(graph: Graph, backend: str, calibration: Calibration) -> Session:
    return open_session(graph, backend, precision=Precision(INT8, calibration))


def _off(inputs: Iterable[Inputs], wanted: Iterable[Inputs], session: Session) -> float:
    """How far the outputs are from those wanted: of each its root mean square error relative to its own, together."""
    squares = [
        float(np.square(got - want).mean() / max(float(np.square(want).mean()), 1e-30))
        for x, outputs in zip(inputs, wanted, strict=True)
        for got, want in zip(session.run(x), outputs, strict=True)
    ]
    return sqrt(sum(squares) / len(squares)) if squares else 0.0


class _Numbers:
    """The numbers of the values of a graph over some pictures: extremes, a histogram, and means by channel."""

    def __init__(self, graph: Graph, inputs: Sequence[Inputs]) -> None:
        self._graph, self._family = graph, families(graph)
        kinds = PRODUCTS | CARRIERS | JOINED
        read = {v for op in graph.ops if op.kind in kinds for v in (*op.inputs, op.output) if v.batched}
        own = {*graph.inputs}
        self._values = [v for v in (*own, *(op.output for op in graph.ops)) if v in read]
        computed = [v for v in self._values if v not in own]
        session = open_session(graph.with_outputs(computed))
        carried = {op.output for op in graph.ops if op.kind in CARRIERS}
        self._counted = [v for v in self._values if v not in carried]
        self._extremes: dict[Value, Range] = {}
        self._histograms: dict[Value, np.ndarray] = {}
        self.means: dict[Value, np.ndarray] = {}

        def arrays(x: Inputs) -> Iterable[tuple[Value, np.ndarray]]:
            yield from zip(graph.inputs, x, strict=True)
            yield from zip(computed, session.run(x), strict=False)  # new states come after the outputs

        for x in inputs:
            self._note_extremes(arrays(x), len(inputs))
        for x in inputs:
            self._count(arrays(x))

    def _note_extremes(self, arrays: Iterable[tuple[Value, np.ndarray]], count: int) -> None:
        for v, array in arrays:
            family = self._family[v]
            low, high = self._extremes.get(family, (0.0, 0.0))
            self._extremes[family] = min(low, float(array.min())), max(high, float(array.max()))
            mean = array[0].reshape(v.shape[0], -1).mean(1, dtype=np.float64) / count
            self.means[v] = self.means.get(v, 0.0) + mean

    def _count(self, arrays: Iterable[tuple[Value, np.ndarray]]) -> None:
        counted = {*self._counted}
        for v, array in arrays:
            family = self._family[v]
            low, high = self._extremes[family]
            if v not in counted or not high > low or not np.isfinite(high - low):
                continue
            step = max(1, array.size // SAMPLED) | 1  # odd: no stride of an image
            found, _ = np.histogram(array.reshape(-1)[::step], BINS, (low, high))
            self._histograms[family] = self._histograms.get(family, 0) + found

    def ranges(self) -> dict[str, Range]:
        """The range of each value: that of its family with the least error."""
        slopes = {op.inputs[0]: float(op.attrs["slope"]) for op in self._graph.ops if op.kind == "leaky_relu"}
        images = {self._family[v] for v in (self._graph.image,)}
        best = {
            family: self._extremes[family]
            if family in images or family not in self._histograms  # 8-bit pixels lie on the grid of 0 to 1 themselves
            else best_range(self._histograms[family], self._extremes[family], slopes.get(family, 1.0))
            for family in self._extremes
        }
        return {v.name: best[self._family[v]] for v in self._values}

    def corrections(self) -> dict[str, tuple[float, ...]]:
        """What the rounding of weights takes from the mean of each result of a product, to be given to its bias."""
        return {op.output.name: tuple(self._lost(op).tolist()) for op in quantizable(self._graph)}

    def _lost(self, op: Op) -> np.ndarray:
        weights = self._graph.data[op.inputs[1]]
        steps = weight_scales(weights).reshape(-1, *[1] * (weights.ndim - 1))
        off = (weights - whole_weights(weights, weight_scales(weights)) * steps).reshape(*weights.shape[:2], -1).sum(2)
        means, groups = self.means[op.inputs[0]], op.attrs.get("groups", 1)
        own = np.repeat(
            means.reshape(groups, -1), len(weights) // groups, 0
        )  # of each filter, the channels that it reads
        return (off * own).sum(1)


def best_range(histogram: np.ndarray, extremes: Range, slope: float = 1.0) -> Range:
    """The range whose grid of 256 steps rounds the numbers of a histogram over `extremes` with the least error.

    What is negative counts by the `slope` of the activation that reads it. One number far out is cut off:

    >>> counts = np.zeros(2048); counts[:205], counts[-1] = 1e9, 1
    >>> [round(float(n), 2) for n in best_range(counts, (0.0, 10.0))]
    [0.0, 2.0]
    """
    low, high = extremes
    kept = histogram > 0
    numbers = (low + (high - low) / len(histogram) * (np.arange(len(histogram)) + 0.5))[kept]
    counts = histogram[kept] * np.where(numbers < 0, slope**POWER, 1.0)
    tried = [(low * a, high * b) for a in (LOWER if low < 0 else (1.0,)) for b in (UPPER if high > 0 else (1.0,))]
    return min(tried, key=lambda limits: _error(numbers, counts, limits))


def _error(numbers: np.ndarray, counts: np.ndarray, limits: Range) -> float:
    grid = ByteGrid.over(limits)
    steps = np.clip(np.rint(numbers / grid.scale), -grid.zero, STEPS - grid.zero) * grid.scale
    return float((counts * np.abs(steps - numbers) ** POWER).sum())
