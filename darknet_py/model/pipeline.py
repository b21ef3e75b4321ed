"""Stages that work at the same time: each on the next item while the one after it has the last, with results in order.

Decision: threads, because all that takes time (decoding pictures, resizing, the network) lets go of the interpreter;
and the generator that the caller reads drives everything, so nothing is read ahead of it by more than a few items, and
an error comes out where its result would have.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future
from typing import TypeVar

from ..vision.video.ahead import Ahead, step_back

A = TypeVar("A")
B = TypeVar("B")
C = TypeVar("C")


def ordered(executor: Executor, function: Callable[[A], B], items: Iterable[A], ahead: int) -> Iterator[B]:
    """`function` of each item, computed in the executor, at most `ahead` of them begun and not yet taken.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> with ThreadPoolExecutor(2) as pool:
    ...     list(ordered(pool, str, range(3), ahead=2))
    ['0', '1', '2']
    """
    begun: deque[Future[B]] = deque()
    failures: list[Exception] = []
    try:
        for item in _until_failure(items, failures):
            begun.append(executor.submit(function, item))
            if len(begun) >= ahead:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
        for failure in failures:
            raise failure
    finally:
        for future in begun:
            future.cancel()


def overlapped(
    items: Iterable[A], first: Callable[[A], B], then: Callable[[Iterator[B]], Iterator[C]], count: int
) -> Iterator[C]:
    """`then` of what `first` makes of the items: a thread reads them and does what is first, another does the rest.

    At most `count` wait for each next step. The first thread lets all others have the cores before it, being ahead of
    them anyway. When the generator ends, `then` is no longer at work.

    >>> list(overlapped(range(3), float, lambda numbers: map(str, numbers), 2))
    ['0.0', '1.0', '2.0']
    """
    begun = Ahead(_stepping_back(map(first, items)), count)
    done = Ahead(then(begun), count)
    try:
        yield from done
    finally:
        begun.close()
        done.close()
        done.join()


def _stepping_back(items: Iterable[A]) -> Iterator[A]:
    step_back()
    yield from items


def _until_failure(items: Iterable[A], failures: list[Exception]) -> Iterator[A]:
    """The items until there are no more, or one cannot be had: that is for later, after what was begun."""
    try:
        yield from items
    except Exception as e:  # whatever it is, it is raised again
        failures.append(e)
