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

from .leaving import Leaving, is_waiting
from .limits import Budget, Limits, Refusal

AGAIN = 0.1  # seconds after which a connection that is to end, and may not yet, is looked at again
CHUNKS = 1000  # of a body that may be of any size
CHUNK_BYTES = 256  # that the others have on average: to take one apart costs the same however small it is


def connection_class(limits: Limits) -> type[asyncio.Protocol]:
    """The class of connections within these limits, which uvicorn makes one of for each."""
    own = {"limits": limits, "untaken": Budget(limits.memory)}
    made: type[asyncio.Protocol] = type("Connection", (LimitedConnection,), own)
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
    """One connection: `limits` say how many there may be, and how long a head may take and an answer to be taken.

    `untaken` are the bytes of all answers that clients are slow to take.
    """

    limits = Limits()
    untaken = Budget(limits.memory)
    _timer: asyncio.TimerHandle | None = None
    _giving_up: asyncio.TimerHandle | None = None
    _received = False
    _heard = 0.0  # when something came last
    _held = 0

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Somebody is there."""
        super().connection_made(transport)
        self.transport = Leaving(transport, self.loop, self.limits.answer_seconds)
        self.conn = _Parser(h11.SERVER, self.limits.head)
        self._heard = self.loop.time()
        if len(self.connections) > self.limits.connections:
            self._refuse(503, "as many connections as there may be", "Retry-After: 1\r\n")
        else:
            self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is there any more."""
        self._forget_head()
        self._forget_answer()
        self._unset_keepalive_if_required()  # uvicorn does so only where the client ended, not where it broke off
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Bytes: of a head, of a body, or of a body that nobody reads any more, which may go on only so long."""
        if self.transport.is_closing():
            return
        self._received = True
        self._heard = self.loop.time()
        if self._timer is None and not self._is_busy():
            self._expect_head()
        super().data_received(data)
        if self._is_busy():
            self._forget_head()

    def eof_received(self) -> None:
        """The client sends no more: what is not whole by then is answered, what is whole is for nobody any more."""
        if not self.transport.is_closing() and (self._is_begun() or (self._is_busy() and self.cycle.more_body)):
            self._refuse(400, "the request ended before it was whole")

    def pause_writing(self) -> None:
        """The client takes an answer more slowly than it is given, which costs memory, and may go on only so long."""
        super().pause_writing()
        size = self.transport.untaken
        try:
            self.untaken.take(size)
        except Refusal:
            self.transport.abort()
            return
        self._held = size
        self._giving_up = self.loop.call_later(self.limits.answer_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """It has taken most of it."""
        self._forget_answer()
        super().resume_writing()

    def shutdown(self) -> None:
        """The server ends: so does this connection, with its answer, or when nothing has come for a time."""
        if self.transport.is_closing():
            return
        silent = self.loop.time() - self._heard
        if self._is_spoken_on():
            self.loop.call_later(AGAIN, self.shutdown)
        elif silent < self.limits.silent_seconds:
            self.loop.call_later(max(AGAIN, self.limits.silent_seconds - silent), self.shutdown)
        else:
            self.transport.close()

    def timeout_keep_alive_handler(self) -> None:
        """No request has come for a time since the last one; but one may just have arrived."""
        if not self._is_spoken_on():
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, where an answer is still to be given."""
        self._refuse(400, msg)

    def _is_busy(self) -> bool:
        """Whether a request is being worked on."""
        return self.cycle is not None and not self.cycle.response_complete

    def _is_begun(self) -> bool:
        """Whether a head has begun, and not ended."""
        return self._timer is not None and self._received

    def _is_spoken_on(self) -> bool:
        """Whether something is on its way in either direction, or has arrived and was not read yet."""
        return self._is_busy() or self._is_begun() or is_waiting(self.transport.get_extra_info("socket"))

    def _expect_head(self) -> None:
        self._timer = self.loop.call_later(self.limits.head_seconds, self._on_slow_head)

    def _forget_head(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _forget_answer(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None
        self.untaken.give_back(self._held)
        self._held = 0

    def _on_slow_head(self) -> None:
        self._timer = None
        if self.transport.is_closing() or self._is_busy():
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
        self.transport.close()
