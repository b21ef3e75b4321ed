"""Writing files so that they are never there half: to a neighbour first, then renamed into place."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write(path: str | Path, data: bytes) -> Path:
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
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as file:
            yield file
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
