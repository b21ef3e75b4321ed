"""A folder of things that take time to make and can be made again: an entry is a folder, named by what it is made from.

Decision: entries are never changed. One is made beside its place and renamed into it, so processes that make the same
one at the same time do not meet, and one that is read is whole; the least recently used go when there is too much.
An entry lists the length and the CRC-32 of its files, and what does not agree is dropped. Of the checksums Python has,
CRC-32 is the fastest that sees every small damage: 24 MiB take 7 ms, with Adler-32 as well, which is weak in short
files, 14 with SHA-256 where the processor helps, 27 with BLAKE2b. Of the 59 MB that yolov4-tiny keeps that would still
be a third of a start, so what was checked once is not read again while it is untouched (`hashes`): 0.5 ms. It need not
be a cryptographic one: who could write an entry could write its checksum, so a folder where others can write is not
used at all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import cache
from pathlib import Path

from ..errors import DataError
from ..files import cache_dir, read_at_most, scratch
from ..holding.hashes import crc32_of
from ..holding.private import find_intruder, is_private_file, make_private
from ..version import VERSION

LIMIT = 2 << 30  # bytes of all entries; the youngest stays in any case
SOURCES = (".py", ".lark")  # what decides how a network is compiled
CHECKSUMS = "checksums"  # the file of an entry that lists the others: CRC-32, length and name, a line each
CHECKSUMS_LIMIT = 4096  # bytes of it


def root() -> Path:
    """Where the entries are."""
    return cache_dir() / "compiled"


def key(*parts: object) -> str:
    """The name of the entry that is made from these, by this very package."""
    text = "\0".join(map(str, (VERSION, _package(), *parts)))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def find_doubt_about(name: str) -> str | None:
    """In words, why an entry, or all of them, could be somebody else's and must not be used; None if there is none."""
    return find_intruder(root()) or find_intruder(root() / name)


def find(name: str) -> Path | None:
    """The folder of an entry, which counts as used now; None if there is none, or a damaged one, which is dropped."""
    folder = root() / name
    try:
        if not folder.is_dir():
            return None
        _check(folder)
        os.utime(folder)
    except (OSError, DataError, ValueError):
        drop(name)
        return None
    return folder


def make(name: str, fill: Callable[[Path], None]) -> None:
    """Make an entry: `fill` writes files into the folder that it is given. Without a place to write, nothing happens.

    What `fill` raises is raised.
    """
    with ExitStack() as stack:
        try:
            make_private(root())
            folder = stack.enter_context(scratch(root()))
        except OSError:
            return
        fill(folder)
        _sign(folder)
        with suppress(OSError):  # somebody else was faster
            folder.rename(root() / name)
    trim(name)


def drop(name: str) -> None:
    """Remove an entry."""
    import shutil

    path = root() / name
    if path.is_symlink() or path.is_file():
        with suppress(OSError):
            path.unlink()
    shutil.rmtree(path, ignore_errors=True)


def entries() -> list[Path]:
    """The entries, those last used first; what is in the making is none."""
    try:
        found = [path for path in root().iterdir() if not path.name.startswith(".")]
    except OSError:
        return []
    return sorted(found, key=lambda path: path.lstat().st_mtime_ns, reverse=True)


def trim(keep: str = "") -> None:
    """Remove the least recently used entries until `LIMIT` is kept, but not `keep`."""
    total = 0
    with suppress(OSError):  # another process removes some too
        for entry in entries():
            total += size_of(entry)
            if total > LIMIT and entry.name != keep:
                drop(entry.name)


def size_of(path: Path) -> int:
    """The bytes of a file, or of all files in a folder and below."""
    if path.is_dir() and not path.is_symlink():
        return sum(size_of(inner) for inner in path.iterdir())
    return path.lstat().st_size


def _sign(folder: Path) -> None:
    """Write down what the files of a finished entry are."""
    files = sorted(path for path in folder.iterdir() if path.name != CHECKSUMS)
    lines = [f"{crc32_of(path)} {path.stat().st_size} {path.name}\n" for path in files]
    (folder / CHECKSUMS).write_text("".join(lines), "utf-8")


def _check(folder: Path) -> None:
    """Raise `OSError` or `ValueError` if an entry is not what was written. Lengths come first: they cost nothing."""
    checksums = folder / CHECKSUMS
    text = read_at_most(checksums, CHECKSUMS_LIMIT).decode("utf-8") if is_private_file(checksums) else ""
    if not text.endswith("\n"):
        raise ValueError("an entry whose files are not listed")
    lines = (line.split(" ", 2) for line in text.splitlines())
    listed = [(digest, int(size), folder / name) for digest, size, name in lines]
    for _, size, path in listed:
        if path.parent != folder or not is_private_file(path) or path.stat().st_size != size:
            raise ValueError(f"{path.name} is not what was kept")
    for digest, _, path in listed:
        if crc32_of(path) != digest:
            raise ValueError(f"{path.name} is damaged")


@cache
def _package() -> str:
    """When the files of this package were last changed: a checkout changes without a new version."""
    return newest(Path(__file__).parents[1])


def newest(folder: Path) -> str:
    """The latest time of change of a source file in a folder or anywhere below it."""
    folders, latest = [os.fspath(folder)], 0
    for place in folders:  # without a `Path` for each file: this is a fiftieth of a start
        with suppress(OSError), os.scandir(place) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.name.endswith(SOURCES):
                    with suppress(OSError):  # gone by now, or a link to nothing, as an editor's lock is
                        latest = max(latest, entry.stat().st_mtime_ns)
    return str(latest)
