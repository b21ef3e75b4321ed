"""Files written: each is there whole or not at all, and none of the user's is replaced unasked."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import BinaryIO

from ..errors import DataError
from .listed import digest_of, enter, is_own
from .neighbours import neighbour
from .opening import reading
from .paths import identity, is_held, kind_of, target_of
from .run import was_read

_permitted: ContextVar[frozenset[Path]] = ContextVar("permitted", default=frozenset())


@contextmanager
def permitting(*paths: Path) -> Iterator[None]:
    """A block in which these may be replaced by whoever writes them: somebody else's format, say.

    Where one is a folder, so may the files in it.
    """
    token = _permitted.set(_permitted.get() | {target_of(path) for path in paths})
    try:
        yield
    finally:
        _permitted.reset(token)


def check_output(path: str | Path, *, replace: bool = False, sources: Iterable[str | Path] = ()) -> None:
    """Raise `DataError` if `path` is not to be written: it was read, or it exists and may be the user's.

    `replace` allows the second, and `sources` are files that were read. Raises it too where no file can be: in the
    place of a folder, in one that is closed, or below what is none. Call it early too where the work is long; every
    writer calls it once more at the end.
    """
    path = Path(path)
    try:
        status = path.stat()
    except ValueError:
        raise DataError(f"cannot write {str(path)!r}: no path has such characters") from None
    except OSError:
        _check_above(path)
        return  # there is nothing
    if stat.S_ISDIR(status.st_mode):
        raise DataError(f"cannot write {path}: it is a folder")
    if not stat.S_ISREG(status.st_mode) or is_held(path):
        return  # a device or a pipe is written to
    if was_read(status) or (status.st_dev, status.st_ino) in map(identity, sources):
        raise DataError(
            f"{path} was read in this run, and is not written over\n  hint: write to another name or folder"
        )
    target = target_of(path)
    permitted = not _permitted.get().isdisjoint((target, *target.parents))
    if replace or permitted or is_own(target):
        _check_above(path)
        return
    message = f"{path} exists, and is not known to be written by darknet-py, or was changed since"
    raise DataError(f"{message}\n  hint: --replace (in Python: replace=True) replaces it; or write to another name")


def _check_above(path: Path) -> None:
    """Raise `DataError` where the folders of a file are not there and cannot be made, or are closed to this user."""
    is_link = os.path.islink(path)  # noqa: PTH114 - Path.is_symlink may raise
    place = target_of(path) if is_link else path.absolute()
    if is_link and not os.path.lexists(place.parent):  # folders are made above a file, not above what a link leads to
        raise DataError(f"cannot write {path}: it is a link to {place}, and that folder is not there")
    above = next((folder for folder in place.parents if os.path.lexists(folder)), None)
    if above is None:  # a drive that is not there
        return
    if (kind := kind_of(above)) != "a folder":
        kind = "a link that leads nowhere" if kind == "nothing" else kind
        raise DataError(f"cannot write {path}: {above} is {kind}, not a folder")
    if not os.access(above, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise DataError(
            f"cannot write {path}: nothing can be written into the folder {above}\n"
            "  hint: open it for writing, or name another folder"
        )


def check_outputs(
    paths: Iterable[str | Path], *, replace: bool = False, sources: Iterable[str | Path] = ()
) -> None:  # fmt: skip
    """`check_output` of files that are written together: all before the first is, and none in the place of a device."""
    sources = tuple(sources)
    for path in paths:
        check_output(path, replace=replace, sources=sources)
        if (kind := kind_of(path)) not in ("a file", "nothing"):
            raise DataError(f"cannot write {path}: it is {kind}")


def check_room(path: Path, size: int) -> None:
    """Raise `OSError`, as a write does, where the disk has not so many bytes left for a file.

    For writers of other programs that end the process where a write fails.
    """
    import shutil

    if shutil.disk_usage(path.parent).free < size:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def write_whole(
    path: str | Path, data: bytes, *, replace: bool = False, sources: Iterable[str | Path] = ()
) -> Path:  # fmt: skip
    """Write a whole file at once, making the folders above it; its path. Raises as `replacing` does."""
    path = Path(path)
    check_output(path, replace=replace, sources=sources)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, replace=replace, sources=sources) as file:
        file.write(data)
    return path


def write_once(path: Path, data: bytes) -> None:
    """Write a file whose name is a hash of what it is of, so that only this package has such names: no line is kept.

    It is on the disk when this returns, in place of one that was there.
    """
    _write_own(path, data, on_the_disk=True)  # after a crash of the machine, too, a name is a promise


def write_cached(path: Path, data: bytes) -> None:
    """Write a file into the cache folder, where every file is this package's own."""
    _write_own(path, data)


