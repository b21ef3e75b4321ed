"""Reading files that may not end, and writing files so that they are never there half: to a neighbour first."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .errors import DataError


def cache_dir() -> Path:
    """Where this package keeps what it can get or make again: `DARKNET_PY_CACHE`, or the platform's own folder."""
    if chosen := os.environ.get("DARKNET_PY_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "darknet-py" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/darknet-py"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "darknet-py"


def read_at_most(path: str | Path, limit: int) -> bytes:
    """At most `limit` bytes of a file: a device or a pipe may have no end."""
    with Path(path).open("rb") as file:
        return file.read(limit)


def read_whole(path: str | Path, limit: int, what: str) -> bytes:
    """A whole file. Raises `DataError` if it cannot be read, or has more than the `limit` bytes of any sound `what`."""
    try:
        data = read_at_most(path, limit + 1)
    except OSError as e:
        raise DataError(f"cannot read the {what} {path}: {e.strerror or e}") from None
    if len(data) > limit:
        raise DataError(f"{path}: more than {limit:,} bytes are no {what}")
    return data


def write_whole(path: str | Path, data: bytes) -> Path:
    """Write a whole file at once, making the folders above it; its path."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as file:
        file.write(data)
    return path


@contextmanager
def replacing(path: str | Path) -> Iterator[BinaryIO]:
    """A binary file to write, which becomes `path` when the block ends, and vanishes if the block raises.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "new.txt")
    >>> with replacing(path) as file:
    ...     _ = file.write(b"whole")
    >>> path.read_text()
    'whole'
    """
    path = Path(path)
    if path.exists() and not path.is_file():  # a device or a pipe is written to: renaming would remove /dev/null
        with path.open("wb") as file:
            yield file
        return
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    except OSError as e:
        if e.filename != str(temporary):
            raise
        raise OSError(e.errno, e.strerror, str(path)) from None  # nobody has heard of the neighbour
    finally:
        temporary.unlink(missing_ok=True)
