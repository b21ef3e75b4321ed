"""`darknet_py.batch`: a network on any number of pictures, on an engine, from where it was stopped or killed."""

from __future__ import annotations

import operator
import os
import time
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from dataclasses import replace as replace_fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...backends.backend import AUTO, DEFAULT, find_backend
from ...contract.selection import ClassName, Conf
from ...errors import DataError, Say, counted
from ...machine import cores as machine_cores
from ...model.opening import load
from ...vision.headers import pixel_limit
from .addresses import is_address
from .formats import row_format
from .job import JOB, Job, OtherSchema, Record, RowOptions, check_contract, record_of
from .listing import Reach, check_sources
from .manifest import MANIFEST, check_manifest, finish, opened_book, read_record, told_broken
from .output import Output, absolute, output_of
from .rows import check_least
from .shards import Share
from .way import as_asked, find_way, ways_for
from .work import BatchWork, Done

if TYPE_CHECKING:
    from .plan import BatchPlan

ENGINES = ("here", "ray")
SHARD_SIZE = 256
GIVEN_UP = 8  # shards that fail one after another: a disk is full, a store is gone
TOLD = 5  # failures that are told
REMOTE_WORKERS = 16  # threads that wait for a store, in each process


@dataclass(frozen=True)
class BatchSummary:
    """What a call of `batch` came to, in shards and pictures; `missing` shards are other jobs', or failed.

    `errors` are pictures of the shards computed now that could not be read, `failures` say why shards failed (the
    first ones), and `complete` is whether the manifest is there.
    """

    out: str
    computed: int = 0
    kept: int = 0
    missing: int = 0
    pictures: int = 0
    errors: int = 0
    seconds: float = 0.0
    failures: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every shard is there."""
        return not self.missing

    def __str__(self) -> str:
        rate = self.pictures / self.seconds if self.seconds else 0.0
        pictures = counted(self.pictures, "picture")
        text = f"{pictures} in {self.seconds:.1f} s ({rate:.1f}/s), {told_broken(self.errors)}"
        kept = f"; {counted(self.kept, 'shard')} done before" if self.kept else ""
        if self.complete:
            return f"{text}{kept}: {self.out}/{MANIFEST}"
        return f"{text}{kept}; still to be done: {counted(self.missing, 'shard')}"


def batch(
    cfg: str | Path,
    sources: str | Path | Iterable[str | Path],
    out: str | Path,
    weights: str | Path | None = None,
    *,
    backend: str = DEFAULT,
    conf: Conf | None = None,
    iou: float | None = None,
    classes: Iterable[ClassName] | None = None,
    max_det: int | None = None,
    agnostic: bool = False,
    max_pixels: int | None = None,
    batch: int | None = None,
    column: str | None = None,
    format: str = "jsonl",  # noqa: A002 - its name
    shard_size: int = SHARD_SIZE,
    share: str = "0/1",
    engine: str = "here",
    processes: int | None = None,
    threads: int | None = None,
    workers: int | None = None,
    address: str | None = None,
    resume: bool = True,
    replace: bool = False,
    progress: Callable[[int], None] | None = None,
    say: Say | None = None,
    **network: Any,
) -> BatchSummary:
    """Run a network on all pictures of the sources; a row for each goes into the folder or address `out`.

    `sources` are folders (with those in them), patterns, lists, tar files, Parquet files with a `column` of bytes, and
    addresses that fsspec knows (`s3://…`). `shard_size` pictures make one file of results, in the `format` 'jsonl' or
    'parquet'; a shard whose file is there is not computed again, so the same call goes on where it was stopped or
    killed. `resume=False` begins anew. `share` 'I/N' computes only every N-th shard, for several machines that share
    `out`. `engine` is 'here' (so many `processes`, each with `threads` for the network) or 'ray' (actors, on the
    cluster at `address`). How many of these, and how many pictures are computed at a time (`batch`), is measured once
    for a network and a machine where 'here' has a thousand pictures to compute and they are not given; rows do not
    depend on it. Else there is a process for each core, with one thread, and pictures are computed one by one.
    `network` are arguments of `load`, the others those of a model; `progress` is told the number of pictures done.
    Raises `DarknetError`, also where `out` holds results of another network or other options.
    """
    given = _paths(sources)
    if not os.fspath(out):
        raise DataError("out is empty: say where the results go")
    if engine not in ENGINES:
        raise DataError(f"no engine {engine!r}: engines are {', '.join(ENGINES)}")
    check_least(1, shard_size=shard_size, processes=processes)
    if address is not None and engine != "ray":
        raise DataError(f"address {address} is that of a Ray cluster: engine 'ray' goes there (--engine ray)")
    mine = Share.of(share)
    if not replace:
        check_manifest(output_of(str(out)))
    job = job_of(
        cfg, given, weights, backend=backend, conf=conf, iou=iou, classes=classes, max_det=max_det, agnostic=agnostic,
        max_pixels=max_pixels, column=column, format=format, batch=batch, threads=threads, workers=workers,
        **network,
    )  # fmt: skip
    check_sources(given, Reach(column, str(out)))
    job, record, is_any_batch = _checked(job, given, shard_size, say)
    work = BatchWork(replace_fields(job, expected=record.network), record, absolute(str(out)), mine)
    place = work.place()
    _begin(place, record, str(out), resume=resume, replace=replace)
    ways = ways_for(job, processes, threads, batch, is_any_batch)
    way = find_way(work, ways, workers, say) if engine == "here" else ways[0]  # actors are on other machines
    done = _computed(replace_fields(work, job=as_asked(work.job, way, workers)), engine, way.runs, way.threads, address)
    return _followed(done, place, record, str(out), progress, replace=replace)


def batch_plan(
    cfg: str | Path,
    sources: str | Path | Iterable[str | Path],
    weights: str | Path | None = None,
    *,
    pictures: int | None = None,
    cores: int | None = None,
    **options: Any,
) -> BatchPlan:
    """What `batch` would take for `pictures` (default: those of the sources) on so many `cores` (default: ours).

    64 pictures are measured stage by stage; nothing is written. `options` are those of `batch` that decide the rows and
    how they are computed. Raises `DarknetError`.
    """
    from .plan import plan_batch

    given = _paths(sources)
    check_least(1, pictures=pictures, cores=cores)
    check_sources(given, Reach(options.get("column")))
    job = job_of(cfg, given, weights, **options)
    check_contract(job.load().contract)  # which also fills the start cache: processes find it full
    return plan_batch(job, given, pictures, cores or machine_cores())


def job_of(
    cfg: str | Path, sources: list[str], weights: str | Path | None, *, backend: str = DEFAULT,
    conf: Conf | None = None, iou: float | None = None, classes: Iterable[ClassName] | None = None,
    max_det: int | None = None, agnostic: bool = False, max_pixels: int | None = None, batch: int | None = None,
    column: str | None = None, format: str = "jsonl",  # noqa: A002 - its name
    threads: int | None = None, workers: int | None = None, **network: Any,
) -> Job:  # fmt: skip
    """What processes work by, of the arguments of `batch`. Raises `DataError` for what cannot be meant."""
    if backend == AUTO.name:
        raise DataError("batch work needs one back end for all pictures: 'auto' may choose another tomorrow; name one")
    if network.get("precision") == AUTO.name:
        raise DataError("batch work needs one precision for all pictures: 'auto' may choose another tomorrow; name one")
    check_least(1, batch=batch, threads=threads)
    check_least(0, workers=workers)
    row_format(format)
    if isinstance(conf, Mapping):
        conf = {name if name is None else _plain(name): float(least) for name, least in conf.items()}
    options = RowOptions(
        float(conf) if isinstance(conf, int) else conf, None if iou is None else float(iou),
        None if classes is None else tuple(map(_plain, classes)), max_det, agnostic, pixel_limit(max_pixels), column,
    )  # fmt: skip
    ahead = workers if workers is not None else REMOTE_WORKERS if any(map(is_address, sources)) else 0
    opened = {"cfg": cfg, "weights": weights, "backend": backend, **network}
    if find_backend(backend).threads != "none":
        opened["threads"] = threads or 1
    elif threads is not None:
        raise DataError(f"threads: the back end {backend!r} cannot be told how many")
    return Job(opened, options, format, ahead, str(Path.cwd()), batch=batch or 1)


def _plain(name: ClassName) -> ClassName:
    """The number or the name of a class as JSON has it; NumPy's numbers are none."""
    return name if isinstance(name, str) else operator.index(name)


