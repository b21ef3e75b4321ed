"""A network while a video is decoded, drawn and encoded beside it: one frame on all cores, or a frame on each.

Decision: a runtime's threads wait until the last of them has done its part of a layer, so where decoding or encoding
has the core of one, all wait for that. Frames that are computed on one core each wait for nobody, and together take no
longer; but they take more memory, and each is there later. So a quick network computes the first frames in turn both
ways, and goes on with the quicker.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from ..machine import cores
from ..vision.video.ahead import step_back
from .at_once import opener_of
from .pipeline import ordered

if TYPE_CHECKING:
    from ..backends.session import Session
    from .model import Model

A = TypeVar("A")
B = TypeVar("B")

SETTLE = 32  # runs until the frames that may wait for the next step do, so that the slowest step sets the pace
WINDOW = 24  # runs of one turn
FIRST = 8  # runs of a turn that do not count: what the other one left is still on its way
TURNS = 6  # every other one with a frame on each core; the quickest of each counts, as the others were disturbed
LEAD = 1.1  # so much quicker all cores at one frame have to be: a busy machine disturbs those who wait for one another
SLOW = 0.1  # seconds a run: such a network has nothing to gain from what is beside it


class Sharing:
    """Which session computes the next run of a network, and how many may be under way at a time.

    `open_single` opens a session that computes a run on each core, when its first turn comes; without that, or where it
    gives None, there is no choice. `clock` is in seconds. Until it `is_settled`, it is for one thread at a
    time.
    """

    def __init__(
        self, open_single: Callable[[], Session | None] | None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._open_single, self._clock = open_single, clock
        self._single: Session | None = None
        self._is_single_quicker = None if open_single else False
        self._runs = 0
        self._since = 0.0
        self._quickest = [float("inf")] * 2

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing more to find out."""
        return self._is_single_quicker is not None

    def next(self) -> tuple[Session | None, int]:
        """For the next run: None, which is the model's own, one at a time; or one for as many as there are cores."""
        if not (self._is_its_turn() if self._is_single_quicker is None else self._is_single_quicker):
            return None, 1
        if self._single is None:
            assert self._open_single, "without it there are no turns"
            self._single = self._open_single()
            if self._single is None:
                self._settle(False)
                return None, 1
        return self._single, cores()

    def _is_its_turn(self) -> bool:
        now = self._clock()
        run, self._runs = self._runs, self._runs + 1
        if run == 0:
            self._since = now
        if run < SETTLE:
            return False
        turn, place = divmod(run - SETTLE, WINDOW)
        if place == 0 and turn == 0 and now - self._since > SLOW * SETTLE:
            return self._settle(False)
        if place == 0 and turn:
            last = (turn - 1) % 2
            self._quickest[last] = min(self._quickest[last], now - self._since)
        if turn == TURNS:
            return self._settle(self._quickest[1] < LEAD * self._quickest[0])
        if place == FIRST:
            self._since = now
        return turn % 2 == 1

    def _settle(self, is_single_quicker: bool) -> bool:
        self._is_single_quicker = is_single_quicker
        if not is_single_quicker:
            self._single = None
        return is_single_quicker


def single_opener(model: Model) -> Callable[[], Session | None] | None:
    """How to open a model's network for a run on each core; None where there is no choice."""
    opener = opener_of(model)
    return partial(opener, cores(), 1) if opener else None


def computed(items: Iterable[A], run: Callable[[A, Session | None], B], sharing: Sharing) -> Iterator[B]:
    """`run` of each item, in order: in this thread one after another, or several at a time, as `sharing` has it."""
    with ThreadPoolExecutor(cores(), "darknet-py-frame", initializer=step_back) as pool:
        for (session, count), some in groupby(items, lambda _: sharing.next()):
            one = partial(_with, run, session)
            together = partial(map, one) if count == 1 else partial(ordered, pool, one, ahead=count + 1)  # one waits
            yield from together(some)


def _with(run: Callable[[A, Session | None], B], session: Session | None, item: A) -> B:
    return run(item, session)
