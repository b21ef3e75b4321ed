"""Fetching the bytes at an address: as many as they should be, from a server that keeps sending.

Decision: the server is read by a thread of its own, and whoever waits for it looks at the clock. A time-out of a socket
is none here: it begins anew with each byte, so a server that sends one every few seconds is never given up.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Full, Queue
from threading import Event, Thread
from typing import Any

from ..errors import ZooError

CONNECT_SECONDS = 5  # of silence
STALLED_SECONDS, STALLED_BYTES = 10.0, 10 << 10  # less than so many bytes in so many seconds is no transfer
CHUNK = 1 << 18
SAID = 200  # characters of what a server says went wrong
WAITING = 16  # chunks that have come and are not yet written

_RANGE = re.compile(r"bytes (\d+)-")


@dataclass(frozen=True)
class _Begin:
    """What a server says before it sends: the first byte that comes, and how many there will be if it says so."""

    start: int
    length: int | None


def download(url: str, size: int, part: Path, least: int | None = None) -> bytes:
    """The bytes at `url`, `size` of them or one less, after those that an earlier attempt left in `part`.

    With `least`, any number of them from that to `size`, where no more is known. What came stays in `part` where the
    transfer breaks off. Raises `ZooError` or `OSError`.
    """
    least = size - 1 if least is None else least
    have = part.stat().st_size if part.exists() else 0
    if have >= size:
        part.unlink()
        have = 0
    try:
        whole = _receive(url, least, size, part, have)
    except _NoSuchRangeError:  # what is there is no beginning of what the server has
        part.unlink(missing_ok=True)
        whole = _receive(url, least, size, part, 0)
    data = part.read_bytes()
    if len(data) > size:
        part.unlink()
        raise ZooError(f"the server sends more than the {size:,} bytes that the file has")
    if len(data) < max(least, whole):
        raise ZooError(f"the connection ended after {len(data):,} of {max(whole, least + 1):,} bytes")
    part.unlink()
    return data


class _NoSuchRangeError(Exception):
    """The server has nothing from there on."""


def _receive(url: str, least: int, size: int, part: Path, have: int) -> int:
    """Write what comes into `part`; how many bytes the server says there are, 0 where it does not."""
    stream = _stream(url, have)
    begin = next(stream)
    assert isinstance(begin, _Begin), "the stream opens with it"
    if begin.start not in (0, have):
        raise ZooError(f"the server sends from byte {begin.start:,} on, not from {have:,}")
    whole = 0 if begin.length is None else begin.start + begin.length
    if begin.length is not None and not least <= whole <= size:
        wanted = f"the file {size:,}" if least == size - 1 else f"the file at most {size:,}"
        raise ZooError(f"the server has {whole:,} bytes, and {wanted}")
    with part.open("ab" if begin.start else "wb") as out:
        for chunk in stream:
            out.write(chunk)
            if out.tell() > size:
                return whole
    return whole


def _stream(url: str, have: int) -> Iterator[Any]:
    """What the server says, then chunks of bytes. Raises `ZooError` or `OSError`, also where it is too slow."""
    queue: Queue[Any] = Queue(WAITING)
    stop = Event()
    Thread(target=_work, args=(url, have, queue, stop), daemon=True).start()
    begun, came = time.monotonic(), 0
    try:
        while True:
            try:
                item = queue.get(timeout=max(0.0, begun + STALLED_SECONDS - time.monotonic()))
            except Empty:
                item = b""
            if item is None:
                return
            if isinstance(item, Exception):
                raise item
            if item:
                yield item
            came += len(item) if isinstance(item, bytes) else 0
            if time.monotonic() - begun >= STALLED_SECONDS:
                if came < STALLED_BYTES:
                    raise ZooError(f"too slow: {came:,} bytes in {STALLED_SECONDS:g} seconds")
                begun, came = time.monotonic(), 0
    finally:
        stop.set()


def _work(url: str, have: int, queue: Queue[Any], stop: Event) -> None:
    """Read a server into a queue: `_Begin`, chunks, and at the end None or what went wrong."""
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    def put(item: Any) -> None:
        while not stop.is_set():
            with suppress(Full):
                queue.put(item, timeout=0.1)
                return

    try:
        headers = {"User-Agent": "darknet-py", "Range": f"bytes={have}-"}
        with urlopen(Request(url, headers=headers), timeout=CONNECT_SECONDS) as answer:
            put(_begin(answer, have))
            while not stop.is_set() and (chunk := answer.read1(CHUNK)):
                put(chunk)
        put(None)
    except HTTPError as e:
        put(_NoSuchRangeError() if e.code == 416 and have else ZooError(f"HTTP {e.code}: {_plain(e.reason)}"))
    except (HTTPException, ValueError) as e:  # ValueError: an address that is none, in a redirection
        put(ZooError(_plain(e) or type(e).__name__))
    except Exception as e:  # OSErrors, and what is a fault of ours: raised where somebody waits
        put(e)


def _plain(text: object) -> str:
    """What a server says, fit for a terminal."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in str(text)[:SAID])


def _begin(answer: Any, have: int) -> _Begin:
    told = answer.headers.get("Content-Length", "")
    length = int(told) if told.isascii() and told.isdigit() else None
    if answer.status != 206:
        return _Begin(0, length)
    stated = _RANGE.match(answer.headers.get("Content-Range", ""))
    return _Begin(int(stated[1]) if stated else have, length)
