"""A network while a video is decoded, drawn and encoded beside it: one frame on all cores, or a frame on each.

Decision: a runtime's threads wait until the last of them has done its part of a layer, so where decoding or encoding
has the core of one, all wait for that. Frames that are computed on one core each wait for nobody, and together take no
longer; but they take more memory, and each is there later. So a quick network computes the first frames in turn both
ways, and goes on with the quicker.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from ..vision.video.ahead import step_back

if TYPE_CHECKING:
    from ..backends.session import Session

A = TypeVar("A")
B = TypeVar("B")

SETTLE = 32  # runs until the frames that may wait for the next step do, so that the slowest step sets the pace
WINDOW = 24  # runs of one turn
FIRST = 8  # runs of a turn that do not count: what the other one left is still on its way
TURNS = 6  # every other one with a frame on each core; the quickest of each counts, as the others were disturbed
LEAD = 1.1  # so much quicker all cores at one frame have to be: a busy machine disturbs those who wait for one another
SLOW = 0.1  # seconds a run: such a network has nothing to gain from what is beside it


class Sharing:
    """What computes the next run of a network, and how many may be under way at a time.

    `session` has a thread for each of the `cores`; `open_single` opens one that computes in the thread that calls it,
    when its first turn comes. Without that there is no choice. `clock` is in seconds. For one thread at a time.
    """

    def __init__(
        self,
        session: Session,
        cores: int,
        open_single: Callable[[], Session] | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.cores = cores
        self._sessions = [session]
        self._open_single, self._clock = open_single, clock
        self._runs = 0
        self._since = 0.0
        self._quickest = [float("inf")] * 2
        self._chosen = None if open_single else 0

    def next(self) -> tuple[Session, int]:
        """The session for the next run, and how many runs may be under way with it: 1, or one for each core."""
        number = self._number() if self._chosen is None else self._chosen
        if number == len(self._sessions):
            assert self._open_single, "without it there are no turns"
            self._sessions.append(self._open_single())
        return self._sessions[number], self.cores if number else 1

    def _number(self) -> int:
        now = self._clock()
        run, self._runs = self._runs, self._runs + 1
        if run == 0:
            self._since = now
        if run < SETTLE:
            return 0
        turn, place = divmod(run - SETTLE, WINDOW)
        if place == 0:
            if turn:
                last = (turn - 1) % 2
                self._quickest[last] = min(self._quickest[last], now - self._since)
            elif now - self._since > SLOW * SETTLE:
                return self._choose(0)
            if turn == TURNS:
                return self._choose(int(self._quickest[1] < LEAD * self._quickest[0]))
        if place == FIRST:
            self._since = now
        return turn % 2

    def _choose(self, number: int) -> int:
        self._chosen = number
        del self._sessions[number + 1 :]
        return number


def computed(items: Iterable[A], run: Callable[[A, Session], B], sharing: Sharing) -> Iterator[B]:
    """`run` of each item, in order, in this thread or several at a time, as `sharing` has it."""
    begun: deque[Future[B]] = deque()
    with ThreadPoolExecutor(sharing.cores, "darknet-py-frame", initializer=step_back) as pool:
        try:
            for item in items:
                session, count = sharing.next()
                while begun and len(begun) > (count if count > 1 else 0):  # one waits, so that no core does
                    yield begun.popleft().result()
                if count == 1:
                    yield run(item, session)
                else:
                    begun.append(pool.submit(run, item, session))
            while begun:
                yield begun.popleft().result()
        finally:
            for future in begun:
                future.cancel()
