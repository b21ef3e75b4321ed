"""Files: what is read is a file and no pipe, what is written is there whole or not at all, and users' files are theirs.

Decision: one rule, in one place. A file that was read in a run is not written in it. An existing file is replaced only
if this package can tell that it wrote it: by what the file says of itself, or by the list of names and hashes that is
kept in each folder that is written to (`LIST`); a file that was edited since is the user's. Everything else needs
`replace`. Every write goes to a neighbour first (`.darknet-py.HOST.PID.TOKEN`) and is renamed; neighbours that killed
processes left are removed by the next write into the folder.

Invariant: no other module of this package opens a file of the user's, to read or to write (tests/test_files.py).
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

from .errors import DataError

FULL = frozenset((errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EIO))  # of writing, which names no file
LIST = ".darknet-py.jsonl"  # a line for each file that was written: [name, bytes, sha256]; later lines count
MAX_LIST = 1 << 26  # bytes
SILENCE = 10.0  # seconds without a byte, after which nobody is writing to a pipe
SWEEP_SHARE = 20  # a folder is not looked through again before so many times the time that it took
FORGOTTEN = 86400.0  # seconds, after which what another machine left in a shared folder is nobody's
CHUNK = 1 << 20
MAX_SHOWN = 300  # characters of a path

# Without waiting for a writer of a pipe, without becoming the terminal's process, and as bytes on Windows.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | getattr(os, "O_BINARY", 0)
# Open already in this process or its parent: to read from them waits for nobody to come.
_HELD = re.compile(r"/dev/(stdin|stdout|stderr|fd/\d+)|/proc/(self|\d+)/fd/\d+")
_TEMPORARY = re.compile(r"\.darknet-py\.([0-9a-f]{8})\.(\d+)\.[0-9a-f]{8}")
_REMEDIES = {
    errno.EISDIR: "it is a folder: name a file in it",
    errno.EACCES: "nobody but its owner may read it: chmod +r",
    errno.ELOOP: "its symbolic links lead back to themselves: point them at the file",
    errno.ENAMETOOLONG: "no file has so long a name: is this a text where its path is meant?",
}

Own = Callable[[Path], bool]  # whether a file says of itself that this package wrote it
Identity = tuple[int, int]  # device and inode: what two paths of one file have in common


def cache_dir() -> Path:
    """Where this package keeps what it can get or make again: `DARKNET_PY_CACHE`, or the platform's own folder."""
    if chosen := os.environ.get("DARKNET_PY_CACHE"):
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData/Local")) / "darknet-py" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library/Caches/darknet-py"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "darknet-py"


# -- reading -----------------------------------------------------------------------------------------------------


def is_file(path: str | Path) -> bool:
    r"""Whether there is a regular file; never an error, whatever the path is.

    >>> is_file("a" * 5000), is_file("NUL \0")
    (False, False)
    """
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises for names that are too long


def reading(path: str | Path, what: str = "", *, note: bool = True) -> BufferedReader:
    """A regular file, opened to be read as bytes. Raises `DataError` for what cannot be read, and for what is no file.

    `what` names it in messages. It counts as read in this run, unless `note` says no.
    """
    descriptor, status = _open(path, what)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise _no_file(path, what, status)
    if note:
        _note(status)
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
        _note(status)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(limit)
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


def kind_of(path: str | Path) -> str:
    """In words what lies at a path: 'a folder', 'a named pipe', 'a socket', 'a device', 'a file' or 'nothing'."""
    status = _status(path)
    return _kind(status.st_mode) if status else "nothing"


def identity(path: str | Path) -> Identity | None:
    """By what a file or a folder is known whatever path leads to it; None for what is not there."""
    status = _status(path)
    return (status.st_dev, status.st_ino) if status else None


def _status(path: str | Path) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 - a path with a NUL is no Path everywhere
    except (OSError, ValueError):
        return None


