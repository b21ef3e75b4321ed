"""An input made smaller, as long as it fails in the same way: lines are dropped, many at once, then one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

MOST_TRIALS = 400


def reduce_lines(lines: Sequence[bytes], fails: Callable[[Sequence[bytes]], bool]) -> list[bytes]:
    """The lines without those that can go, after at most `MOST_TRIALS` calls of `fails`.

    >>> reduce_lines([b"a", b"b", b"c", b"d", b"e"], lambda lines: b"b" in lines and b"e" in lines)
    [b'b', b'e']
    """
    left, trials = list(lines), 0
    size = max(1, len(left) // 2)
    while True:
        at, dropped = 0, False
        while at < len(left) and trials < MOST_TRIALS:
            trials += 1
            shorter = left[:at] + left[at + size :]
            if fails(shorter):
                left, dropped = shorter, True
            else:
                at += size
        if trials >= MOST_TRIALS or (size == 1 and not dropped):
            return left
        size = max(1, size // 2)
