"""A folder of things that take time to make and can be made again: an entry is a folder, named by what it is made from.

Decision: entries are never changed. One is made beside its place and renamed into it, so processes that make the same
one at the same time do not meet, and one that is read is whole; the least recently used go when there is too much.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

from ..files import cache_dir, reading
from ..version import VERSION

LIMIT = 2 << 30  # bytes of all entries; the youngest stays in any case
SOURCES = (".py", ".lark")  # what decides how a network is compiled
SAMPLES, SAMPLE = 64, 4096  # pieces of a large file, and their bytes


def root() -> Path:
    """Where the entries are."""
    return cache_dir() / "compiled"


def key(*parts: object) -> str:
    """The name of the entry that is made from these, by this very package."""
    text = "\0".join(map(str, (VERSION, _package(), *parts)))
    return hashlib.sha256(text.encode()).hexdigest()[:40]


def fingerprint(path: Path) -> str:
    """What a large file is told by without reading all of it: size, time, and pieces from its beginning to its end."""
    digest = hashlib.sha256()
    with reading(path, "weights") as file:
        status = os.fstat(file.fileno())
        for i in range(SAMPLES):
            file.seek(i * max(status.st_size - SAMPLE, 0) // (SAMPLES - 1))
            digest.update(file.read(SAMPLE))
    return f"{status.st_size} {status.st_mtime_ns} {digest.hexdigest()}"


def find(name: str) -> Path | None:
    """The folder of an entry, which counts as used now; None if there is none."""
    folder = root() / name
    try:
        os.utime(folder)
    except OSError:
        return None
    return folder


def make(name: str, fill: Callable[[Path], None]) -> None:
    """Make an entry: `fill` writes files into the folder that it is given. Without a place to write, nothing happens.

    What `fill` raises is raised.
    """
    import shutil
    import tempfile

    try:
        root().mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=".", dir=root()))
    except OSError:
        return
    try:
        fill(folder)
        with suppress(OSError):  # somebody else was faster
            folder.rename(root() / name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    trim(name)


def drop(name: str) -> None:
    """Remove an entry."""
    import shutil

    shutil.rmtree(root() / name, ignore_errors=True)


def trim(keep: str = "") -> None:
    """Remove the least recently used entries until `LIMIT` is kept, but not `keep`."""
    import shutil

    with suppress(OSError):
        entries = sorted(root().iterdir(), key=lambda p: p.stat().st_mtime_ns, reverse=True)
        total = 0
        for entry in entries:
            total += sum(p.stat().st_size for p in entry.iterdir())
            if total > LIMIT and entry.name != keep:
                shutil.rmtree(entry, ignore_errors=True)


@cache
def _package() -> str:
    """When the files of this package were last changed: a checkout changes without a new version."""
    return newest(Path(__file__).parents[1])


def newest(folder: Path) -> str:
    """The latest time of change of a source file in a folder or anywhere below it."""
    times = [
        Path(place, name).stat().st_mtime_ns
        for place, _, names in os.walk(folder)
        for name in names
        if name.endswith(SOURCES)
    ]
    return str(max(times))
