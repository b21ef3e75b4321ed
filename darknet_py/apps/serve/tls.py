"""TLS of a connection, from its first byte on: who only begins it is counted, and has no longer than for a head.

Decision: asyncio tells a protocol of a connection when it is agreed on, and until then it costs more than all the rest
(a quarter of a megabyte), for a minute, as often as somebody likes. So the protocol that agrees is made here.
"""

from __future__ import annotations

import asyncio
import math
import ssl
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable

from .leaving import LINGER, UNTAKEN
from .limits import Limits

SPARE = 64  # connections beyond those that there may be, which are told so


def secured(inner: Callable[..., asyncio.Protocol], context: ssl.SSLContext, limits: Limits) -> Callable[..., Agreeing]:
    """What makes protocols that agree on TLS and are then `inner` ones."""
    there: set[Agreeing] = set()

    def made(*, _loop: asyncio.AbstractEventLoop | None = None, **given: object) -> Agreeing:
        loop = _loop or asyncio.get_running_loop()
        return Agreeing(loop, inner(_loop=loop, **given), context, limits, there)

    return made


class Agreeing(SSLProtocol):
    """asyncio's protocol of TLS, one of those that are `there`, of which there are only so many."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, inner: asyncio.Protocol, context: ssl.SSLContext, limits: Limits,
        there: set[Agreeing],
    ) -> None:  # fmt: skip
        agreed: asyncio.Future[None] = loop.create_future()
        agreed.add_done_callback(_heed)
        super().__init__(
            loop, inner, context, agreed, server_side=True, ssl_handshake_timeout=math.ceil(limits.head_seconds),
            ssl_shutdown_timeout=math.ceil(LINGER),
        )  # fmt: skip
        self._extra[UNTAKEN] = self._untaken
        self._there, self._most = there, limits.connections + SPARE

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody is there."""
        assert isinstance(transport, asyncio.Transport), "it is one of a socket"
        self._there.add(self)
        if len(self._there) > self._most:
            transport.abort()
        else:
            super().connection_made(transport)

    def _untaken(self) -> int:
        below = self._transport.get_write_buffer_size() if isinstance(self._transport, asyncio.Transport) else 0
        return below + (self._app_transport.get_write_buffer_size() if self._app_transport else 0)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Nobody is there any more."""
        self._there.discard(self)
        super().connection_lost(exc)


def _heed(agreed: asyncio.Future[None]) -> None:
    """Look at what has come of it: an error that nobody looks at is told on stderr."""
    if not agreed.cancelled():
        agreed.exception()
