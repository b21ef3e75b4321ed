"""Requests of one model, computed together: what waits is taken in the order it came, a few rows at a time.

Decision: who computes next takes what is there, as far as it is worth it (`worth`). A batch is not held back for others
for longer than its first member may wait (`window`), so that an idle server answers at once and a busy one fills its
batches by itself.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import NamedTuple

import numpy as np

from .limits import Refusal
from .worth import Worth

UNLOADED = "the model is being unloaded"
POLL = 0.01  # seconds between two looks at whether all is answered

Rows = list[np.ndarray]  # arrays that have a row for each picture


class Computed(NamedTuple):
    """What a network says of a batch: of its rows from a first until before a last, and the seconds that it took."""

    part: Callable[[int, int], Rows]
    seconds: float


Compute = Callable[[np.ndarray, Callable[[], bool]], Awaitable[Computed | None]]


@dataclass(eq=False)
class _Waiting:
    rows: np.ndarray
    future: asyncio.Future[Rows]
    since: float = field(default_factory=monotonic)


def _is_wanted(batch: list[_Waiting]) -> bool:
    return any(not item.future.done() for item in batch)


def _fail(batch: Iterable[_Waiting], error: Exception) -> None:
    for item in batch:
        if not item.future.done():
            item.future.set_exception(error)


class Batcher:
    """The queue of a model and the tasks that empty it.

    `compute` takes a batch (n, ...), at most `size` rows, and whether anybody still wants it, asked when its turn has
    come; it gives what the network says, or None where nobody does. `runners` batches are handed to it at a time.
    `observe` is told of each batch its size, and the seconds that its members have waited and that it took.
    """

    def __init__(
        self, compute: Compute, *, size: int, window: float, runners: int, limit: int,
        observe: Callable[[int, float, float], None] = lambda *_: None,
    ) -> None:  # fmt: skip
        self.size, self.limit = size, limit
        self._compute, self._window, self._observe = compute, window, observe
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Condition()
        self._worth = Worth(size)
        self._seconds = 0.1  # that a row takes, about
        self.admitted = 0
        self._is_closing = False
        self._runners = [asyncio.create_task(self._run()) for _ in range(runners)]

    @contextmanager
    def admission(self, rows: int) -> Iterator[None]:
        """A place for some rows, from before they are decoded until they are answered.

        Raises `Refusal`: 503 at once where so many wait already, with how long that will take, and where no more are
        taken.
        """
        if self._is_closing:
            raise Refusal(503, UNLOADED)
        if self.admitted + rows > self.limit:
            wait = max(1, round(self.admitted * self._seconds + 0.5))
            raise Refusal(503, f"the queue is full: {self.admitted} pictures wait", {"Retry-After": str(wait)})
        self.admitted += rows
        try:
            yield
        finally:
            self.admitted -= rows

    async def submit(self, rows: np.ndarray) -> Rows:
        """What the network says of some rows, at most `size`; who stops waiting is not computed for.

        Raises `Refusal` (503) where nobody computes any more.
        """
        if all(task.done() for task in self._runners):
            raise Refusal(503, UNLOADED)
        item = _Waiting(rows, asyncio.get_running_loop().create_future())
        async with self._arrived:
            self._waiting.append(item)
            self._arrived.notify()
        return await item.future  # which is cancelled with who waits for it

    async def close(self, patience: float = 0.0) -> None:
        """Take no more, and end the tasks when all is answered; who still waits after that time is refused."""
        self._is_closing = True
        end = monotonic() + patience
        while self.admitted and monotonic() < end:
            await asyncio.sleep(POLL)
        for task in self._runners:
            task.cancel()
        await asyncio.gather(*self._runners, return_exceptions=True)
        _fail(self._waiting, Refusal(503, UNLOADED))
        self._waiting.clear()

    async def _run(self) -> None:
        while True:
            batch = [item for item in await self._gather() if not item.future.done()]
            if not batch:
                continue
            try:
                rows = np.concatenate([item.rows for item in batch]) if len(batch) > 1 else batch[0].rows
                computed = await self._compute(rows, partial(_is_wanted, batch))
                if computed is None:
                    continue
                first = 0
                for item in batch:
                    last = first + len(item.rows)
                    if not item.future.done():
                        item.future.set_result(computed.part(first, last))
                    first = last
            except Exception as e:
                _fail(batch, e)
                continue
            except asyncio.CancelledError:
                _fail(batch, Refusal(503, UNLOADED))
                raise
            took = computed.seconds
            start = monotonic() - took
            self._worth.learn(first, took)
            self._seconds += 0.1 * (took / first - self._seconds)
            self._observe(first, sum(start - item.since for item in batch), took)

    async def _gather(self) -> list[_Waiting]:
        """The next batch: what waits, and what comes while its first member may wait."""
        async with self._arrived:
            await self._arrived.wait_for(self._has_waiting)
            most = max(self._worth.next(), len(self._waiting[0].rows))
            batch = self._take(most)
            end = batch[0].since + self._window
            while (room := most - sum(len(i.rows) for i in batch)) > 0 and (left := end - monotonic()) > 0:
                try:
                    await asyncio.wait_for(self._arrived.wait_for(self._has_waiting), left)
                except TimeoutError:
                    break
                more = self._take(room)
                if not more:
                    break  # the next is too large for what is left of this batch
                batch += more
        return batch

    def _has_waiting(self) -> bool:
        while self._waiting and self._waiting[0].future.done():  # given up meanwhile
            self._waiting.popleft()
        return bool(self._waiting)

    def _take(self, room: int) -> list[_Waiting]:
        taken = []
        while self._has_waiting() and len(self._waiting[0].rows) <= room:
            taken.append(self._waiting.popleft())
            room -= len(taken[-1].rows)
        return taken
