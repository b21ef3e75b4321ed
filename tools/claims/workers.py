"""Work given to processes: a few at a time, in order, and once more what a process did not bring to its end."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from subprocess import Popen

STARTS = 2  # of a work: a process that the system killed, or that met a trouble that passes, gets another try
EACH = 0.2  # seconds between looks


def work_off(
    start: Callable[[str], Popen[bytes]], works: Sequence[str], jobs: int, *,
    done: Callable[[], None] = lambda: None, until: float | None = None,
) -> list[str]:  # fmt: skip
    """Start a process for each work, `jobs` side by side; those of the works that were tried and came to nothing.

    `done` is called after each that went well. No other is begun after `until`, a time of `time.monotonic()`. However
    this ends, by Ctrl-C too, no process is left.
    """
    waiting = deque((work, 1) for work in works)
    running: dict[Popen[bytes], tuple[str, int]] = {}
    left = []
    try:
        while waiting or running:
            if until is not None and time.monotonic() > until:
                waiting.clear()
            while waiting and len(running) < jobs:
                work, times = waiting.popleft()
                running[start(work)] = work, times
            time.sleep(EACH)
            for process in [process for process in running if process.poll() is not None]:
                work, times = running.pop(process)
                if process.returncode == 0:
                    done()
                elif times < STARTS:
                    waiting.append((work, times + 1))
                else:
                    left.append(work)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
    return left
