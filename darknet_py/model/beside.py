"""How many threads compute a network while a video is decoded, drawn and encoded beside it: found out on its frames.

Decision: a runtime's threads spin until the last of them has done its part of a layer, so where decoding or encoding
has the core of one, all wait for that. One thread fewer leaves it a core. Which is quicker depends on the network, the
frames and what is written, so a quick network computes the first frames in turn with both.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ..vision.video.ahead import step_back

if TYPE_CHECKING:
    from ..backends.session import Session

SETTLE = 32  # runs until the frames that may wait for the next step do, so that the slowest step sets the pace
WINDOW = 32  # runs of one turn
FIRST = 8  # runs of a turn that do not count: what the other one left is still on its way
TURNS = 4  # every other one with fewer threads
SLOW = 0.1  # seconds a run: such a network needs its threads more than whatever is beside it


class Sharing:
    """The session for each run of a network: after the first frames the one that leaves more for the rest.

    `open_fewer` opens one with fewer than the `threads` that `session` has, when its first turn comes; without it there
    is no choice. `clock` is in seconds. For one thread at a time; it lets others go first where the network is all that
    it computes, as a step that is too early only fills the line of the next one.
    """

    def __init__(
        self,
        session: Session,
        threads: int,
        open_fewer: Callable[[], Session] | None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._sessions = [session]
        self._threads, self._open_fewer, self._clock = threads, open_fewer, clock
        self._runs = 0
        self._since = 0.0
        self._spent = [0.0, 0.0]
        self._chosen = None if open_fewer else session

    def session(self) -> Session:
        """What computes the next run."""
        if self._chosen is None:
            return self._next()
        if self._threads == 1:
            step_back()
        return self._chosen

    def _next(self) -> Session:
        now = self._clock()
        run, self._runs = self._runs, self._runs + 1
        if run == 0:
            self._since = now
        if run < SETTLE:
            return self._sessions[0]
        if run == SETTLE and now - self._since > SLOW * SETTLE:
            return self._choose(0)
        turn, place = divmod(run - SETTLE, WINDOW)
        if turn and not place:
            self._spent[(turn - 1) % 2] += now - self._since
        if turn == TURNS:
            return self._choose(int(self._spent[1] < self._spent[0]))
        if place == FIRST:
            self._since = now
        return self._of(turn % 2)

    def _of(self, number: int) -> Session:
        if number == len(self._sessions):
            assert self._open_fewer, "without it there are no turns"
            self._sessions.append(self._open_fewer())
        return self._sessions[number]

    def _choose(self, number: int) -> Session:
        self._chosen = self._sessions[number]
        self._threads -= number
        self._sessions.clear()
        return self._chosen
