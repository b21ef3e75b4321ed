"""Where results lie: a folder, or an address of a store that fsspec writes to.

Decision: a result is there whole or not at all: a file is written beside and renamed, an object of a store appears when
all of it was sent. What is removed is named as only results are (`PART`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from ...errors import DataError
from ...files import check_output, is_file, kind_of, reading, replacing, scratch, write_once, write_whole
from .addresses import is_address, open_address, opened, tried
from .job import PART
from .listing import sorted_names

MOST = 1 << 31  # bytes of a result


class Output(Protocol):
    """What both kinds of places can do."""

    def has(self, name: str) -> bool:
        """Whether a file is there."""

    def read(self, name: str) -> bytes:
        """A file. Raises `DataError`."""

    def open(self, name: str) -> BinaryIO:
        """A file, to be read in part. Raises `DataError`."""

    def write(self, name: str, data: bytes) -> None:
        """Write a result, whose name is a hash of what it is of."""

    def keep(self, name: str, data: bytes, *, replace: bool = False) -> None:
        """Write a file about the results. Raises `DataError` where that would replace a user's."""

    def growing(self, name: str, *, replace: bool = False) -> AbstractContextManager[BinaryIO]:
        """A file about the results that is written piece by piece, and is there when the block ends."""

    def parts(self) -> Iterator[str]:
        """The names of all results, in order."""

    def check(self, name: str) -> None:
        """Raise `DataError` where a file about the results would replace a user's."""

    def remove(self, name: str) -> None:
        """Remove a result, or a file about them that was checked, if it is there."""


def output_of(out: str) -> Output:
    """The place that a folder or an address is. Raises `DataError` for a file."""
    if is_address(out):
        return OutputBucket(out.rstrip("/"))
    if kind_of(out) not in ("a folder", "nothing"):
        raise DataError(f"cannot write results into {out}: it is {kind_of(out)}, not a folder")
    return OutputFolder(Path(out))


def absolute(out: str) -> str:
    """A place by a name that holds wherever one is."""
    return out if is_address(out) else str(Path(out).absolute())


class OutputFolder:
    """A folder of this machine, or one that several share."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def has(self, name: str) -> bool:
        """Whether a file is there."""
        return is_file(self._path / name)

    def read(self, name: str) -> bytes:
        """A file, which may be written anew in this run: it is this program's. Raises `DataError`."""
        path = self._path / name
        with reading(path, note=False) as file:
            data = file.read(MOST + 1)
        if len(data) > MOST:
            raise DataError(f"{path}: more than {MOST:,} bytes are no result")
        return data

    def open(self, name: str) -> BinaryIO:
        """A file, to be read in part. Raises `DataError`."""
        return reading(self._path / name, note=False)

    def write(self, name: str, data: bytes) -> None:
        """Write a result."""
        write_once(self._path / name, data)

    def keep(self, name: str, data: bytes, *, replace: bool = False) -> None:
        """Write a file about the results."""
        write_whole(self._path / name, data, replace=replace)

    def growing(self, name: str, *, replace: bool = False) -> AbstractContextManager[BinaryIO]:
        """A file about the results, written piece by piece."""
        return replacing(self._path / name, replace=replace)

    def parts(self) -> Iterator[str]:
        """The names of all results, in order."""
        with suppress(FileNotFoundError), os.scandir(self._path) as entries:
            yield from sorted_names(entry.name for entry in entries if PART.fullmatch(entry.name))

    def check(self, name: str) -> None:
        """Raise `DataError` where a file would be replaced that is not ours."""
        check_output(self._path / name)

    def remove(self, name: str) -> None:
        """Remove a file of ours."""
        (self._path / name).unlink(missing_ok=True)


class OutputBucket:
    """A folder in a store."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._store, self._path = opened(address)

    def _at(self, name: str) -> str:
        return f"{self._path}/{name}"

    def has(self, name: str) -> bool:
        """Whether an object is there."""
        return bool(tried(self._address, lambda: self._store.exists(self._at(name))))

    def read(self, name: str) -> bytes:
        """An object. Raises `DataError`."""
        return bytes(tried(f"{self._address}/{name}", lambda: self._store.cat_file(self._at(name))))

    def open(self, name: str) -> BinaryIO:
        """An object, to be read in part. Raises `DataError`."""
        return cast(BinaryIO, open_address(f"{self._address}/{name}"))

    def write(self, name: str, data: bytes) -> None:
        """Write a result."""
        tried(f"{self._address}/{name}", lambda: self._store.pipe_file(self._at(name), data))

    def keep(self, name: str, data: bytes, *, replace: bool = False) -> None:
        """Write an object about the results; the names are this program's."""
        self.write(name, data)

    @contextmanager
    def growing(self, name: str, *, replace: bool = False) -> Iterator[BinaryIO]:
        """An object about the results, sent when it is whole: a store keeps what it has when a block raises."""
        with scratch() as folder:
            with (folder / name).open("wb") as file:
                yield file
            tried(f"{self._address}/{name}", lambda: self._store.put_file(str(folder / name), self._at(name)))

    def parts(self) -> Iterator[str]:
        """The names of all results, in order."""
        with suppress(DataError):  # nothing is there yet
            entries = tried(self._address, lambda: self._store.ls(self._path, detail=False))
            names = (str(entry).rpartition("/")[2] for entry in entries)
            yield from sorted_names(name for name in names if PART.fullmatch(name))

    def check(self, name: str) -> None:
        """Nothing: the names are this program's."""

    def remove(self, name: str) -> None:
        """Remove an object of ours."""
        with suppress(FileNotFoundError):
            self._store.rm_file(self._at(name))
