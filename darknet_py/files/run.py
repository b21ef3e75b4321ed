"""What was read in a run: it is not written in it.

Decision: one set for all threads, because pictures are read by workers; outside of a command nothing is remembered.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from .neighbours import sweep_again
from .paths import Identity, identity

_read: set[Identity] | None = None


@contextmanager
def one_run() -> Iterator[None]:
    """A command of the command line: what is read in the block is not written in it.

    A program in Python has no such end: there a call is a run, and its function says what it has read.
    """
    global _read
    before, _read = _read, set()
    sweep_again()
    try:
        yield
    finally:
        _read = before


def will_read(paths: Iterable[str | Path]) -> None:
    """Files that the command is going to read: they count as read from now on."""
    if _read is not None:
        _read.update(i for i in map(identity, paths) if i)


def note_read(status: os.stat_result) -> None:
    """A file that was opened to be read."""
    if _read is not None:
        _read.add((status.st_dev, status.st_ino))


def was_read(status: os.stat_result) -> bool:
    """Whether a file was read in this run."""
    return _read is not None and (status.st_dev, status.st_ino) in _read
