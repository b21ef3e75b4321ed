"""A connection of uvicorn's that does not wait for ever: heads within a time, at most so many connections at once.

Decision: what has to do with bytes on a socket is here, below the application, because a client that never ends its
head never gets to an application that could refuse it.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from .limits import Limits

LINGER = 1.0  # seconds in which what a refused client still sends is thrown away, so that it reads why
GRACE = 0.25  # seconds in which a connection that is being closed still takes a request that was on its way

CHUNKS = 1000  # of a body that may be of any size
CHUNK_BYTES = 256  # that the others have on average: to take one apart costs the same however small it is


def connection_class(limits: Limits) -> type[asyncio.Protocol]:
    """The class of connections within these limits, which uvicorn makes one of for each."""
    made: type[asyncio.Protocol] = type("Connection", (LimitedConnection,), {"limits": limits})
    return made


class _Parser(h11.Connection):  # type: ignore[misc]  # h11 is not looked into
    """h11's parser, which holds up everybody else while it takes thousands of chunks apart, and so does not."""

    _chunks = _bytes = 0

    def next_event(self) -> Any:
        """The next event; `RemoteProtocolError` too for a body in chunks of a few bytes."""
        event = super().next_event()
        if isinstance(event, h11.Request):
            self._chunks = self._bytes = 0
        elif isinstance(event, h11.Data):
            self._chunks += event.chunk_start
            self._bytes += len(event.data)
            if self._chunks > CHUNKS and self._chunks * CHUNK_BYTES > self._bytes:
                raise h11.RemoteProtocolError(f"chunks of less than {CHUNK_BYTES} bytes")
        return event


class LimitedConnection(H11Protocol):  # type: ignore[misc]  # uvicorn is not looked into
    """One connection: `limits` say how many there may be, and how long a head may take."""

    limits = Limits()
    _timer: asyncio.TimerHandle | None = None
    _received = _refused = False

    def connection_made(self, transport: Any) -> None:
        """Somebody is there."""
        super().connection_made(transport)
        self.conn = _Parser(h11.SERVER, self.limits.head)
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "as many connections as there may be", "Retry-After: 1\r\n")
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._forget_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes: of a head, of a body, or of a body that nobody reads any more, which may go on only so long."""
        if self._refused:
            return
        self._received = True
        if self._timer is None and not self._is_busy():
            self._expect_head()
        super().data_received(data)
        if self._is_busy():
            self._forget_head()

    def eof_received(self) -> None:
        """The client sends no more: what is not whole by then is answered, what is whole is for nobody any more."""
        if self._refused:
            return
        if (self._timer is not None and self._received) or (self._is_busy() and self.cycle.more_body):
            self._refuse(400, "the request ended before it was whole")

    def shutdown(self) -> None:
        """The server ends: finish what was begun, and what was on its way when that was decided."""
        if self._is_busy() and not self._refused:
            super().shutdown()
        else:
            self.loop.call_later(GRACE, self._end)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, where an answer is still to be given."""
        self._refuse(400, msg)

    def _end(self) -> None:
        if self._is_busy() and not self._refused:
            super().shutdown()
        else:
            self.transport.close()

    def _is_busy(self) -> bool:
        """Whether a request is being worked on."""
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(self.limits.head_seconds, self._on_slow_head)

    def _forget_head(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_slow_head(self) -> None:
        self._timer = None
        if self._refused or self._is_busy():
            return
        if self._received and self.conn.our_state is h11.IDLE:
            self._refuse(408, f"the head of the request was not here after {self.limits.head_seconds:g} seconds")
        else:
            self.transport.close()

    def _refuse(self, status: int, why: str, more: str = "") -> None:
        """An answer without an application, and the end of the connection."""
        begun = self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE) or (self.cycle and self.cycle.response_started)
        if not begun:
            body = json.dumps({"error": why}).encode()
            head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n"
            head += f"Content-Length: {len(body)}\r\nConnection: close\r\n{more}\r\n"
            self.transport.write(head.encode() + body)
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self._refused = True
        # To close at once where bytes wait unread is a reset, which can overtake the answer.
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.loop.call_later(LINGER, self.transport.close)
        else:
            self.transport.close()
