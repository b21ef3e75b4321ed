"""Reading ahead: an iterator that a thread of its own advances, by a few items."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import TypeVar

T = TypeVar("T")

STEP = 0.1  # seconds after which a thread that waits looks whether it is still wanted


def ahead(items: Iterator[T], count: int) -> Iterator[T]:
    """The same items, each computed by a thread before it is wanted, at most `count` of them; an error comes in order.

    >>> list(ahead(iter("abc"), 2))
    ['a', 'b', 'c']
    """
    queue: Queue[tuple[T, None] | tuple[None, Exception | None]] = Queue(count)
    unwanted = Event()
    Thread(target=_fill, args=(queue, items, unwanted), daemon=True, name="darknet-py-ahead").start()
    try:
        while (got := queue.get())[0] is not None:
            yield got[0]
        if got[1]:
            raise got[1]
    finally:
        unwanted.set()
        with suppress(Empty):
            while True:
                queue.get_nowait()


def _fill(queue: Queue[tuple[T, None] | tuple[None, Exception | None]], items: Iterator[T], unwanted: Event) -> None:
    end: Exception | None = None
    try:
        for item in items:
            if not _put(queue, (item, None), unwanted):
                break
    except Exception as e:  # whatever it is, it is raised where its item would have been
        end = e
    finally:
        close = getattr(items, "close", None)
        if close:
            close()
    _put(queue, (None, end), unwanted)


def _put(queue: Queue[T], item: T, unwanted: Event) -> bool:
    while not unwanted.is_set():
        with suppress(Full):
            queue.put(item, timeout=STEP)
            return True
    return False
