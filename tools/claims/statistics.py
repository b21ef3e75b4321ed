"""Means of few seeds with intervals, differences seed by seed, and whether two orders agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

# Student's t for a two-sided interval of 95 %, by degrees of freedom (any table of it).
T95 = (math.inf, 12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)

HOLDS, FAILS, UNSETTLED = "holds", "does not hold", "cannot be told with three seeds"


@dataclass(frozen=True)
class Estimate:
    """A mean, and half of its 95 % interval; infinite for one number, which has no spread."""

    mean: float
    half: float
    count: int

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half

    def text(self, digits: int = 1, factor: float = 1.0) -> str:
        """`70.3 ± 1.2`, or what one number is.

        >>> Estimate(0.703, 0.012, 3).text(1, 100), Estimate(0.5, math.inf, 1).text(2)
        ('70.3 ± 1.2', '0.50 (one seed)')
        """
        mean = f"{self.mean * factor:.{digits}f}"
        return f"{mean} (one seed)" if self.count == 1 else f"{mean} ± {self.half * factor:.{digits}f}"


def estimate(values: Sequence[float]) -> Estimate:
    """The mean of at least one number, and its interval of Student's t; of more than ten a little too wide.

    >>> found = estimate([1.0, 2.0, 3.0])
    >>> found.mean, round(found.half, 3)
    (2.0, 2.484)
    """
    n = len(values)
    mean = math.fsum(values) / n
    if n == 1:
        return Estimate(mean, math.inf, 1)
    deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / (n - 1))
    return Estimate(mean, T95[min(n, len(T95)) - 1] * deviation / math.sqrt(n), n)


def verdict(difference: Estimate, expected: float) -> str:
    """What PREDICTIONS.md calls a difference whose sign the paper tells.

    >>> verdict(Estimate(1.0, 0.5, 3), +2), verdict(Estimate(1.0, 0.5, 3), -1), verdict(Estimate(1.0, 1.5, 3), +1)
    ('holds', 'does not hold', 'cannot be told with three seeds')
    """
    low, high = (difference.low, difference.high) if expected > 0 else (-difference.high, -difference.low)
    if low > 0:
        return HOLDS
    return FAILS if high < 0 else UNSETTLED


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
