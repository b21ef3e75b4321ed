"""What is in a file, as a number: computed over all of it, and remembered for as long as the file is untouched.

Decision: a file is untouched while its device, inode, size, time of last write and time of last change are the same.
The last is the one that counts: only the kernel sets it, at each write, rename or `utime`, so `cp -p`, `touch -r`,
Bazel, Nix and containers, which all set the time of the last write, cannot keep it. It is not trusted

- where it has no fraction of a second: it is made up. Squashfs, ISO 9660, FAT, network drives in user space and images
  built reproducibly have whole seconds, and then two builds with other bytes can be equal in all five numbers;
- on a file system that cannot be written to: an image too, whose times are what its builder says;
- on Windows, which has no such time;
- until it is `SETTLED` seconds old: kernels stamp by a clock that ticks 100 to 1000 times a second, so a second write
  within the tick would not show.

There the file is read whole each time. One thing goes unseen: who writes through a shared mapping is stamped when he
first touches a page, and not again before the kernel has written it to the disk.
"""

from __future__ import annotations

import hashlib
import os
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

from ..errors import DataError
from ..files import cache_dir, read_at_most, write_cached
from .private import find_intruder, make_private

SETTLED = 0.25
SMALL = 1 << 20  # bytes; to read so little is quicker than to remember that it was read
KEPT = 200  # files that are remembered, the latest
LINE = 200  # bytes of each, at most
CHUNK = 1 << 20


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, as a hexadecimal number. Raises `OSError`.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "a.txt")
    >>> _ = path.write_bytes(b"abc")
    >>> sha256_of(path)[:16]
    'ba7816bf8f01cfea'
    """
    return _known(path, "sha256", lambda file: hashlib.file_digest(file, "sha256").hexdigest())


def crc32_of(path: Path) -> str:
    """The CRC-32 of a file, as a hexadecimal number: against damage, and the fastest. Raises `OSError`."""
    return _known(path, "crc32", _crc32)


def stamp(status: os.stat_result) -> tuple[int, ...]:
    """What a file is told by without reading it: equal only if it is the same file, and nothing wrote to it between."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def notes() -> Path:
    """The folder of what is remembered."""
    return cache_dir() / "hashes"


def _crc32(file: BufferedReader) -> str:
    total = 0
    buffer = bytearray(CHUNK)
    while count := file.readinto(buffer):
        total = zlib.crc32(memoryview(buffer)[:count], total)
    return f"{total:08x}"


def _known(path: Path, kind: str, compute: Callable[[BufferedReader], str]) -> str:
    if not path.is_file():
        path.stat()  # says what is wrong, where it can
        raise OSError(f"{path} is no file")  # to open a pipe would wait for who writes
    with path.open("rb") as file:
        before = os.fstat(file.fileno())
        what = " ".join([kind, *map(str, stamp(before))])
        lasting = before.st_size > SMALL and _is_telling(file, before)
        if lasting and (digest := _read_notes().get(what)):
            return digest
        digest = compute(file)
        if lasting and stamp(os.fstat(file.fileno())) == stamp(before):
            _remember(what, digest)
        return digest


def _is_telling(file: BufferedReader, status: os.stat_result) -> bool:
    """Whether the time of the last change tells every change; see above."""
    if os.name != "posix" or status.st_ctime_ns % 1_000_000_000 == 0:
        return False
    if time.time() - status.st_ctime_ns / 1e9 < SETTLED:
        return False
    return not os.fstatvfs(file.fileno()).f_flag & os.ST_RDONLY


def _read_notes() -> dict[str, str]:
    """What is remembered, the latest last; nothing where others could have written it."""
    if find_intruder(notes()):
        return {}
    try:
        lines = read_at_most(notes() / "notes", KEPT * LINE).decode("ascii", "replace").splitlines()
    except (OSError, DataError):
        return {}
    return {what: digest for what, _, digest in (line.rpartition(" ") for line in lines) if _is_digest(digest)}


def _is_digest(text: str) -> bool:
    return len(text) in (8, 64) and text.strip("0123456789abcdef") == ""


def _remember(what: str, digest: str) -> None:
    """Add a note. Two processes may lose one of the other's: then that file is read again."""
    with suppress(OSError):
        make_private(notes())
        known = {**_read_notes(), what: digest}
        lines = [f"{k} {v}\n" for k, v in list(known.items())[-KEPT:]]
        write_cached(notes() / "notes", "".join(lines).encode())
