"""What this package wrote into a folder, by name, length and hash: a list in the folder (`LIST`), which only grows."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path

from ..errors import DataError
from .opening import reading

LIST = ".darknet-py.jsonl"  # a line for each file that was written: [name, bytes, sha256]; later lines count
MAX_LIST = 1 << 26  # bytes


@dataclass
class _Listed:
    """What was read of the list of a folder, up to which byte: it only grows, by whole lines."""

    inode: int
    end: int = 0
    entries: dict[str, tuple[int, str]] = field(default_factory=dict)


_lists: dict[Path, _Listed] = {}


def is_own(path: Path) -> bool:
    """Whether the list in a file's folder has it with this name, this length and these contents."""
    size, digest = _written(path.parent).get(path.name, (-1, ""))
    try:
        if path.stat().st_size != size:
            return False
        with reading(path, note=False) as file:
            return digest_of(file) == digest
    except (OSError, DataError):
        return False


def _written(folder: Path) -> dict[str, tuple[int, str]]:
    """The length and the sha256 of each file that this package wrote into a folder, by name."""
    try:
        with reading(folder / LIST, note=False) as file:
            status = os.fstat(file.fileno())
            known = _lists.get(folder)
            if known is None or known.end > status.st_size or known.inode != status.st_ino:
                known = _lists[folder] = _Listed(status.st_ino)
            file.seek(known.end)
            for line in file.read(MAX_LIST).splitlines(keepends=True):
                if line.endswith(b"\n"):  # another process may be writing the last one
                    known.end += len(line)
                    known.entries.update(_entry(line))
            return known.entries
    except (OSError, DataError):
        return {}


def _entry(line: bytes) -> dict[str, tuple[int, str]]:
    try:
        name, size, digest = json.loads(line)
        return {str(name): (int(size), str(digest))}
    except (ValueError, TypeError, RecursionError):  # what somebody else wrote there
        return {}


def enter(path: Path, size: int, digest: str) -> None:
    """A line for a file, at the end: so processes that write into one folder do not meet.

    Where it cannot be written nothing is lost: the file counts as the user's.
    """
    if _written(path.parent).get(path.name) == (size, digest):
        return
    line = json.dumps([path.name, size, digest]).encode() + b"\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with suppress(OSError):
        descriptor = os.open(path.parent / LIST, flags, 0o666)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


def digest_of(file: BufferedReader) -> str:
    """The SHA-256 of an open file, as a hexadecimal number."""
    import hashlib  # which loads OpenSSL: most commands write nothing

    return hashlib.file_digest(file, "sha256").hexdigest()
