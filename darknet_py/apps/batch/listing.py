"""Which pictures there are, as a stream: of folders, patterns, lists, tar files, Parquet files and addresses.

Decision: nothing is decoded, and nothing that grows with the number of pictures is kept. The order is that of the
sources, and of names within a folder or a pattern, so that two walks over the same files give the same stream; what is
too much to be sorted in memory is sorted in files. An item says where its bytes are, so that any process can read it.
"""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from glob import has_magic, iglob
from heapq import merge
from itertools import chain, filterfalse, islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from ...errors import DataError
from ...files import Identity, identity, kind_of, reading, scratch
from ...vision.lists import LISTS, NO_LIST, list_encoding
from ...vision.picture import SUFFIXES
from .addresses import is_address, is_page, open_address, opened, tried
from .job import PART
from .parquet import count_rows

RUN = 1 << 15  # names that are sorted in memory
TAR, PARQUET = ".tar", ".parquet"
HOLDERS = (TAR, PARQUET)  # files with many pictures
COMPRESSED = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst")


class Item(NamedTuple):
    """A picture: its number in the listing, what it is called, and where its bytes are.

    `size` is in bytes, -1 if unknown; `stamp` tells another version of the same name: a time of writing, or an etag.
    `inside` is the tar or Parquet file that holds it, and `at` its first byte there, or its row;
    -1 for a link in a tar file, which has no bytes of its own.
    """

    position: int
    path: str
    size: int = -1
    stamp: str = ""
    inside: str = ""
    at: int = -1


Found = tuple[str, int, str, str, int]  # an item without its number


@dataclass(frozen=True)
class Reach:
    """`column` is the one with the bytes in Parquet files, `avoided` is where the results go: they are no pictures."""

    column: str | None = None
    avoided: str | Path | None = None

    @property
    def closed(self) -> tuple[Identity, ...]:
        """The folders that are not entered; none where the results go to an address, or it is not there yet."""
        if self.avoided is None or is_address(str(self.avoided)):
            return ()
        here = identity(self.avoided)
        return (here,) if here else ()

    def is_result(self, path: str) -> bool:
        """Whether a file of this name in this folder is a result, which may be Parquet as the sources are."""
        folder, _, name = path.rpartition("/")
        if not PART.fullmatch(name) or self.avoided is None:
            return False
        out = str(self.avoided).rstrip("/")
        if is_address(path) or is_address(out):
            return is_address(path) and is_address(out) and opened(folder)[1] == opened(out)[1]
        return identity(folder or ".") in self.closed


def list_items(sources: Iterable[str], reach: Reach = Reach()) -> Iterator[Item]:
    """The pictures of all sources, numbered. Raises `DataError` for a source in which there is none."""
    found = (one for source in sources for one in _some(source, reach))
    return (Item(i, *one) for i, one in enumerate(found))


def check_sources(sources: Iterable[str], reach: Reach = Reach()) -> None:
    """Raise `DataError` for a source in which there is no picture, before hours are spent on those before it."""
    for source in sources:
        next(_some(source, reach))


def sorted_names(names: Iterable[str]) -> Iterator[str]:
    """Names sorted, of which at most some thousand are in memory.

    >>> list(sorted_names(["b", "c", "a"]))
    ['a', 'b', 'c']
    """
    names = iter(names)
    run = sorted(islice(names, RUN))
    if len(run) < RUN:
        yield from run
        return
    with scratch() as folder:
        files: list[Path] = []
        while run:
            files.append(folder / str(len(files)))
            with files[-1].open("w", encoding="ascii") as file:
                file.writelines(f"{json.dumps(name)}\n" for name in run)
            run = sorted(islice(names, RUN))
        yield from merge(*map(_run_of, files))


def _run_of(path: Path) -> Iterator[str]:
    with path.open(encoding="ascii") as file:
        yield from map(json.loads, file)


def _some(source: str, reach: Reach) -> Iterator[Found]:
    found = _found(source, reach)
    first = next(found, None)
    if first is None:
        raise DataError(f"no pictures in {source}")
    yield first
    yield from found


def _found(source: str, reach: Reach) -> Iterator[Found]:
    if is_address(source):
        yield from _at_address(source, reach)
        return
    path, kind = Path(source), kind_of(source)
    if kind == "a folder":
        if identity(source) in reach.closed:
            raise DataError(f"{source} is where the results go, and is not searched\n  hint: write to another folder")
        yield from _files(_walk(source, reach.closed), reach)
    elif kind == "nothing" and has_magic(source):
        yield from _files(filterfalse(os.path.isdir, sorted_names(iglob(source, recursive=True))), reach)
    elif kind != "a file":
        raise DataError(f"cannot read {source}: it is {kind}" if kind != "nothing" else f"{source}: nothing is there")
    elif path.suffix.lower() in LISTS:
        with reading(path, "list of pictures") as file:
            yield from _listed(file, source, reach)
    else:
        yield from _file(source, reach)


def _files(paths: Iterable[str], reach: Reach) -> Iterator[Found]:
    """Those of the paths, none of which is a folder, that are pictures, or hold some."""
    for path in paths:
        suffix = _suffix(path)
        if (suffix in SUFFIXES or suffix in HOLDERS) and not reach.is_result(path):
            yield from _file(path, reach)


def _suffix(path: str) -> str:
    return os.path.splitext(path)[1].lower()


def _walk(folder: str, closed: tuple[Identity, ...]) -> Iterator[str]:
    """The files in a folder and the folders in it, in the order of names; a folder within itself is not entered.

    Without recursion, and without a folder kept open, so that folders may be as deep as paths may be long.
    """
    levels = [(folder, identity(folder), _names(folder))]
    while levels:
        above, _, names = levels[-1]
        name = next(names, "")
        path = os.path.join(above, name)
        if not name:
            levels.pop()
        elif not name.endswith("/"):
            yield path
        elif (here := identity(path[:-1])) not in (*closed, *(level[1] for level in levels)):
            levels.append((path[:-1], here, _names(path[:-1])))


