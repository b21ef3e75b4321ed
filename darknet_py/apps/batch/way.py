"""How the processes of a work compute: how many, on how many threads each, and how many pictures at a time.

Decision: what is timed are the processes themselves, on the first pictures of the work, in turns, once for a network
and a machine: one for each core and half as many of two threads, pictures one by one and in fours. Those of one split
end before those of the next begin, as memory is for one of them; a split that dies or fails is left out. Rows do not
depend on the way, so it is no part of a record.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from itertools import chain, groupby, islice, repeat
from pathlib import Path

from ...backends.auto import place_of
from ...errors import DarknetError, Say, to_nobody
from ...machine import cores
from ...model.throughput import BATCHES, LEAD, Measured, Way, quickest, recall_way, remember_way
from .job import Job
from .listing import Item, Reach, list_items
from .work import BatchWork
from .worker import Died, Worker

MANY = 1024  # pictures: for fewer it takes longer to find out than it saves
SAMPLE = 64  # pictures that are computed again and again


def ways_for(
    job: Job, processes: int | None, threads: int | None, batch: int | None, is_any_batch: bool
) -> tuple[Way, ...]:
    """What is tried, the usual first: only what was asked for, where something was."""
    count = cores()
    if job.network.get("device") not in (None, "cpu"):
        splits = [(processes or 1, threads or 1)]
    elif processes or threads or count == 1 or "threads" not in job.network:
        splits = [(processes or max(1, count // (threads or 1)), threads or 1)]
    else:
        splits = [(count, 1), (count // 2, 2)]
    batches = (batch,) if batch else BATCHES if is_any_batch else BATCHES[:1]
    return tuple(Way(*split, size) for split in splits for size in batches)


def find_way(work: BatchWork, tried: tuple[Way, ...], workers: int | None, say: Say | None) -> Way:
    """The quickest of some ways: the only one, the one that is remembered, or the one that is measured now.

    `workers` are the threads that read ahead, if somebody said how many; `say` is told what is measured, and what was
    found. For few pictures it is the first one.
    """
    tell = say or to_nobody
    if len(tried) == 1:
        return tried[0]
    path = _place(work, tried, workers)
    found = recall_way(path, tried) if path else None
    if found is None:
        items = list(islice(list_items(work.record.sources, Reach(work.job.options.column, work.out)), MANY))
        if len(items) < MANY:
            return tried[0]
        tell(f"timing {len(tried)} ways of computing many pictures" + f"; remembered in {path}" * bool(path))
        found = quickest_way(work, tried, workers, items[:SAMPLE])
        if found is None:
            return tried[0]
        if path:
            remember_way(path, found)
    tell(f"processes x threads: {found}")
    return found.way


def quickest_way(
    work: BatchWork, tried: tuple[Way, ...], workers: int | None, items: Sequence[Item]
) -> Measured | None:
    """The quickest of some ways for some pictures; None where none gets through them."""
    measured: list[Measured] = []
    for _, some in groupby(tried, lambda way: way[:2]):
        ways = tuple(some)
        with closing(_Crew(work, as_asked(work.job, ways[0], workers), ways[0], items)) as crew:
            try:
                found = quickest(ways, lambda *_: crew, _Crew.send)
            except (Died, DarknetError):
                continue
        measured += [found[0]] if found else []
    if not measured:
        return None
    best = measured[0]
    for one in measured[1:]:
        if one.rates[str(one.way)] > LEAD * best.rates[str(best.way)]:
            best = one
    return Measured(best.way, dict(chain.from_iterable(one.rates.items() for one in measured)))


def as_asked(job: Job, way: Way, workers: int | None) -> Job:
    """A job in a way; `workers` are the threads that read ahead, if somebody said how many.

    Where several threads are for the network, one reads ahead unasked, or these would wait for it.
    """
    network = {**job.network, "threads": way.threads} if "threads" in job.network else job.network
    ahead = job.workers if workers is not None or way.threads == 1 else max(1, job.workers)
    return replace(job, network=network, batch=way.batch, workers=ahead)


def _place(work: BatchWork, tried: tuple[Way, ...], workers: int | None) -> Path | None:
    """The file for this network on this machine; None if nothing is to be kept."""
    network = work.job.network
    if not network.get("cache", True):
        return None
    return place_of("batch", work.record.network, str(network["backend"]), repr(tried), str(workers))


class _Crew:
    """Processes that compute some pictures again and again, and write nothing."""

    def __init__(self, work: BatchWork, job: Job, way: Way, items: Sequence[Item]) -> None:
        self._workers = [Worker(job, work.out, way.threads) for _ in range(way.runs)]
        self._items = items

    @staticmethod
    def send(way: Way, crew: _Crew, count: int) -> None:
        """Compute so many pictures. Raises `Died` or `DarknetError` where that fails."""
        parts = [crew._first(len(range(i, count, way.runs))) for i in range(way.runs)]
        with ThreadPoolExecutor(way.runs) as pool:
            list(pool.map(lambda worker, part: worker.try_items(part, way.batch), crew._workers, parts))

    def _first(self, count: int) -> list[Item]:
        return list(islice(chain.from_iterable(repeat(self._items)), count))

    def close(self) -> None:
        """End the processes."""
        for worker in self._workers:
            worker.stop()
            worker.close()