def _paths(sources: str | Path | Iterable[str | Path]) -> list[str]:
    given = [os.fspath(s) for s in ([sources] if isinstance(sources, str | os.PathLike) else sources)]
    if not given:
        raise DataError("no sources: say where the pictures are")
    return given


def _checked(job: Job, sources: list[str], shard_size: int, say: Say | None) -> tuple[Job, Record, bool]:
    """Open the network once, so that what is wrong with it or the options is known before processes are started.

    The last is whether it takes any number of pictures at a time.
    """
    model = load(**job.network, **({"say": say} if say else {"quiet": True}))
    asked = job.options
    told = (*model.contract.diagnostics, *map("warning: {}".format, model.contract.passed_over(asked.conf, asked.iou)))
    job = job.asking(model)
    model(iter(()), **job.options.calling())
    if say:
        for text in told:
            say(text)
    return job, record_of(model, job, sources, shard_size), model.contract.batch is None


def _begin(place: Output, record: Record, out: str, *, resume: bool, replace: bool) -> None:
    """Make a place ready: a record of what is computed there, and nothing of another work."""
    before, is_begun = None, True
    try:
        before = read_record(place, out)
        is_begun = before is not None
    except OtherSchema:
        if resume:
            raise
    if before and resume and (different := "\n  ".join(record.differences(before))):
        raise DataError(
            f"{out} holds the results of another work:\n  {different}\n"
            "  hint: the same command goes on with it; --no-resume removes its results; or write to another folder"
        )
    if before != record or not resume:  # the same work may be gone on with elsewhere: relative paths begin there now
        place.keep(JOB, record.to_bytes(), replace=replace or is_begun)
    if is_begun and not resume:  # last, so that nothing is lost where the record cannot be written
        place.remove(MANIFEST)
        for name in place.parts():
            place.remove(name)


