"""Work that one thread hands over to the next: a line of a few items, and an iterator that is read ahead through one.

Decision: to wake a thread takes longer than many an item does, so neither side is woken for each: who found the line
full sleeps until half of it is free, and who found it empty until half of it is filled or `LINGER` seconds are over.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from threading import Condition, Lock, Thread, get_native_id
from typing import TypeVar

from .ending import start_thread

T = TypeVar("T")

LINGER = 0.005  # seconds that an item may lie while the one who wants it waits for more
BACK = 5  # more of what `nice` counts than the process has
LOOK = 0.5  # seconds after which a thread that waits looks again, as Ctrl-C needs it on Windows


class Belt(Iterator[T]):
    """Items in order from one thread that puts to one that iterates, at most `count` of them at a time."""

    def __init__(self, count: int) -> None:
        self._items: deque[T] = deque()
        self._count, self._half = count, max(1, count // 2)
        lock = Lock()
        self._filled, self._emptied = Condition(lock), Condition(lock)
        self._enough = 0  # items for which the one who takes is to be woken; 0: nobody waits
        self._is_full = self._ended = self._closed = False
        self._error: Exception | None = None

    def put(self, item: T) -> bool:
        """Add an item, when there is room; False if nobody wants more."""
        with self._filled:
            if len(self._items) >= self._count and not self._closed:
                self._is_full = True
                _wait(self._emptied, lambda: not self._is_full or self._closed)
            if self._closed:
                return False
            self._items.append(item)
            if self._enough and len(self._items) >= self._enough:
                self._filled.notify()
            return True

    def end(self, error: Exception | None = None) -> None:
        """Say that there are no more items, or why: that is raised where the next would have been."""
        with self._filled:
            self._ended, self._error = True, error
            self._filled.notify()

    def __next__(self) -> T:
        with self._filled:
            if not self._items:
                self._await()
            if self._closed:
                raise StopIteration
            if self._items:
                item = self._items.popleft()
                if self._is_full and len(self._items) <= self._count - self._half:
                    self._is_full = False
                    self._emptied.notify()
                return item
            error, self._error = self._error, None
        raise error or StopIteration

    def close(self) -> None:
        """Want no more; what waits is dropped, and nobody waits any longer."""
        with self._filled:
            self._closed = True
            self._items.clear()
            self._filled.notify()
            self._emptied.notify()

    def _await(self) -> None:
        """Sleep until several items are there, or one if that takes longer."""
        self._enough = self._half
        self._filled.wait_for(self._is_ready, LINGER)
        self._enough = 1
        _wait(self._filled, self._is_ready)
        self._enough = 0

    def _is_ready(self) -> bool:
        return len(self._items) >= self._enough or self._ended or self._closed


def step_back() -> None:
    """Let the other threads of the process have the cores first: for one that is early, never for the main one.

    Only Linux has priorities of threads; elsewhere nothing happens.
    """
    if sys.platform == "linux" and (thread := get_native_id()) != os.getpid():
        with suppress(OSError):  # a sandbox may forbid even that
            os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, os.getpid()) + BACK)


def _wait(condition: Condition, is_over: Callable[[], bool]) -> None:
    while not condition.wait_for(is_over, LOOK):
        pass


class Ahead(Iterator[T]):
    """The same items, each computed by a thread before it is wanted, at most `count` of them; an error comes in order.

    The thread begins with the first item that is asked for. `close` may be called from any thread.

    >>> list(Ahead(iter("abc"), 2))
    ['a', 'b', 'c']
    """

    def __init__(self, items: Iterator[T], count: int) -> None:
        self._line: Belt[T] = Belt(count)
        self._fill: Callable[[], None] | None = partial(_fill, self._line, items)
        self._thread: Thread | None = None

    def __next__(self) -> T:
        if self._fill:
            self._thread, self._fill = start_thread(self._fill, "darknet-py-ahead", self._line.close), None
        return next(self._line)

    def close(self) -> None:
        """Want no more."""
        self._line.close()

    def join(self) -> None:
        """Wait until the thread has ended."""
        if self._thread:
            self._thread.join()

    def __del__(self) -> None:
        self.close()


def _fill(line: Belt[T], items: Iterator[T]) -> None:
    end: Exception | None = None
    try:
        for item in items:
            if not line.put(item):
                break
            del item  # it is another's now, and may be large
    except Exception as e:  # whatever it is, it is raised where its item would have been
        end = e
    finally:
        with suppress(AttributeError):
            items.close()  # type: ignore[attr-defined]  # of generators
    line.end(end)
