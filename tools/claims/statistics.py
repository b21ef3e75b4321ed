"""Means of few seeds with intervals, differences seed by seed, and whether two orders agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median

# Student's t for a two-sided interval of 95 %, by degrees of freedom (any table of it).
T95 = (math.inf, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)

UNLIKELY = 0.05

HOLDS, FAILS, UNSETTLED = "holds", "does not hold", "cannot be told with three seeds"
PARTLY, FAILED = "holds in part", "a run failed"


@dataclass(frozen=True)
class Estimate:
    """A mean of `count` seeds, and half of its 95 % interval; infinite for one number, which has no spread.

    `of` seeds there are to be, and `failed` of them never will: their trainings came to numbers that are none.
    """

    mean: float
    half: float
    count: int
    of: int
    failed: int = 0

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half

    def text(self, digits: int = 1, factor: float = 1.0) -> str:
        """`70.3 ± 1.2`, and of how many seeds where some are missing.

        >>> Estimate(0.703, 0.012, 3, 3).text(1, 100), Estimate(0.5, math.inf, 1, 1).text(2)
        ('70.3 ± 1.2', '0.50 (one seed)')
        >>> Estimate(0.5, math.inf, 1, 3).text(2), Estimate(0.5, 0.25, 2, 3, failed=1).text(2)
        ('0.50 (1 of 3 seeds)', '0.50 ± 0.25 (2 of 3 seeds, 1 failed)')
        """
        text = f"{self.mean * factor:.{digits}f}"
        if self.count > 1:
            text += f" ± {self.half * factor:.{digits}f}"
        if self.of == 1:
            return f"{text} (one seed)"
        failed = f", {self.failed} failed" if self.failed else ""
        return text if self.count == self.of else f"{text} ({self.count} of {self.of} seeds{failed})"


@dataclass(frozen=True)
class Median:
    """A median, and the ends of its interval of at least 95 %."""

    middle: float
    low: float
    high: float


def median_of(values: Sequence[float]) -> Median:
    """The median of numbers, with the interval between two of them that a median leaves in 5 of 100 cases at most.

    That holds whatever their distribution is: how many of n are below the median is a coin thrown n times. Fewer than
    six leave the interval open.

    >>> median_of(range(25))
    Median(middle=12, low=7, high=17)
    """
    found, n, rank = sorted(values), len(values), 0
    while 2 * sum(math.comb(n, below) for below in range(rank + 1)) <= UNLIKELY * 2**n:
        rank += 1
    low, high = (found[rank - 1], found[n - rank]) if rank else (-math.inf, math.inf)
    return Median(median(found), low, high)


def estimate(values: Sequence[float], of: int | None = None, failed: int = 0) -> Estimate:
    """The mean of at least one number, and its interval of Student's t; of more than ten a little too wide.

    `of` numbers there are to be (None: these are all), and `failed` of them never will be there.

    >>> found = estimate([1.0, 2.0, 3.0])
    >>> found.mean, round(found.half, 3)
    (2.0, 2.484)
    """
    n = len(values)
    mean, of = math.fsum(values) / n, of or n
    if n == 1:
        return Estimate(mean, math.inf, 1, of, failed)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    return Estimate(mean, T95[min(n, len(T95)) - 1] * deviation / math.sqrt(n), n, of, failed)


def verdict(difference: Estimate, expected: float) -> str:
    """What PREDICTIONS.md calls a difference whose sign the paper tells; nothing before all seeds are there.

    >>> verdict(Estimate(1.0, 0.5, 3, 3), +2), verdict(Estimate(1.0, 0.5, 3, 3), -1)
    ('holds', 'does not hold')
    >>> verdict(Estimate(1.0, 1.5, 3, 3), +1), verdict(Estimate(1.0, 0.5, 2, 3), +1)
    ('cannot be told with three seeds', '2 of 3 seeds')
    """
    if difference.failed:
        return FAILED
    if difference.count < difference.of:
        return f"{difference.count} of {difference.of} seeds"
    low, high = (difference.low, difference.high) if expected > 0 else (-difference.high, -difference.low)
    if low > 0:
        return HOLDS
    return FAILS if high < 0 else UNSETTLED


def together(outcomes: Sequence[str]) -> str:
    """What becomes of a claim that says several things at once: it holds if all of them do, in part if some do.

    It does not hold if none does and one fails; what is not run yet leaves it open.

    >>> together([HOLDS, HOLDS]), together([HOLDS, FAILS]), together([FAILS, UNSETTLED]), together([HOLDS, UNSETTLED])
    ('holds', 'holds in part', 'does not hold', 'holds in part')
    >>> together([HOLDS, "2 of 3 seeds"])
    '2 of 3 seeds'
    """
    if missing := [outcome for outcome in outcomes if outcome not in (HOLDS, FAILS, UNSETTLED)]:
        return missing[0]
    if HOLDS in outcomes:
        return HOLDS if {*outcomes} == {HOLDS} else PARTLY
    return FAILS if FAILS in outcomes else UNSETTLED


def kendall(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Kendall's tau of two orders of the same things, from -1 to 1; 0 where all are tied.

    Pairs that are tied in either order have none to agree on, and are left out (Goodman and Kruskal's gamma): two rows
    of Table 1 have the same top-1, and the same order is to be a 1.

    >>> kendall([1, 2, 3], [10, 20, 30]), kendall([1, 2, 3], [3, 2, 1]), kendall([1, 2, 3], [1, 2, 2])
    (1.0, -1.0, 1.0)
    """
    pairs = combinations(list(zip(ours, theirs, strict=True)), 2)
    signs = [math.copysign(1, (a - b) * (c - d)) for (a, c), (b, d) in pairs if a != b and c != d]
    return math.fsum(signs) / len(signs) if signs else 0.0
