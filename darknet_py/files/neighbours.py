"""Neighbours: what is written beside its place first, and scratch folders; what killed processes left is swept.

Decision: a name says whose it is (`.darknet-py.HOST.PID.TOKEN`), so that the next write into a folder can tell what
nobody is writing any more.
"""

from __future__ import annotations

import errno
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FULL = frozenset((errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO))  # of writing, which names no file
SWEEP_SHARE = 20  # a folder is not looked through again before so many times the time that it took
FORGOTTEN = 86400.0  # seconds, after which what another machine left in a shared folder is nobody's
_TEMPORARY = re.compile(r"\.darknet-py\.([0-9a-f]{8})\.(\d+)\.[0-9a-f]{8}")
_swept: dict[Path, float] = {}  # until when a folder is not looked through again
_making: set[str] = set()  # the neighbours that this process is writing


@contextmanager
def neighbour(path: Path, told: Path | None = None) -> Iterator[Path]:
    """A free path in the folder of `path`; what is there when the block ends is removed. Errors name `told`."""
    from ..machine import host

    _sweep(path.parent)
    name = f".darknet-py.{host()}.{os.getpid()}.{os.urandom(4).hex()}"
    temporary = path.with_name(name)
    _making.add(name)
    try:
        yield temporary
    except OSError as e:
        unnamed = e.filename is None and e.errno in FULL
        if not unnamed and str(temporary) not in (e.filename, e.filename2):
            raise
        raise OSError(e.errno, e.strerror, str(told or path)) from None  # nobody has heard of the neighbour
    finally:
        _remove(temporary)
        _making.discard(name)


@contextmanager
def scratch(beside: str | Path | None = None) -> Iterator[Path]:
    """An empty folder that vanishes when the block ends: in the folder `beside`, or among the system's temporary files.

    What killed processes left there vanishes too.
    """
    import tempfile

    with neighbour(Path(beside or tempfile.gettempdir(), "folder")) as temporary:
        temporary.mkdir(0o700)
        yield temporary


def sweep_again() -> None:
    """Look through every folder once more: a new command begins."""
    _swept.clear()


def _sweep(folder: Path) -> None:
    """Remove what processes that were killed have left half written in a folder."""
    now = time.monotonic()
    if now < _swept.get(folder, now):
        return
    with suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - names are enough, and a large folder has many
            found = _TEMPORARY.fullmatch(name)
            if found and name not in _making and _is_left(folder / name, found[1], int(found[2])):
                _remove(folder / name)
    took = time.monotonic() - now
    _swept[folder] = now + took * (1 + SWEEP_SHARE)


def _is_left(path: Path, where: str, process: int) -> bool:
    """Whether nobody is writing it: its process is gone, or it is of another machine and was forgotten."""
    from ..machine import host, is_alive

    if where == host():
        return process == os.getpid() or not is_alive(process)  # a container gives the same numbers again
    with suppress(OSError):
        return time.time() - path.lstat().st_mtime > FORGOTTEN
    return False


def _remove(path: Path) -> None:
    import shutil

    try:
        path.unlink()
    except FileNotFoundError:
        return
    except OSError:
        shutil.rmtree(path, ignore_errors=True)
