"""How many rows are worth computing together: on a graphics card as many as there are, on a processor often only one.

Decision: it is learnt from what batches have taken, not configured. Where a batch of eight takes eight times as long as
one, all of its members wait for the last: of requests at random moments the slowest hundredth then waits 40 % longer
than if each were computed when its turn has come, and nothing is won.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

NEAR = 0.05  # of the least that a row can cost: what a smaller batch may cost more
RECENT = 0.1  # weight of a batch among those before it
LOOK, FEW = 64, 4  # every so many batches, one of another size: of one row, or of a few


@dataclass
class _Mean:
    """A mean of recent values; 0 where there are none."""

    value: float = 0.0

    def add(self, value: float) -> None:
        self.value += (RECENT if self.value else 1.0) * (value - self.value)


@dataclass
class Worth:
    """Learns from batches of at most `size` rows how many are worth it."""

    size: int
    _alone: _Mean = field(default_factory=_Mean)  # seconds of a batch of one row
    _rows: _Mean = field(default_factory=_Mean)  # of the larger ones, and their seconds
    _seconds: _Mean = field(default_factory=_Mean)
    _count: int = 0

    def learn(self, rows: int, seconds: float) -> None:
        """A batch of so many rows has taken so many seconds."""
        if rows == 1:
            self._alone.add(seconds)
        else:
            self._rows.add(rows)
            self._seconds.add(seconds)

    @property
    def rows(self) -> int:
        """The fewest rows of which each costs about as little as it can; all, where that is not known yet.

        >>> worth = Worth(8)
        >>> worth.learn(1, 0.1), worth.rows, worth.learn(4, 0.4), worth.rows
        (None, 8, None, 1)
        """
        alone, rows, seconds = self._alone.value, self._rows.value, self._seconds.value
        if not (alone and rows and seconds > alone):
            return self.size
        each = (seconds - alone) / (rows - 1)
        fixed = max(0.0, alone - each)
        # fixed / n + each <= (1 + NEAR) * (fixed / size + each), for n
        return max(1, math.ceil(fixed / (NEAR * each + (1 + NEAR) * fixed / self.size)))

    def next(self) -> int:
        """The most rows of the next batch; now and then another number, to see whether that is better now."""
        self._count += 1
        if self._count % LOOK == 0:
            return max(self.rows, min(FEW, self.size))
        return 1 if self._count % LOOK == LOOK // 2 else self.rows
