"""A client that costs little: one thread, kept connections, requests that are made once and sent as they are."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Client:
    """Connections to a server on this machine that are kept."""

    port: int
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    async def ask(self, request: bytes) -> tuple[int, float]:
        """Send a request; the status of its answer and the seconds until that was whole, 0 where there was none.

        A kept connection that the server has closed meanwhile is no failure: another is made, as all clients do.
        """
        start = time.perf_counter()
        while self.idle:
            reader, writer = self.idle.pop()
            if not (reader.at_eof() or writer.is_closing()) and (status := await self._answer(reader, writer, request)):
                return status, time.perf_counter() - start
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        except OSError:
            return 0, time.perf_counter() - start
        return await self._answer(reader, writer, request), time.perf_counter() - start

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> int:
        try:
            writer.write(request)
            await writer.drain()
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return 0
        self.idle.append((reader, writer))
        return int(head[9:12])

    async def close(self) -> None:
        """Close all connections."""
        for _, writer in self.idle:
            writer.close()
        self.idle.clear()


def post(path: str, body: bytes, *headers: str, length: object = None) -> bytes:
    """A request with a body; `length` is what it says of that, if not the truth."""
    head = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body) if length is None else length}"]
    return "\r\n".join([*head, *headers, "", ""]).encode("latin-1") + body


async def closed_loop(client: Client, request: bytes, count: int, clients: int) -> list[tuple[int, float]]:
    """`count` requests by some clients, each of whom waits for an answer before the next."""
    left = iter(range(count))

    async def one() -> list[tuple[int, float]]:
        return [await client.ask(request) for _ in left]

    found = await asyncio.gather(*(one() for _ in range(clients)))
    return [answer for answers in found for answer in answers]


async def open_loop(client: Client, request: bytes, gaps: Callable[[], float], count: int) -> list[tuple[int, float]]:
    """`count` requests, each some seconds after the one before, whatever has become of that."""
    tasks = []
    due = time.perf_counter()
    for _ in range(count):
        tasks.append(asyncio.create_task(client.ask(request)))
        due += gaps()
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
    return list(await asyncio.gather(*tasks))
