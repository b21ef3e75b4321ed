"""The engine of a cluster: Ray Data, whose actors hold the network, and of which there are more where more are free.

Decision: what flows through Ray are shards, never pictures. One task walks the sources and streams them; each actor is
a `Worker`, so a process that a picture kills is no actor that Ray gives up; each writes its results itself; and what
comes back to the driver are names. Ray moves no pixel and keeps nothing that is not on the disk.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any

from ...errors import BackendError, DarknetError, first_line
from ...version import requirement
from .listing import Item
from .shards import Shard
from .work import BatchWork, Done
from .worker import Worker

LISTER = 0.1  # of a processor, for the task that walks the sources
# Nothing is reported to Ray's makers; and actors here compute with the priority of their driver, not 15 steps below it.
ENVIRONMENT = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_worker_niceness": "0"}
# A shard is a block: else Ray collects megabytes of them for one actor.
SETTINGS = {"enable_progress_bars": False, "print_on_execution_start": False, "target_max_block_size": 1}
SPARE = 2  # processors of a cluster on this machine for Ray's own tasks, which count as work to it


class Actor:
    """A worker, as Ray Data calls it: a row with a shard in, a row with what came of it out."""

    def __init__(self, work: BatchWork, threads: int) -> None:
        self._worker = Worker(work.job, work.out, threads)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        """Compute the shard of a row; one that is settled passes."""
        if row["settled"]:
            return {"done": row["settled"]}
        items = tuple(Item(*item) for item in json.loads(row["items"]))
        return {"done": json.dumps(self._worker.compute(Shard(row["name"], items)))}


def compute_on_ray(work: BatchWork, processes: int, threads: int, address: str | None) -> Generator[Done]:
    """What came of each shard, as they are done. At most `processes` actors, fewer where fewer are free.

    `address` is the cluster; None: that of RAY_ADDRESS, or one of this machine, which ends with the work. Raises
    `BackendError` where Ray is missing or breaks down: what was written stays, and the same call goes on.
    """
    ray = _need_ray()
    ours = not ray.is_initialized()
    try:
        if ours:
            _start(ray, processes, address)
        yield from _flow(ray, work, processes, threads)
    except ray.exceptions.RayError as e:
        if isinstance(cause := getattr(e, "cause", None), DarknetError):
            raise cause from None  # of the task that lists
        raise BackendError(
            f"Ray stopped: {first_line(e)}\n  hint: what was done is kept; the same command goes on"
        ) from e
    finally:
        if ours:
            ray.shutdown()


def _need_ray() -> Any:
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    try:
        import ray
        import ray.data
    except ModuleNotFoundError:
        raise BackendError(f"the engine 'ray' needs Ray Data: pip install {requirement('ray')}") from None
    return ray


def _start(ray: Any, processes: int, address: str | None) -> None:
    given = address or os.environ.get("RAY_ADDRESS")
    where: dict[str, Any] = {"address": given} if given else {"num_cpus": processes + SPARE, "include_dashboard": False}
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        ray.init(**where, log_to_driver=False, logging_level="error")
    except Exception as e:  # of many kinds, most of them plain: no such address, a machine that is too slow
        raise BackendError(f"Ray does not start{f' at {given}' if given else ''}: {first_line(e)}") from e


def _flow(ray: Any, work: BatchWork, processes: int, threads: int) -> Iterator[Done]:
    compute = ray.data.ActorPoolStrategy(
        min_size=1, max_size=processes, initial_size=processes, max_tasks_in_flight_per_actor=2
    )
    with _set(ray.data.DataContext.get_current(), SETTINGS):  # each data set keeps the settings it was made with
        # As much of a processor as the actors have would let Ray do both in one actor, one shard after the other.
        shards = ray.data.read_datasource(_listing(work), override_num_blocks=1, num_cpus=LISTER)
        done = shards.map(Actor, fn_constructor_args=(work, threads), compute=compute, num_cpus=threads)
    for row in done.iter_rows():
        yield Done(*json.loads(row["done"]))


@contextmanager
def _set(context: Any, values: dict[str, Any]) -> Iterator[None]:
    """A block in which Ray has these settings; whoever called may use Ray otherwise."""
    before = {name: getattr(context, name) for name in values}
    try:
        for name, value in values.items():
            setattr(context, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(context, name, value)


def _listing(work: BatchWork) -> Any:
    """The shards as a source of Ray Data's: one task, which is read as fast as the actors work."""
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

    class Listing(Datasource):  # type: ignore[misc]  # Ray is not looked into
        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[Any]:
            metadata = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
            return [ReadTask(lambda: _blocks(work), metadata)]

    return Listing()


def _blocks(work: BatchWork) -> Iterator[Any]:
    """A table of one row for each shard."""
    import pyarrow as pa

    os.chdir(work.job.folder)
    place = work.place()
    for number, shard in enumerate(work.shards()):
        settled = work.settled(number, shard, place)
        row = {
            "name": shard.name, "items": "" if settled else json.dumps(shard.items),
            "settled": json.dumps(settled) if settled else "",
        }  # fmt: skip
        yield pa.Table.from_pylist([row])