def _write_own(path: Path, data: bytes, on_the_disk: bool = False) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with neighbour(path) as temporary:
        with temporary.open("xb") as file:
            file.write(data)
            if on_the_disk:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)


@contextmanager
def replacing(
    path: str | Path, *, replace: bool = False, sources: Iterable[str | Path] = ()
) -> Iterator[BinaryIO]:  # fmt: skip
    """A binary file to write, which becomes `path` when the block ends, and vanishes if the block raises.

    Raises `DataError` where `check_output` does. A symbolic link stays one: the file that it leads to is written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "new.txt")
    >>> with replacing(path) as file:
    ...     _ = file.write(b"whole")
    >>> path.read_text()
    'whole'
    """
    path = Path(path)
    if is_held(path) or kind_of(path) not in ("a file", "nothing", "a folder"):
        with path.open("wb") as file:  # a device or a pipe is written to: renaming would remove /dev/null
            yield file
        return
    with neighbour(target_of(path), path) as temporary:
        with temporary.open("xb") as file:
            yield file
        put(temporary, path, replace=replace, sources=sources)


def put(
    written: Path, path: str | Path, *, replace: bool = False, sources: Iterable[str | Path] = ()
) -> None:  # fmt: skip
    """Rename a file that was written beside `path` into its place. Raises as `check_output` does.

    A file that holds these very bytes already stays: nothing is lost, so nothing has to be allowed.
    """
    path = Path(path)
    target = target_of(path)
    same = _is_same(written, target)
    check_output(path, replace=replace or same, sources=sources)
    if same:
        return  # and no line either: the next file of that name may replace it only if this package wrote it
    with written.open("rb") as file:
        # Before the renaming: a file without a line would be the user's, a line without a file is nothing.
        enter(target, written.stat().st_size, digest_of(file))
    written.replace(target)


def _is_same(written: Path, target: Path) -> bool:
    """Whether a file is there that holds the same bytes as the one just written."""
    try:
        status = target.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size != written.stat().st_size:
            return False
        with reading(written, note=False) as new, reading(target, note=False) as old:
            return digest_of(new) == digest_of(old)
    except (OSError, DataError):
        return False


@contextmanager
def continuing(path: str | Path, keep: int, *, replace: bool = False) -> Iterator[BinaryIO]:
    """A file that grows while others read it, as a log does: its first `keep` bytes stay, and writing goes on there.

    Raises `DataError` where `check_output` does, and where somebody else is writing it. What it holds at the end is
    this package's; where that is nothing, it is gone.
    """
    path = Path(path)
    target = target_of(path)
    check_output(path, replace=replace)
    with target.open("a+b") as file:  # which creates it, and leaves what another process is writing as it is
        _hold(file, path)
        file.truncate(min(keep, file.seek(0, os.SEEK_END)))
        file.seek(0, os.SEEK_END)
        try:
            yield file
        finally:
            _enter_grown(file, target)


def _enter_grown(file: BinaryIO, target: Path) -> None:
    """A line for a file that has grown; without a byte it is removed."""
    size = 0
    try:
        file.flush()
        if size := os.fstat(file.fileno()).st_size:
            with reading(target, note=False) as whole:
                enter(target, size, digest_of(whole))
    finally:
        if not size:
            with suppress(OSError):
                target.unlink()


def _hold(file: BinaryIO, path: Path) -> None:
    """Keep a file for this process until it is closed, or the process ends. Raises `DataError` where another has it."""
    try:
        import fcntl
    except ImportError:  # Windows has no such lock
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise DataError(
            f"{path} is being written by another process, or by a call in this one that has not ended\n"
            "  hint: wait for it or end it, or write to another folder"
        ) from None
    except OSError:  # a file system without locks
        return
