"""Folders of one user alone: the cache is made so, and what others could have written there is not believed.

Decision: a checksum tells damage, not malice, for who writes an entry writes its checksum too; so what counts is who
could write. What a killed process left in such a folder goes with the next that writes there; its name says whose it
was: `.NAME.PID`.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from pathlib import Path

from ..machine import is_alive

OTHERS = stat.S_IWGRP | stat.S_IWOTH
SEARCH = stat.S_IXGRP | stat.S_IXOTH
ABANDONED = 86400.0  # seconds; what nobody has touched for so long is no work in progress, whoever has its number now


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for this user alone. Raises `OSError`."""
    if not folder.is_dir():
        make_private(folder.parent)
        folder.mkdir(0o700, exist_ok=True)


def find_intruder(folder: Path) -> str | None:
    """In words, why others can put something into a folder of this user; None if they cannot, or if there is none.

    The folder must be his, and nobody else may write in it; that above it may be the system's, and shared as /tmp is,
    where nobody can rename what is another's. Windows keeps a user's folders private in other ways.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> print(find_intruder(folder))
    None
    >>> folder.chmod(0o777)
    >>> find_intruder(folder).replace(str(folder), "FOLDER")
    'others may write in FOLDER'
    """
    if os.name != "posix":
        return None
    with suppress(OSError):
        above = folder.resolve().parent
        status = above.stat()
        if status.st_mode & OTHERS and not status.st_mode & stat.S_ISVTX:
            return f"others may write in {above}"
        if status.st_uid not in (0, os.geteuid()):
            return f"{above} belongs to another user"
        status = folder.stat()
        if status.st_mode & OTHERS:
            return f"others may write in {folder}"
        if status.st_uid != os.geteuid():
            return f"{folder} belongs to another user"
    return None


def is_private_file(path: Path) -> bool:
    """Whether a regular file, itself and no link, can have been written by this user only. Raises `OSError`."""
    own, above = path.lstat(), path.parent.stat()
    if not stat.S_ISREG(own.st_mode):
        return False
    if os.name != "posix":
        return True
    return own.st_uid == os.geteuid() and not (own.st_mode & OTHERS and above.st_mode & SEARCH)


def find_left(folder: Path, name: str) -> list[Path]:
    """The `.NAME….PID` in a folder whose process is no more."""
    found = []
    for path in folder.glob(f".{name}.*"):
        with suppress(OSError):
            if _is_left(path):
                found.append(path)
    return found


def sweep(folder: Path, name: str) -> None:
    """Remove the `.NAME….PID` in a folder whose process is no more; those of living processes stay."""
    import shutil

    for path in find_left(folder, name):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def _is_left(path: Path) -> bool:
    pid = path.suffix.removeprefix(".")
    if not (pid.isascii() and pid.isdigit()):
        return False
    return not is_alive(int(pid)) or time.time() - path.lstat().st_mtime > ABANDONED
