"""Items from thread to thread: all of them, in order, no more ahead than agreed, and nobody waits who is not wanted."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from itertools import count

import pytest

from darknet_py.vision.video.ahead import Ahead, Belt


def ended(thread: threading.Thread) -> bool:
    thread.join(10)
    return not thread.is_alive()


@pytest.mark.parametrize("room", [1, 2, 3, 8])
@pytest.mark.parametrize("slow", ["neither", "giver", "taker"])
def test_all_items_come_in_order(room: int, slow: str) -> None:
    def items() -> Iterator[int]:
        for i in range(60):
            time.sleep(0.001 if slow == "giver" else 0)
            yield i

    found = []
    for item in Ahead(items(), room):
        time.sleep(0.001 if slow == "taker" else 0)
        found.append(item)
    assert found == list(range(60))


def test_no_more_is_computed_than_there_is_room_for() -> None:
    computed: list[int] = []
    ahead = Ahead(map(computed.append, count()), 4)  # type: ignore[func-returns-value]
    assert computed == []
    next(ahead)
    time.sleep(0.05)
    assert len(computed) <= 1 + 4 + 1  # taken, waiting, in hand
    ahead.close()
    ahead.join()


def test_a_slow_item_does_not_wait_for_the_next() -> None:
    more = threading.Event()

    def items() -> Iterator[int]:
        yield 0
        more.wait(10)
        yield 1

    ahead = Ahead(items(), 8)
    assert next(ahead) == 0
    more.set()
    assert list(ahead) == [1]


def test_an_error_comes_where_its_item_was() -> None:
    ahead = Ahead((1 // (3 - i) for i in range(9)), 8)
    assert [next(ahead), next(ahead), next(ahead)] == [0, 0, 1]
    with pytest.raises(ZeroDivisionError):
        next(ahead)
    assert list(ahead) == []


def test_who_waits_for_room_or_for_an_item_is_let_go_when_the_line_is_closed() -> None:
    full: Belt[int] = Belt(1)
    assert full.put(0)
    refused: list[bool] = []
    giver = threading.Thread(target=lambda: refused.append(not full.put(1)))
    empty: Belt[int] = Belt(1)
    left: list[list[int]] = []
    taker = threading.Thread(target=lambda: left.append(list(empty)))
    giver.start(), taker.start()
    time.sleep(0.05)
    full.close(), empty.close()
    assert ended(giver)
    assert ended(taker)
    assert refused == [True]
    assert left == [[]]


def test_what_was_given_before_the_end_is_taken() -> None:
    line: Belt[int] = Belt(4)
    line.put(1), line.put(2)
    line.end()
    assert list(line) == [1, 2]


def test_items_that_are_left_are_closed() -> None:
    closed = threading.Event()

    def items() -> Iterator[int]:
        try:
            yield from count()
        finally:
            closed.set()

    ahead = Ahead(items(), 2)
    next(ahead)
    del ahead
    assert closed.wait(10)
