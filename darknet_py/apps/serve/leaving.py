"""The end of a connection: what was sent last is read by the client, and who reads nothing does not stay for ever.

Decision: nothing is closed where bytes may wait. To close a socket with bytes unread in it is a reset, and a reset
takes from the client what it has not read yet: the answer to the request before, or why this one is refused.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any

LINGER = 1.0  # seconds in which what a client still sends is thrown away, so that it reads the last answer
AGAIN = 0.1  # seconds between two looks at whether the client has taken everything
UNTAKEN = "untaken"  # what a transport that has another one below it calls the bytes of both


class Leaving:
    """A transport of asyncio's whose `close` says that this is the end, and closes when the client has, or later.

    What is not taken by the client after `patience` seconds is thrown away.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, patience: float) -> None:
        self._transport, self._loop, self._patience = transport, loop, patience
        self._left: float | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    @property
    def untaken(self) -> int:
        """How many bytes were sent that the client has not taken, and the system not either."""
        own = self._transport.get_extra_info(UNTAKEN) or self._transport.get_write_buffer_size
        return int(own())

    def is_closing(self) -> bool:
        """Whether nothing that comes is read any more, and nothing more is sent."""
        return self._left is not None or self._transport.is_closing()

    def close(self) -> None:
        """Send what is to be sent, and the end of it."""
        if self.is_closing():
            return
        self._left = self._loop.time()
        if not self._transport.can_write_eof():  # TLS, which says so itself when it is closed, and then waits as long
            self._when_taken(self._transport.close)
            return
        self._transport.write_eof()
        self._transport.resume_reading()
        self._loop.call_later(LINGER, self._when_taken, self._transport.abort)

    def _when_taken(self, end: Callable[[], None]) -> None:
        assert self._left is not None, "close comes first"
        if self.untaken and self._loop.time() < self._left + self._patience:
            self._loop.call_later(AGAIN, self._when_taken, end)
        else:
            end()


def is_waiting(socket: Any) -> bool:
    """Whether something has arrived at a socket that nobody has taken: bytes, an end, or a connection."""
    with selectors.DefaultSelector() as selector:
        selector.register(socket, selectors.EVENT_READ)
        return bool(selector.select(0))
