"""Threads at work in OpenCV or FFmpeg, which nobody waits for: they are stopped before the interpreter goes.

Decision: they are daemons, since one may hang in a driver. But a daemon that comes back from C++ while the interpreter
is taken down is ended inside of it, and that aborts the process ("terminate called without an active exception"). So
those that are still there when the program ends are told to stop, and given a moment to.
"""

from __future__ import annotations

import atexit
import time
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from weakref import WeakKeyDictionary

PATIENCE = 3.0  # seconds for all of them: a frame takes less, and what hangs is not waited for

_stops: WeakKeyDictionary[Thread, Callable[[], None]] = WeakKeyDictionary()


def start_thread(target: Callable[[], None], name: str, stop: Callable[[], None]) -> Thread:
    """Start a daemon thread, which is told to `stop` where it is still at work when the program ends."""
    thread = Thread(target=target, daemon=True, name=name)
    _stops[thread] = stop
    thread.start()
    return thread


@atexit.register
def stop_all() -> None:
    """Stop all of them, in the order in which they began, and wait for them up to `PATIENCE`."""
    end = time.monotonic() + PATIENCE
    for thread, stop in [*_stops.items()]:
        if not thread.is_alive():  # after a fork the threads of the parent are not, and their locks may be held
            continue
        with suppress(Exception):  # nobody is there to be told
            stop()
        thread.join(max(0.0, end - time.monotonic()))
