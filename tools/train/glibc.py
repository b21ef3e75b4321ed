"""glibc's rand(), with which Darknet draws: goldens that hold random numbers can be met without running Darknet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

RAND_MAX = 0x7FFFFFFF
_LAG, _SHORT_LAG = 31, 3
_DISCARDED = 310


def rand(seed: int) -> Iterator[int]:
    """What glibc draws after srand(seed): the additive generator that random(3) describes.

    >>> numbers = rand(1)
    >>> [next(numbers) for _ in range(3)]
    [1804289383, 846930886, 1681692777]
    """
    start = [seed or 1]
    while len(start) < _LAG:
        start.append(16807 * start[-1] % RAND_MAX)
    last = deque([*start, *start[:_SHORT_LAG]], maxlen=_LAG)
    drawn = 0
    while True:
        last.append((last[0] + last[-_SHORT_LAG]) & 0xFFFFFFFF)
        drawn += 1
        if drawn > _DISCARDED:
            yield last[-1] >> 1