def _names(folder: str) -> Iterator[str]:
    """What is in a folder, in order; a folder's name ends with a stroke. It is read, and closed, before the first."""
    try:
        with os.scandir(folder) as entries:
            names = sorted_names(entry.name + ("/" if _is_folder(entry) else "") for entry in entries)
            first = next(names, None)
    except OSError as e:
        raise DataError(f"cannot list the folder {folder}: {e.strerror or e}") from None
    return names if first is None else chain((first,), names)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself: it is no picture, or whoever reads it says what is wrong
        return False


def _file(path: str, reach: Reach) -> Iterator[Found]:
    lower = path.lower()
    if lower.endswith(COMPRESSED):
        raise DataError(
            f"{path} is compressed, so that no picture in it can be found without all before it\n"
            "  hint: decompress it (pictures are compressed already): gunzip, unxz"
        )
    if lower.endswith(HOLDERS):
        with reading(path, note=False) as file:
            state = os.fstat(file.fileno())
            yield from _held(file, path, f"{state.st_size} {state.st_mtime_ns}", reach)
        return
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        yield path, -1, "", "", -1  # whoever reads it says what is wrong
        return
    yield path, status.st_size, str(status.st_mtime_ns), "", -1


def _held(file: IO[bytes], path: str, stamp: str, reach: Reach) -> Iterator[Found]:
    """The pictures in a tar or a Parquet file."""
    if path.lower().endswith(TAR):
        yield from _members(file, path, stamp)
        return
    for row in range(count_rows(file, path, reach.column)):
        yield f"{path}#{row}", -1, stamp, path, row


def _members(file: IO[bytes], path: str, stamp: str) -> Iterator[Found]:
    try:
        with tarfile.open(fileobj=file, mode="r:") as tar:
            while (member := tar.next()) is not None:
                tar.members.clear()  # type: ignore[attr-defined]  # it would keep them all
                if member.isdir() or _suffix(member.name) not in SUFFIXES:
                    continue
                size, at = (member.size, member.offset_data) if member.isreg() and not member.sparse else (-1, -1)
                yield f"{path}/{member.name}", size, stamp, path, at
            file.seek(tar.offset)
            if file.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:  # tarfile takes any end for one
                raise tarfile.ReadError("there is no mark of its end")
    except tarfile.TarError as e:
        raise DataError(f"{path}: no tar file, a compressed one, or one that ends early: {e}") from None


def _listed(file: IO[bytes], where: str, reach: Reach) -> Iterator[Found]:
    """The pictures of a list: relative to where we are, as Darknet has them, else to the folder of the list."""
    head = file.read(2)
    file.seek(0)
    encoding, errors = list_encoding(head)
    beside = where.rpartition("/")[0]
    with io.TextIOWrapper(file, encoding, errors) as lines:
        for line in lines:
            name = line.strip()
            if "\0" in name:
                raise DataError(f"{where}: {NO_LIST}")
            if name:
                yield from _line(name, beside, reach)


def _line(name: str, beside: str, reach: Reach) -> Iterator[Found]:
    if not is_address(name) and (is_address(beside) or not os.path.exists(name)):
        other = f"{beside}/{name}" if beside else name
        name = other if is_address(other) or os.path.exists(other) else name
    if not is_address(name):
        yield from _file(name, reach)
    elif name.lower().endswith(HOLDERS):
        yield from _at_address(name, reach)
    else:
        yield name, -1, "", "", -1  # to ask for each would be a request for each


def _at_address(source: str, reach: Reach) -> Iterator[Found]:
    if is_page(source):
        yield source, -1, "", "", -1
        return
    store, path = opened(source)
    if has_magic(path):
        found = tried(source, lambda: store.glob(path, detail=True))
        yield from _objects(store, (found[name] for name in sorted(found)), reach)
        return
    suffix = _suffix(path)
    if suffix in LISTS:
        with closing(open_address(source)) as file:
            yield from _listed(file, source, reach)
        return
    if suffix not in SUFFIXES and suffix not in HOLDERS:
        yield from _objects(store, _tree(store, path, source), reach)
        return
    yield from _objects(store, [tried(source, lambda: store.info(path))], reach)


def _tree(store: Any, folder: str, source: str) -> Iterator[dict[str, Any]]:
    """What a store says of everything under a folder, in the order of names; one folder at a time is in memory."""
    for entry in sorted(tried(source, lambda: store.ls(folder, detail=True)), key=lambda entry: str(entry["name"])):
        if entry["type"] != "directory":
            yield entry
        elif entry["name"].rstrip("/") != folder.rstrip("/"):
            yield from _tree(store, entry["name"], source)


def _objects(store: Any, entries: Iterable[dict[str, Any]], reach: Reach) -> Iterator[Found]:
    """Those of a store's objects that are pictures, or hold some."""
    for entry in entries:
        address = store.unstrip_protocol(entry["name"])
        suffix = _suffix(address)
        size = entry.get("size")
        stamp = next((str(entry[key]) for key in ("ETag", "etag", "md5Hash", "mtime", "LastModified", "created")
                      if entry.get(key)), "")  # fmt: skip
        if entry["type"] == "directory":
            continue
        if suffix in SUFFIXES:
            yield address, -1 if size is None else int(size), stamp, "", -1
        elif suffix in HOLDERS and not reach.is_result(address):
            with closing(open_address(address)) as file:
                yield from _held(file, address, f"{size} {stamp}", reach)