def _computed(work: BatchWork, engine: str, processes: int, threads: int, address: str | None) -> Generator[Done]:
    if engine == "ray":
        from .cluster import compute_on_ray

        return compute_on_ray(work, processes, threads, address)
    from .here import compute_here

    return compute_here(work, processes, threads)


def _followed(
    found: Generator[Done], place: Output, record: Record, out: str, progress: Callable[[int], None] | None, *,
    replace: bool,
) -> BatchSummary:  # fmt: skip
    """Follow the work to its end, and write the manifest if nothing lacks."""
    start = time.perf_counter()
    shards = {"computed": 0, "kept": 0, "left": 0, "failed": 0}
    pictures = errors = row = 0
    failures: list[str] = []
    stale = place.has(MANIFEST)
    with opened_book() as book, closing(found) as steps:
        for done in steps:
            book.add(done)
            shards[done.state] += 1
            if stale and done.state != "kept":
                place.remove(MANIFEST)
                stale = False
            row = row + 1 if done.state == "failed" else 0
            if row == GIVEN_UP:
                raise DataError(
                    f"{row} shards in a row have failed, the last one so: {done.failure}\n"
                    "  hint: what was done is kept; when the reason is gone, the same command goes on"
                )
            if done.state == "computed":
                pictures += done.pictures
                errors += done.errors
            elif done.state == "failed" and len(failures) < TOLD:
                failures.append(done.failure)
            if progress:
                progress(pictures)
        missing = finish(place, record, book, replace=replace)
    seconds = time.perf_counter() - start
    return BatchSummary(out, shards["computed"], shards["kept"], missing, pictures, errors, seconds, tuple(failures))