def _kind(mode: int) -> str:
    kinds = (stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a named pipe"), (stat.S_ISSOCK, "a socket")
    if stat.S_ISREG(mode):
        return "a file"
    return next((kind for test, kind in kinds if test(mode)), "a device")


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
    kind = _kind(status.st_mode)
    remedy = "write what comes out of it into a file, and name that" if kind == "a named pipe" else "name a file"
    if kind == "a folder":
        remedy = "name a file in it"
    return DataError(f"cannot read {_named(path, what)}: it is {kind}, not a file\n  hint: {remedy}")


def _is_open_pipe(path: str | Path, status: os.stat_result) -> bool:
    return stat.S_ISFIFO(status.st_mode) and _HELD.fullmatch(os.fspath(path)) is not None


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


# -- what was read in a run --------------------------------------------------------------------------------------


@dataclass
class _Run:
    """The files that a command has read."""

    read: set[Identity] = field(default_factory=set)


_run: _Run | None = None  # for all threads: pictures are read by workers
_permitted: ContextVar[frozenset[Path]] = ContextVar("permitted", default=frozenset())
_swept: dict[Path, float] = {}  # until when a folder is not looked through again
_making: set[str] = set()  # the neighbours that this process is writing


@contextmanager
def one_run() -> Iterator[None]:
    """A command of the command line: what is read in the block is not written in it.

    A program in Python has no such end: there a call is a run, and its function says what it has read.
    """
    global _run
    before, _run = _run, _Run()
    _swept.clear()
    try:
        yield
    finally:
        _run = before


def will_read(paths: Iterable[str | Path]) -> None:
    """Files that the command is going to read: they count as read from now on."""
    if _run is not None:
        _run.read.update(i for i in map(identity, paths) if i)


def _note(status: os.stat_result) -> None:
    if _run is not None:
        _run.read.add((status.st_dev, status.st_ino))


@contextmanager
def permitting(path: str | Path, replace: bool) -> Iterator[None]:
    """A block in which `path` may be replaced, if `replace`, by whoever writes it: somebody else's format, say."""
    token = _permitted.set(_permitted.get() | ({_target(Path(path))} if replace else set()))
    try:
        yield
    finally:
        _permitted.reset(token)


# -- writing -----------------------------------------------------------------------------------------------------


def check_output(
    path: str | Path, *, replace: bool = False, sources: Iterable[str | Path] = (), own: Own | None = None
) -> None:
    """Raise `DataError` if `path` is not to be written: it was read, or it exists and may be the user's.

    `replace` allows the second, `sources` are files that were read, and `own` recognizes a file by what it says of
    itself. Call it early too where the work is long; every writer calls it once more at the end.
    """
    path = Path(path)
    try:
        status = path.stat()
    except ValueError:
        raise DataError(f"cannot write {str(path)!r}: no path has such characters") from None
    except OSError:
        return  # there is nothing, or what is in the way will be told when it is written
    if not stat.S_ISREG(status.st_mode) or _is_held(path):
        return  # a device or a pipe is written to; a folder in the way is told when something is put there
    read = {*(_run.read if _run else ()), *(i for i in map(identity, sources) if i)}
    if (status.st_dev, status.st_ino) in read:
        raise DataError(
            f"{path} was read in this run, and is not written over\n  hint: write to another name or folder"
        )
    target = _target(path)
    if replace or target in _permitted.get() or is_own(target) or (own is not None and own(target)):
        return
    message = f"{path} exists, and is not known to be written by darknet-py, or was changed since"
    raise DataError(f"{message}\n  hint: --replace (in Python: replace=True) replaces it; or write to another name")


def is_own(path: Path) -> bool:
    """Whether the list in a file's folder has it with this name, this length and these contents."""
    size, digest = _written(path.parent).get(path.name, (-1, ""))
    try:
        if path.stat().st_size != size:
            return False
        with reading(path, note=False) as file:
            return _digest(file) == digest
    except (OSError, DataError):
        return False


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
    with _neighbour(path) as temporary:
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
    if _is_held(path) or kind_of(path) not in ("a file", "nothing", "a folder"):
        with path.open("wb") as file:  # a device or a pipe is written to: renaming would remove /dev/null
            yield file
        return
    with _neighbour(_target(path), path) as temporary:
        with temporary.open("xb") as file:
            yield file
        put(temporary, path, replace=replace, sources=sources)


def put(
    written: Path,
    path: str | Path,
    *,
    replace: bool = False,
    sources: Iterable[str | Path] = (),
    own: Own | None = None,
    listed: bool = True,
) -> None:
    """Rename a file that was written beside `path` into its place. Raises as `check_output` does.

    `listed` enters it into the list of the folder; a file that says itself who wrote it needs no line.
    A file that holds these very bytes already stays: nothing is lost, so nothing has to be allowed.
    """
    path = Path(path)
    target = _target(path)
    same = _is_same(written, target)
    check_output(path, replace=replace or same, sources=sources, own=own)
    if same:
        return  # and no line either: the next file of that name may replace it only if this package wrote it
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if listed:
        with written.open("rb") as file:
            # Before the renaming: a file without a line would be the user's, a line without a file is nothing.
            _enter(target, written.stat().st_size, _digest(file))
    written.replace(target)


def _is_same(written: Path, target: Path) -> bool:
    """Whether a file is there that holds the same bytes as the one just written."""
    try:
        status = target.stat()
        if not stat.S_ISREG(status.st_mode) or status.st_size != written.stat().st_size:
            return False
        with reading(written, note=False) as new, reading(target, note=False) as old:
            return _digest(new) == _digest(old)
    except (OSError, DataError):
        return False


@contextmanager
def continuing(path: str | Path, keep: int, *, replace: bool = False) -> Iterator[BinaryIO]:
    """A file that grows while others read it, as a log does: its first `keep` bytes stay, and writing goes on there.

    Raises `DataError` where `check_output` does, and where somebody else is writing it. What it holds at the end is
    this package's; where that is nothing, it is gone.
    """
    path = Path(path)
    target = _target(path)
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
                _enter(target, size, _digest(whole))
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


@contextmanager
def scratch(beside: str | Path | None = None) -> Iterator[Path]:
    """An empty folder that vanishes when the block ends: in the folder `beside`, or among the system's temporary files.

    What killed processes left there vanishes too.
    """
    import tempfile

    with _neighbour(Path(beside or tempfile.gettempdir(), "folder")) as temporary:
        temporary.mkdir(0o700)
        yield temporary


@contextmanager
def _neighbour(path: Path, told: Path | None = None) -> Iterator[Path]:
    """A free path in the folder of `path`; what is there when the block ends is removed. Errors name `told`."""
    from .machine import host

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
    from .machine import host, is_alive

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


def _target(path: Path) -> Path:
    """The file that is written: where symbolic links lead, for they are the user's."""
    try:
        return path.resolve()
    except (OSError, RuntimeError, ValueError):  # a loop
        return path


def _is_held(path: Path) -> bool:
    return _HELD.fullmatch(os.fspath(path)) is not None


# -- the list of what was written --------------------------------------------------------------------------------


@dataclass
class _Listed:
    """What was read of the list of a folder, up to which byte: it only grows, by whole lines."""

    inode: int
    end: int = 0
    entries: dict[str, tuple[int, str]] = field(default_factory=dict)


_lists: dict[Path, _Listed] = {}


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


def _enter(path: Path, size: int, digest: str) -> None:
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


def _digest(file: BufferedReader) -> str:
    import hashlib  # which loads OpenSSL: most commands write nothing

    return hashlib.file_digest(file, "sha256").hexdigest()
