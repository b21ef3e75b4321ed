"""Addresses such as `s3://bucket/photos`, which fsspec opens; everything else is a path of this machine.

Decision: what is not there is a fault of the picture, and becomes a row. Everything else that a store answers (no
network, no permission, too many requests) is an `Outage`: it is tried again, and then stops the shard, not the run, so
that no picture is given up for a reason that passes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import IO, Any, TypeVar

from ...errors import DarknetError, DataError
from ...version import requirement
from ...vision.decode import check_length
from ...vision.web import SCHEMES, Unreachable, fetch_picture, scheme_of

T = TypeVar("T")

WAITS = (0.5, 2.0, 8.0)  # seconds before each further try


class Outage(DataError):
    """A store that does not answer as it should, or whose library is missing here: later, or elsewhere, it may."""


def is_address(text: str) -> bool:
    """Whether a source is an address.

    >>> is_address("s3://bucket/a.jpg"), is_address("photos/a.jpg"), is_address("c:/a.jpg")
    (True, False, False)
    """
    return scheme_of(text) is not None


def is_page(text: str) -> bool:
    """Whether a source is an address of a web server, from which single pictures are fetched without fsspec."""
    return scheme_of(text) in SCHEMES


@lru_cache(64)
def store_of(scheme: str) -> Any:
    """fsspec's file system of a scheme, which remembers no listings. Raises `DataError` with what to install."""
    try:
        import fsspec
    except ModuleNotFoundError:
        raise Outage(f"{scheme}:// needs fsspec: pip install {requirement('batch')}") from None
    try:
        return fsspec.filesystem(scheme, use_listings_cache=False)
    except ImportError as e:
        raise Outage(f"{scheme}://: {e}") from None
    except ValueError:
        raise DataError(f"{scheme}:// is an address that fsspec does not know") from None


def opened(address: str) -> tuple[Any, str]:
    """The file system of an address, and the path in it."""
    store = store_of(scheme_of(address) or "")
    return store, store._strip_protocol(address)


def open_address(address: str) -> IO[bytes]:
    """What is at an address, to be read from any place in it. Raises `DataError`."""
    store, path = opened(address)
    return tried(address, lambda: store.open(path, "rb"))


def read_address(address: str, start: int | None = None, end: int | None = None) -> bytes:
    """The bytes at an address, or those from `start` to `end`. Raises `DataError`, `Outage` for what may pass."""
    if is_page(address) and start is None:
        return tried(address, lambda: fetch_picture(address))
    store, path = opened(address)
    data: bytes = tried(address, lambda: store.cat_file(path, start=start, end=end))
    check_length(len(data), address)
    return data


def tried(address: str, ask: Callable[[], T]) -> T:
    """What a store answers, asked again where it fails."""
    for wait in WAITS:
        try:
            with told(address):
                return ask()
        except Outage:
            time.sleep(wait)
    with told(address):
        return ask()


@contextmanager
def told(address: str) -> Iterator[None]:
    """A block in which the errors of a store become `DataError` and `Outage`."""
    try:
        yield
    except Unreachable as e:
        raise Outage(str(e)) from None
    except DarknetError:
        raise
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise DataError(f"cannot read {address}: there is no such file") from None
    except Exception as e:  # each store has errors of its own
        raise Outage(f"cannot reach {address}: {type(e).__name__}: {e}") from None
