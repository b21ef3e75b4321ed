"""The engine of one machine: so many processes, each computing the next shard that nobody has."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from queue import SimpleQueue

from .shards import Shard
from .work import BatchWork, Done
from .worker import Worker


def compute_here(work: BatchWork, processes: int, threads: int) -> Generator[Done]:
    """What came of each shard, as they are done; the listing is read only as far as there are processes to work on it.

    When the generator ends, so do the processes.
    """
    workers = [Worker(work.job, work.out, threads) for _ in range(processes)]
    idle: SimpleQueue[Worker] = SimpleQueue()
    for worker in workers:
        idle.put(worker)

    def compute(shard: Shard) -> Done:
        worker = idle.get()
        try:
            return worker.compute(shard)
        finally:
            idle.put(worker)

    place = work.place()
    pool = ThreadPoolExecutor(processes)
    begun: set[Future[Done]] = set()
    try:
        for number, shard in enumerate(work.shards()):
            if settled := work.settled(number, shard, place):
                yield settled
                continue
            begun.add(pool.submit(compute, shard))
            while len(begun) > processes:
                done, begun = wait(begun, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        while begun:
            done, begun = wait(begun, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    finally:
        for future in begun:
            future.cancel()
        for worker in workers:
            worker.stop()
        pool.shutdown()
        for worker in workers:
            worker.close()
