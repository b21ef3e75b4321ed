"""What lies at a path, and where it leads; nothing is opened."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

# Open already in this process or its parent: to read from them waits for nobody to come.
_HELD = re.compile(r"/dev/(stdin|stdout|stderr|fd/\d+)|/proc/(self|\d+)/fd/\d+")
Identity = tuple[int, int]  # device and inode: what two paths of one file have in common


def is_file(path: str | Path) -> bool:
    r"""Whether there is a regular file; never an error, whatever the path is.

    >>> is_file("a" * 5000), is_file("NUL \0")
    (False, False)
    """
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises for names that are too long


def kind_of(path: str | Path) -> str:
    """In words what lies at a path: 'a folder', 'a named pipe', 'a socket', 'a device', 'a file' or 'nothing'."""
    status = status_of(path)
    return kind_in(status.st_mode) if status else "nothing"


def kind_in(mode: int) -> str:
    """The same, by the mode of what is there."""
    kinds = (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket")
    if stat.S_ISREG(mode):
        return "a file"
    return next((kind for test, kind in kinds if test(mode)), "a device")


def identity(path: str | Path) -> Identity | None:
    """By what a file or a folder is known whatever path leads to it; None for what is not there."""
    status = status_of(path)
    return (status.st_dev, status.st_ino) if status else None


def status_of(path: str | Path) -> os.stat_result | None:
    """What the system says of a path, wherever it leads; None where there is nothing, or it is no path."""
    try:
        return os.stat(path)  # noqa: PTH116 - a path with a NUL is no Path everywhere
    except (OSError, ValueError):
        return None


def target_of(path: Path) -> Path:
    """The file that is written: where symbolic links lead, for they are the user's."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop
        return path


def is_held(path: str | Path) -> bool:
    """Whether a path is a descriptor that this process or its parent has open."""
    return _HELD.fullmatch(os.fspath(path)) is not None
