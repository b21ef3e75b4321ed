"""The manifest of a work that is whole: which files hold its results, in the order of the pictures.

Decision: it is written when every shard is there, and removed when one is to be computed: where it is, it is true.
Until then the files themselves say what is done. Its lines are sorted in files, so that memory does not grow with them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, chdir, closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from ...errors import DataError, counted
from ...files import kind_of, scratch
from .addresses import is_address
from .formats import RowFormat, row_format
from .job import JOB, SCHEMA, Job, OtherSchema, Record, RowOptions, check_schema
from .listing import sorted_names
from .output import Output, absolute, output_of
from .work import BatchWork, Done

MANIFEST = "manifest.json"


class ShardBook:
    """What came of each shard, on the disk; names begin with positions, so sorted they are in the order of pictures."""

    def __init__(self, file: IO[str]) -> None:
        self._file = file

    def add(self, done: Done) -> None:
        """Enter a shard."""
        self._file.write(f"{json.dumps(done)}\n")

    def sorted(self) -> Iterator[Done]:
        """All of them, in order."""
        self._file.seek(0)
        return (Done(*json.loads(line)) for line in sorted_names(self._file))


@contextmanager
def opened_book() -> Iterator[ShardBook]:
    """A ledger for the time of a work."""
    with scratch() as folder, (folder / "shards").open("w+", encoding="ascii") as file:
        yield ShardBook(file)


def check_manifest(place: Output) -> None:
    """Raise `DataError` where the manifest would replace what is none, and not known to be this package's."""
    if not place.has(MANIFEST):
        place.check(MANIFEST)  # whether there can be one
        return
    try:
        _status_of(place.read(MANIFEST), "")
    except OtherSchema:
        return  # the record, which is of that schema too, says what to do
    except DataError:
        place.check(MANIFEST)


def finish(place: Output, record: Record, shards: ShardBook, *, replace: bool) -> int:
    """Write the manifest, and remove results that are of no shard any more; how many shards lack, if some do."""
    form = row_format(record.format)
    count = pictures = missing = 0
    for done in shards.sorted():
        count += 1
        pictures += done.pictures
        missing += done.state in ("left", "failed") and not place.has(done.name)
    if missing:
        return missing
    errors = 0
    with place.growing(MANIFEST, replace=replace) as file:
        head = {"schema": SCHEMA, "job": asdict(record), "shard_count": count, "pictures": pictures}
        file.write(json.dumps(head, indent=2).encode()[:-2] + b',\n  "shards": [')
        for i, done in enumerate(shards.sorted()):
            here = done.errors if done.errors >= 0 else _errors(place, done, form)
            errors += here
            line = json.dumps({"file": done.name, "pictures": done.pictures, "errors": here})
            file.write(f"{',' if i else ''}\n    {line}".encode())
        file.write(f'\n  ],\n  "errors": {errors}\n}}\n'.encode())
    _remove_others(place, (done.name for done in shards.sorted()))
    return 0


def _errors(place: Output, done: Done, form: RowFormat) -> int:
    """The errors of results that were there before. Raises `DataError` where a row lacks, or is one too many."""
    name = done.name
    try:
        with closing(place.open(name)) as file:
            rows, errors = form.count(file)
        if rows != done.pictures:
            raise ValueError(f"it has {rows:,} rows for {done.pictures:,} pictures")
        return errors
    except (ValueError, KeyError, TypeError) as e:  # pyarrow's errors are ValueErrors; without our metadata: TypeError
        raise DataError(
            f"{name} is no whole file of results, so somebody has changed it: {e}\n"
            "  hint: remove it, and the same command computes it again"
        ) from None


def _remove_others(place: Output, names: Iterable[str]) -> None:
    """Remove the results that have none of the names, which are in order as the results are."""
    known = iter(names)
    name = next(known, "")
    for part in place.parts():
        while name and name < part:
            name = next(known, "")
        if part != name:
            place.remove(part)


def told_broken(errors: int) -> str:
    """How many pictures could not be read, and where it stands which, and why."""
    return f"{errors:,} of them broken{', as `error` of their rows says' if errors else ''}"


@dataclass(frozen=True)
class Status:
    """How far a work is: shards and pictures in all, and those that are done; `errors` are counted at the end."""

    out: str
    shards: int
    pictures: int
    done_shards: int
    done_pictures: int
    errors: int | None = None

    @property
    def complete(self) -> bool:
        """Whether everything is done, and the manifest is there."""
        return self.errors is not None

    def __str__(self) -> str:
        pictures, shards = counted(self.pictures, "picture"), counted(self.shards, "shard")
        share = f"{self.done_pictures:,} of {pictures}, {self.done_shards:,} of {shards}"
        if self.errors is not None:
            return f"{self.out}: complete: {share}, {told_broken(self.errors)}"
        return f"{self.out}: {share}; the same command goes on"


def batch_status(out: str | Path) -> Status:
    """How far the work in a folder is, or at an address: by its manifest, or else by walking its sources again.

    Raises `DataError` where no work was begun.
    """
    where = str(out)
    place = output_of(where)
    if place.has(MANIFEST):
        return _status_of(place.read(MANIFEST), where)
    record = read_record(place, where)
    if record is None:
        raise DataError(f"{where}: no batch work was begun there: there is no {JOB}")
    job = Job({}, RowOptions.from_dict(record.options), record.format, 0, record.folder)
    work = BatchWork(job, record, absolute(where))
    place = work.place()
    counts = [0, 0, 0, 0]
    with _where_it_began(record):
        for shard in work.shards():
            there = place.has(shard.name)
            for i, more in enumerate((1, len(shard.items), there, there * len(shard.items))):
                counts[i] += more
    return Status(where, *counts)


def _status_of(manifest: bytes, where: str) -> Status:
    try:
        said = json.loads(manifest)
        check_schema(said["schema"], f"{where}/{MANIFEST}")
        shards, pictures, errors = (int(said[key]) for key in ("shard_count", "pictures", "errors"))
    except (ValueError, KeyError, TypeError) as e:
        raise DataError(f"{where}/{MANIFEST} is no manifest of batch work: {e}") from None
    return Status(where, shards, pictures, shards, pictures, errors)


def _where_it_began(record: Record) -> AbstractContextManager[None]:
    """The folder where relative sources begin; on another machine it may be missing, and then it must not be needed."""
    if kind_of(record.folder) == "a folder":
        return chdir(record.folder)
    if all(is_address(source) or Path(source).is_absolute() for source in record.sources):
        return nullcontext()
    raise DataError(
        f"{record.folder}, where the work was begun, is not there, and its sources are relative to it\n"
        "  hint: the same command, from where the pictures are now, goes on with it"
    )


def read_record(place: Output, out: str) -> Record | None:
    """What was begun in a place; None if nothing was."""
    return Record.from_bytes(place.read(JOB), f"{out}/{JOB}") if place.has(JOB) else None
