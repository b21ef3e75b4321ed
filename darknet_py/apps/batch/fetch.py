"""The bytes of items, wherever they are: each still to be read by the call of a function, in whatever thread.

Decision: a picture in a tar is a range of bytes, so nobody reads a tar from its beginning. Rows of Parquet files are
read in order, by who iterates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from functools import partial
from itertools import groupby
from typing import IO

from ...errors import DataError, first_line
from ...files import read_whole, reading
from ...vision.decode import MAX_BYTES, check_length
from .addresses import Outage, is_address, open_address, read_address
from .listing import PARQUET, Item
from .parquet import read_rows

Fetch = Callable[[], bytes]


def fetches(items: Iterable[Item], column: str | None = None) -> Iterator[Fetch]:
    """What reads each of the items; it raises `DataError` for a picture that cannot be read, `Outage` for a store."""
    for holder, group in groupby(items, lambda item: item.inside):
        if holder.lower().endswith(PARQUET):
            yield from _rows(holder, list(group), column)
        else:
            yield from (partial(_read, item) for item in group)


def _read(item: Item) -> bytes:
    check_length(item.size, item.path)
    if item.inside:
        return _range(item)
    return read_address(item.path) if is_address(item.path) else read_whole(item.path, MAX_BYTES, "picture")


def _range(item: Item) -> bytes:
    """A member of a tar file."""
    if item.at < 0:
        raise DataError(f"{item.path}: a link or a sparse file: pack such with tar --hard-dereference -h")
    if is_address(item.inside):
        data = read_address(item.inside, item.at, item.at + item.size)
    else:
        with reading(item.inside, note=False) as file:
            file.seek(item.at)
            data = file.read(item.size)
    if len(data) != item.size:
        raise DataError(f"{item.path}: {item.inside} ends within it")
    return data


def _rows(holder: str, items: list[Item], column: str | None) -> Iterator[Fetch]:
    """Rows of a Parquet file: its items in a shard follow one another, and stretches of them are read at once."""
    stretches = groupby(enumerate(items), lambda pair: pair[1].at - pair[0])
    for _, pairs in stretches:
        yield from _stretch(holder, [item for _, item in pairs], column)


def _stretch(holder: str, items: list[Item], column: str | None) -> Iterator[Fetch]:
    """Rows that follow one another; where the file is broken, each alone, so that only the broken ones lack."""
    rows, number = range(items[0].at, items[-1].at + 1), 0
    why = DataError(f"{items[0].path}: {holder} has no such row any more")
    try:
        with closing(_open(holder)) as file:
            for number, data in enumerate(read_rows(file, holder, column, rows), 1):
                yield partial(_there, items[number - 1], data)
    except DataError as e:
        if isinstance(e, Outage):
            raise
        why = e
    except (OSError, ValueError, NotImplementedError) as e:  # pyarrow's: an OSError of a store has a number
        if is_address(holder) and isinstance(e, OSError) and e.errno is not None:
            raise Outage(f"cannot reach {holder}: {e}") from None
        why = DataError(f"{items[0].path}: {holder} is broken there: {first_line(e)}")
    if len(items) == 1:
        yield from (partial(_fail, why) for _ in items[number:])
    else:
        for item in items[number:]:
            yield from _stretch(holder, [item], column)


def _open(holder: str) -> IO[bytes]:
    return open_address(holder) if is_address(holder) else reading(holder, note=False)


def _fail(why: DataError) -> bytes:
    raise why


def _there(item: Item, data: bytes | None) -> bytes:
    if data is None:
        raise DataError(f"{item.path}: the row has no picture")
    return data
