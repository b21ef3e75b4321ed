"""The body of a request: received within a size and a time, unpacked within the same size, and taken apart.

Decision: nothing is written to disk and nothing is unpacked further than it may be long, so that what a client sends
costs at most what the limits say, whatever it claims to be.
"""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from io import BytesIO
from typing import Any

from python_multipart.multipart import MultipartParser, parse_options_header

from ...errors import DataError
from .limits import Limits, Portion, Refusal

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

UNPACKED = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}
STEP = 1 << 16  # bytes that are unpacked first, and then as many as there are already
CLOSE = {"Connection": "close"}
MAX_PARTS = 16  # of a form
MAX_PART_HEAD = 4096


class GoneError(Exception):
    """The client has left before its answer."""


async def read_body(receive: Receive, headers: Mapping[str, str], limits: Limits, portion: Portion) -> bytes:
    """The whole body, unpacked. Raises `Refusal`: 413 too large, 408 too slow, 415 packed in an unknown way, 503 for
    want of memory; `DataError` for one that is damaged, and `GoneError`.
    """
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limits.body:
        raise _too_large(limits)
    packing = headers.get("content-encoding", "").strip().lower()
    if packing not in ("", "identity", *UNPACKED):
        raise Refusal(
            415, f"a body is packed with gzip or deflate, or not at all, and not with {packing[:40]!r}", CLOSE
        )
    try:
        async with asyncio.timeout(limits.body_seconds):
            body = await _received(receive, limits, portion)
    except TimeoutError:
        raise Refusal(408, f"the body was not here after {limits.body_seconds:g} seconds", CLOSE) from None
    return await unpack(body, packing, limits, portion) if packing in UNPACKED else body


async def _received(receive: Receive, limits: Limits, portion: Portion) -> bytes:
    body = BytesIO()  # which grows in place and is given as it is: what came is there once, as it is counted
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise GoneError
        part = message.get("body", b"")
        size = body.tell() + len(part)
        if size > limits.body:
            raise _too_large(limits)
        portion.grow(size)
        body.write(part)
        if not message.get("more_body"):
            return body.getvalue()


async def unpack(body: bytes, packing: str, limits: Limits, portion: Portion) -> bytes:
    """A body that was packed, in steps, so that what is held is counted before there is more of it.

    Raises `Refusal`: 413 before it is longer than it may be, 503 for want of memory; `DataError` for damage.
    """
    machine = zlib.decompressobj(UNPACKED[packing])
    unpacked, rest = BytesIO(), body
    while not machine.eof:
        size = unpacked.tell()
        step = min(max(STEP, size), limits.body + 1 - size)
        portion.grow(len(body) + size + step)
        try:
            came = unpacked.write(await asyncio.to_thread(machine.decompress, rest, step))
        except zlib.error as e:
            raise DataError(f"the body is not packed with {packing}: {e}") from None
        if unpacked.tell() > limits.body:
            raise _too_large(limits)
        rest = machine.unconsumed_tail
        if not rest and came < step:
            break  # there is no more, though there should be
    if not machine.eof or machine.unused_data:
        raise DataError(f"the body ends {'after' if machine.eof else 'before'} what was packed with {packing}")
    return unpacked.getvalue()


def _too_large(limits: Limits) -> Refusal:
    return Refusal(413, f"a body has at most {limits.body:,} bytes, packed or unpacked", CLOSE)


def pack(body: bytes, accepted: str) -> tuple[bytes, str]:
    """A body as a client accepts it packed, and how; '' for as it is."""
    wanted = [
        part.partition(";")[0].strip().lower() for part in accepted.split(",") if "q=0" not in part.replace(" ", "")
    ]
    kind = next((k for k in ("gzip", "deflate") if k in wanted), "")
    if not kind:
        return body, ""
    machine = zlib.compressobj(1, wbits=UNPACKED[kind])
    return machine.compress(body) + machine.flush(), kind


def form_file(body: bytes, content_type: str) -> bytes:
    """The first file of a form (multipart/form-data). Raises `DataError` for what is no form, or one without a file."""
    _, options = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 200:
        raise DataError("the form says no boundary between its parts")
    form = _Form()
    try:
        parser = MultipartParser(boundary, form.callbacks())
        parser.write(body)
        parser.finalize()
    except Exception as e:  # the parser's own, and whatever a boundary makes of it
        raise DataError(f"the form is damaged: {e}") from None
    if form.file is None or not form.ended:
        raise DataError("the form has no file: curl -F image=@dog.jpg")
    return form.file.getvalue()


class _Form:
    """What the parser tells of a form: the first part that has a file name, and nothing of the others."""

    def __init__(self) -> None:
        self.file: BytesIO | None = None
        self.ended = False
        self._parts = 0
        self._head = bytearray()
        self._taking = False

    def callbacks(self) -> dict[str, Callable[..., None]]:
        """What the parser is to call."""
        return {
            "on_part_begin": self._begin, "on_header_field": self._header, "on_header_value": self._header,
            "on_headers_finished": self._named, "on_part_data": self._data, "on_end": self._end,
        }  # fmt: skip

    def _begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise ValueError(f"more than {MAX_PARTS} parts")
        self._head.clear()

    def _header(self, data: bytes, start: int, end: int) -> None:
        self._head += data[start:end] + b"\n"
        if len(self._head) > MAX_PART_HEAD:
            raise ValueError(f"more than {MAX_PART_HEAD} bytes in the head of a part")

    def _named(self) -> None:
        self._taking = self.file is None and b"filename" in self._head.lower()
        if self._taking:
            self.file = BytesIO()

    def _data(self, data: bytes, start: int, end: int) -> None:
        if self._taking and self.file is not None:
            self.file.write(memoryview(data)[start:end])

    def _end(self) -> None:
        self.ended = True
