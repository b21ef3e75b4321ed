"""The end of a server: from the moment in which it is asked to stop to the last answer.

Decision: what a client has sent on an open connection is answered, wherever it is at that moment, so there is an order.
First every answer says that its connection ends, while everybody is still served. Then the system makes no new
connections, and those that it has made are taken: to close a socket that listens is a reset for all of them. Only then
it is closed. A connection ends with its answer, or when it has been silent for a time (see `connection`).
"""

from __future__ import annotations

import asyncio
import ctypes
import socket
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from types import FrameType
from typing import Any

import uvicorn

from .guard import Guard
from .leaving import is_waiting

HALFWAY = 0.25  # seconds in which a connection that is being made is made, also to somebody far away
MOST = 5.0  # seconds in which those that are made are taken, whatever happens
SOON = 0.01

# A filter of packets for a listening socket, in the kernel's words (linux/filter.h, asm-generic/socket.h): those that
# ask for a connection (SYN, bit 2 of the byte 13 of TCP's head) are dropped, all others pass.
SO_ATTACH_FILTER = 26
NO_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))


class Server(uvicorn.Server):  # type: ignore[misc]  # uvicorn is not looked into
    """uvicorn's server, which says when it has begun, and when it is asked to stop loses nothing that was accepted.

    `backlog` connections are made by the system before they are taken. `linger` is how many seconds it goes on as
    before, but for what it says, when it is asked to stop; `cannot` makes an error of one of the system's.
    """

    def __init__(
        self, config: Any, guard: Guard, backlog: int, linger: float, ready: Callable[[], None],
        cannot: Callable[[OSError], Exception],
    ) -> None:  # fmt: skip
        super().__init__(config)
        self._gate, self._backlog, self._linger, self._tell, self._cannot = guard, backlog, linger, ready, cannot
        self._end: float | None = None

    async def startup(self, sockets: Any = None) -> None:
        """Begin to take connections; an error where another process has begun to in the meantime."""
        try:
            await super().startup(sockets)
            for one in sockets:  # more than are taken at a time, lest they all be there before the first is refused
                one.listen(self._backlog)
        except OSError as e:
            raise self._cannot(e) from None
        self._tell()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal: not ready any more, and in a moment no new connections. A second one does not wait."""
        if self._gate.is_stopping:
            self.should_exit = self.force_exit = True
            return
        self._gate.is_stopping = True
        self._end = monotonic() + self._linger

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second: whether the server is to end now."""
        if self._end is not None and monotonic() >= self._end:
            self.should_exit = True
        return bool(await super().on_tick(counter))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nobody new, but all who are connected; then wait for them as uvicorn does."""
        await self._take_the_last(sockets or [])
        for server in self.servers:
            server.close()
        await asyncio.sleep(SOON)  # who was taken last becomes a connection that is asked to end
        await super().shutdown(sockets)

    async def _take_the_last(self, listening: Sequence[socket.socket]) -> None:
        """Until nobody is connected who was not taken; where the system cannot be told to wait, as good as that."""
        for one in listening:
            refuse_new(one)
        start = monotonic()
        while not self.force_exit and (passed := monotonic() - start) < MOST:
            if passed >= HALFWAY and not any(map(is_waiting, listening)):
                return
            await asyncio.sleep(SOON)


def refuse_new(listening: socket.socket) -> bool:
    """Have the system drop requests for connections, on Linux; whether it does.

    Who connects then asks again, a second later, and is refused where nobody listens any more.
    """
    if sys.platform != "linux":
        return False
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in NO_SYN))
    with suppress(OSError):
        listening.setsockopt(
            socket.SOL_SOCKET, SO_ATTACH_FILTER, struct.pack("@HP", len(NO_SYN), ctypes.addressof(code))
        )
        return True
    return False
