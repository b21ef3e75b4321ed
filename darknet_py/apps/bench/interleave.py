"""Timings that can be compared: every contestant in every round, A B C A B C …, and ratios taken inside a round.

Decision: a machine slows down and speeds up for minutes at a time, so runs of one contestant after the other compare
the weather. Neighbours in a round share it; medians and quartiles forget single accidents.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, MutableMapping
from dataclasses import dataclass
from statistics import quantiles
from typing import TypeVar

from .process import SideError

Name = TypeVar("Name", bound=Hashable)


@dataclass(frozen=True)
class Spread:
    """The quartiles of some numbers."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.low:.2f} to {self.high:.2f})"


def spread(numbers: tuple[float, ...]) -> Spread:
    """The quartiles of at least one number, linear between neighbours.

    >>> spread((4.0, 1.0, 2.0, 3.0, 100.0))
    Spread(low=2.0, median=3.0, high=4.0)
    """
    if len(numbers) == 1:
        return Spread(numbers[0], numbers[0], numbers[0])
    return Spread(*quantiles(numbers, n=4, method="inclusive"))


@dataclass(frozen=True)
class Timing:
    """The seconds of one contestant, a number a round."""

    seconds: tuple[float, ...]

    @property
    def rate(self) -> Spread:
        """How often a second, as quartiles over the rounds."""
        return spread(tuple(1 / s for s in self.seconds))

    def ratio(self, other: Timing) -> Spread:
        """How many times as fast as `other` this is, round by round, as quartiles."""
        return spread(tuple(b / a for a, b in zip(self.seconds, other.seconds, strict=True)))


def interleave(
    contestants: Mapping[Name, Callable[[], float]], rounds: int, dropped: MutableMapping[Name, str] | None = None
) -> dict[Name, Timing]:
    """Call every contestant once a round, in the same order; each returns the seconds that it took.

    With `dropped`, a contestant whose process fails is left out from then on, and the reason written there; without,
    its `SideError` ends the run.
    """
    if rounds < 1:
        raise ValueError(f"rounds is at least 1, not {rounds}")
    taken: dict[Name, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name in list(taken):
            try:
                taken[name].append(contestants[name]())
            except SideError as e:
                if dropped is None:
                    raise
                dropped[name] = str(e)
                del taken[name]
    return {name: Timing(tuple(seconds)) for name, seconds in taken.items()}
