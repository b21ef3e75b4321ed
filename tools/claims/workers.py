"""Work given to processes: a few at a time, in order, and once more what a process did not bring to its end."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from subprocess import Popen
from threading import Thread

Try = tuple[str, int]  # a work, and the number of its start
STARTS = 2  # of a work: a process that the system killed, or that met a trouble that passes, gets another try
EACH = 0.2  # seconds between looks


def work_off(
    start: Callable[[str], Popen[bytes]], works: Sequence[str], jobs: int, *,
    done: Callable[[], None] = lambda: None, until: float | None = None, needs: Mapping[str, str] | None = None,
) -> list[str]:  # fmt: skip
    """Start a process for each work, `jobs` side by side; those of the works that were tried and came to nothing.

    A work that `needs` another of them is begun when that has ended, and others are before it meanwhile. `done` is
    called after each that went well. No other is begun after `until`, a time of `time.monotonic()`. However this ends,
    by Ctrl-C too, no process is left.
    """
    waiting = [(work, 1) for work in works]
    running: dict[Popen[bytes], Try] = {}
    left = []
    try:
        while waiting or running:
            if until is not None and time.monotonic() > until:
                waiting.clear()
            while len(running) < jobs and (ready := _first_ready(waiting, running.values(), needs or {})):
                waiting.remove(ready)
                running[start(ready[0])] = ready
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


@cache
def lifeline() -> int:
    """The end to read of a pipe into which nothing is written, and which this process alone holds open: for stdin."""
    reading, _ = os.pipe()
    return reading


def end_with_starter() -> None:
    """Let this process, whose stdin is a `lifeline`, end when who started it does, be it killed."""

    def wait() -> None:
        os.read(0, 1)  # not `sys.stdin`, whose lock a process that ends would miss
        os.kill(os.getpid(), signal.SIGTERM)

    Thread(target=wait, daemon=True).start()


def _first_ready(waiting: list[Try], running: Iterable[Try], needs: Mapping[str, str]) -> Try | None:
    """The first that needs none that is still to be done.

    >>> _first_ready([("b", 1), ("c", 1)], [("a", 2)], {"b": "a"})
    ('c', 1)
    """
    to_do = {work for work, _ in (*waiting, *running)}
    return next((each for each in waiting if needs.get(each[0]) not in to_do), None)
