"""Objects are followed through the pictures of a run, each video with a tracker and counters of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ...contract.contract import Contract
from ...contract.selection import Conf, select
from ...vision.counting import LineCounter, ZoneCounter
from ...vision.tracking import LOW, Tracker

if TYPE_CHECKING:
    from ...contract.selection import ClassName
    from ...vision.results import Results


class Following:
    """Follows what a network finds. `conf` are the thresholds of what is shown, `low` is what to call the model with.

    Pictures that are no frames of a video are one sequence, in the order in which they come. With `agnostic` a track
    may change its class, as a box then may.
    """

    def __init__(
        self, contract: Contract, conf: Conf, classes: Sequence[ClassName] | None, agnostic: bool,
        lines: Sequence[Sequence[float]], zones: Sequence[Sequence[float]],
    ) -> None:  # fmt: skip
        threshold, selection = select(contract.names, contract.classes, conf=conf, classes=classes)
        self._high = selection.limits(contract.classes, threshold)
        least = float(self._high.min(initial=1))
        self.low = min(least, max(LOW, contract.threshold) if contract.is_suppressed else LOW)
        self._agnostic, self._lines, self._zones = agnostic, lines, zones
        self._sequences: dict[str, tuple[Tracker, list[LineCounter | ZoneCounter]]] = {}

    def update(self, results: Results) -> Results:
        """The results of the next picture with ids and counts."""
        key = "" if results.frame is None else results.source
        if key not in self._sequences:
            made: list[LineCounter | ZoneCounter] = [LineCounter(*line) for line in self._lines]
            made += [ZoneCounter(*zone) for zone in self._zones]
            self._sequences[key] = Tracker(self._high, self.low, by_class=not self._agnostic), made
        tracker, counters = self._sequences[key]
        results = tracker.update(results)
        for counter in counters:
            results = counter.update(results)
        return results

    def summary(self) -> list[str]:
        """What was counted, a line for each line and zone of each sequence."""
        return [
            f"{f'{key}: ' if key else ''}{_named(counter, shape)}"
            for key, (_, counters) in self._sequences.items()
            for counter, shape in zip(counters, (*self._lines, *self._zones), strict=True)
        ]


def _named(counter: LineCounter | ZoneCounter, shape: Sequence[float]) -> str:
    place = ",".join(f"{v:g}" for v in shape)
    if isinstance(counter, LineCounter):
        return f"line {place}: {counter.forward} forward, {counter.backward} backward"
    return f"zone {place}: {counter.entered} entered, {counter.left} left, {len(counter.inside)} inside"
