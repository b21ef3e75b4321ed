"""Files opened to be read: regular ones, of a bounded size, and what is open already; nobody is waited for."""

from __future__ import annotations

import errno
import os
import stat
from io import BufferedReader
from pathlib import Path

from ..errors import DataError
from .paths import is_file, is_held, kind_in, kind_of
from .run import note_read

SILENCE = 10.0  # seconds without a byte, after which nobody is writing to a pipe
CHUNK = 1 << 20
MAX_SHOWN = 300  # characters of a path
# Without waiting for a writer of a pipe, without becoming the terminal's process, and as bytes on Windows.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
_REMEDIES = {
    errno.EISDIR: "it is a folder: name a file in it",
    errno.EACCES: "nobody but its owner may read it: chmod +r",
    errno.ELOOP: "its symbolic links lead back to themselves: point them at the file",
    errno.ENAMETOOLONG: "no file has so long a name: is this a text where its path is meant?",
}


def reading(path: str | Path, what: str = "", *, note: bool = True) -> BufferedReader:
    """A regular file, opened to be read as bytes. Raises `DataError` for what cannot be read, and for what is no file.

    `what` names it in messages. It counts as read in this run, unless `note` says no.
    """
    descriptor, status = _open(path, what)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _no_file(path, what, status)
    if note:
        note_read(status)
    return open(path, "rb", opener=lambda *_: descriptor)


def check_file(path: str | Path, what: str = "") -> None:
    """Raise `DataError` where `reading` does: for a library that opens files itself."""
    reading(path, what).close()


def read_at_most(path: str | Path, limit: int, what: str = "") -> bytes:
    """At most `limit` bytes of a file, of a device, or of a pipe that is open already. Raises `DataError`.

    A named pipe is refused: it would be waited on for ever. `/dev/stdin` and what a shell makes of `<(...)` are open,
    somebody writes or has written; when nothing comes for `SILENCE` seconds, that is an error.
    """
    descriptor, status = _open(path, what)
    if stat.S_ISREG(status.st_mode):
        note_read(status)
        with os.fdopen(descriptor, "rb") as file:
            # Memory for all that it may have would take longer to get than a picture to read. It may be growing.
            data = file.read(min(limit, status.st_size + 1))
            return data + file.read(limit - len(data)) if status.st_size < len(data) < limit else data
    try:
        if os.name != "posix" or not (stat.S_ISCHR(status.st_mode) or _is_open_pipe(path, status)):
            raise _no_file(path, what, status)
        return _read_stream(descriptor, limit, _named(path, what))
    finally:
        os.close(descriptor)


def read_whole(path: str | Path, limit: int, what: str) -> bytes:
    """A whole file. Raises `DataError` if it cannot be read, or has more than the `limit` bytes of any sound `what`."""
    data = read_at_most(path, limit + 1, what)
    if len(data) > limit:
        where = path if is_file(path) else f"{path} is no file but {kind_of(path)}"
        raise DataError(f"{where}: more than {limit:,} bytes are no {what}")
    return data


def _open(path: str | Path, what: str) -> tuple[int, os.stat_result]:
    try:
        descriptor = os.open(path, _READ)
        return descriptor, os.fstat(descriptor)
    except ValueError:  # a NUL, or half a surrogate pair
        raise DataError(f"cannot read {_named(repr(str(path)), what)}: no path has such characters") from None
    except OSError as e:
        if (kind := kind_of(path)) not in ("a file", "nothing"):
            raise DataError(f"cannot read {_named(path, what)}: it is {kind}\n  hint: name a file") from None
        remedy = _REMEDIES.get(e.errno or 0)
        hint = f"\n  hint: {remedy}" if remedy else ""
        raise DataError(f"cannot read {_named(path, what)}: {e.strerror or e}{hint}") from None


def _named(path: str | Path, what: str) -> str:
    text = str(path)
    short = text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}... ({len(text):,} characters)"
    return f"the {what} {short}" if what else short


def _no_file(path: str | Path, what: str, status: os.stat_result) -> DataError:
    kind = kind_in(status.st_mode)
    remedy = "write what comes out of it into a file, and name that" if kind == "a named pipe" else "name a file"
    if kind == "a folder":
        remedy = "name a file in it"
    return DataError(f"cannot read {_named(path, what)}: it is {kind}, not a file\n  hint: {remedy}")


def _is_open_pipe(path: str | Path, status: os.stat_result) -> bool:
    return stat.S_ISFIFO(status.st_mode) and is_held(path)


def _read_stream(descriptor: int, limit: int, name: str) -> bytes:
    """At most `limit` bytes of what may have no end, and may say nothing."""
    from select import select

    data = bytearray()
    while len(data) < limit:
        if not select([descriptor], [], [], SILENCE)[0]:
            raise DataError(f"cannot read {name}: nothing was written to it for {SILENCE:.0f} seconds")
        try:
            piece = os.read(descriptor, min(CHUNK, limit - len(data)))
        except BlockingIOError:
            continue
        except OSError as e:
            raise DataError(f"cannot read {name}: {e.strerror or e}") from None
        if not piece:
            break
        data += piece
    return bytes(data)
