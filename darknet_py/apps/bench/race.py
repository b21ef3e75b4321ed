"""A race: contestants that were opened, checked against each other, and then timed in interleaved rounds.

Decision: how many rounds there are follows from what one costs, so that small networks are timed often and large ones
are timed at all.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from ...ir.compare import difference
from .interleave import Spread, Timing, interleave, spread
from .peaks import PEAKS
from .process import Side, SideError

FEWEST, MOST = 5, 25  # rounds
TOLERANCE = 1e-3  # of the largest number; Winograd's rounding through a hundred layers stays below
PEAK = "peak"  # the name of the contestant that is the machine itself

Lane = tuple[str, str]  # contestant, measure


@dataclass(frozen=True)
class Race:
    """The seconds of each (contestant, measure) in each round, and why some contestants have none."""

    timings: Mapping[Lane, Timing]
    rounds: int
    dropped: Mapping[Lane, str] = field(default_factory=dict)

    def median(self, lane: Lane) -> float:
        """The median of the seconds of a lane."""
        return spread(self.timings[lane].seconds).median

    def ratio(self, ours: Lane, theirs: Lane) -> Spread | None:
        """How many times as fast `ours` is as `theirs`, round by round; None where one of them was not timed."""
        if ours not in self.timings or theirs not in self.timings:
            return None
        return self.timings[ours].ratio(self.timings[theirs])

    def fraction(self, lane: Lane, flops: float) -> Spread | None:
        """The part of the machine's SGEMM peak that a lane reaches, round by round: the faster SGEMM counts."""
        peaks = [
            self.timings[PEAK, name] for name in PEAKS if (PEAK, name) in self.timings and name.startswith("SGEMM")
        ]
        if lane not in self.timings or not peaks:
            return None
        best = [min(p.seconds[i] for p in peaks) / PEAKS["SGEMM of NumPy"][1] for i in range(self.rounds)]
        return spread(tuple(flops / s * b for s, b in zip(self.timings[lane].seconds, best, strict=True)))

    def peaks(self) -> dict[str, float]:
        """The medians of the machine's peaks, in operations or bytes a second."""
        known = {name: work for name, (_, work) in PEAKS.items() if (PEAK, name) in self.timings}
        return {name: work / self.median((PEAK, name)) for name, work in known.items()}


def rounds_for(cost: float, budget: float) -> int:
    """How many rounds of `cost` seconds fit into `budget` seconds, within bounds.

    >>> rounds_for(cost=2, budget=20), rounds_for(cost=100, budget=20)
    (10, 5)
    """
    return max(FEWEST, min(MOST, int(budget / cost))) if cost else MOST


def race(
    sides: Mapping[str, Side],
    measures: Mapping[str, Sequence[str]],
    *,
    rounds: int | None = None,
    budget: float = 20.0,
    threads: int = 1,
    peak: Side | None = None,
) -> Race:
    """Time `measures[name]` of every contestant; a first round, which is not counted, tells what one costs."""
    lanes = {
        (name, what): partial(_seconds, side, what, {}) for name, side in sides.items() for what in measures[name]
    }  # fmt: skip
    if peak:
        lanes |= {(PEAK, p): partial(_seconds, peak, "peak", {"name": p, "threads": threads}) for p in PEAKS}
    dropped: dict[Lane, str] = {}
    start = time.perf_counter()
    first = interleave(lanes, 1, dropped)
    cost = time.perf_counter() - start
    left = {lane: run for lane, run in lanes.items() if lane in first}
    count = rounds or rounds_for(cost, budget)
    timings = interleave(left, count, dropped)
    return Race(timings, count, dropped)


def _seconds(side: Side, what: str, arguments: Mapping[str, object]) -> float:
    return float(side.ask(what, **arguments)["seconds"])


def compare(folder: Path, wanted: Sequence[np.ndarray]) -> float:
    """How far the outputs that a contestant left in `folder` are from those wanted, as a part of the largest number.

    Infinite where their number or sizes differ: engines drop axes of length 1, so shapes are not compared.
    """
    with np.load(folder / "outputs.npz") as arrays:
        found = [arrays[name] for name in arrays.files]
    if [a.size for a in found] != [a.size for a in wanted]:
        return float("inf")
    return max(difference(a.reshape(w.shape), w) for a, w in zip(found, wanted, strict=True))


def agree(folder: Path, wanted: Sequence[np.ndarray], tolerance: float = TOLERANCE) -> float:
    """`compare`, with a `SideError` if what was computed is something else."""
    off = compare(folder, wanted)
    if not off <= tolerance:
        raise SideError(f"computes something else: off by {off:.1e} of the largest number")
    return off
