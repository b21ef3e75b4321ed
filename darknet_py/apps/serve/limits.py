"""What a client may ask of the server, in numbers, and how a request is turned away that asks for more.

Decision: every limit has one home, here, and a default that is on: what nobody configured is fit for strangers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from ...errors import DarknetError

MEBI = 1 << 20


class Refusal(DarknetError):
    """A request that is turned away: a status of HTTP, why, and headers that go with it."""

    def __init__(self, status: int, why: str, headers: Mapping[str, str] | None = None) -> None:
        self.status, self.headers = status, dict(headers or {})
        super().__init__(why)


@dataclass(frozen=True)
class Limits:
    """The most that a request, a connection and all of them together may take.

    `body` is in bytes, as sent and as unpacked; `pixels` are those of a picture, before it is decoded; `scans` are the
    passes of a progressive JPEG, each of which costs as much as a picture. `queue` pictures of a model wait or are
    computed at a time, `memory` is in bytes of all bodies that are being received or worked on. `head` is in bytes.
    The rest is seconds: for the head of a request to arrive, for its body, for its answer to be taken, between two
    requests of a connection, and when the server is asked to stop: in which a connection has to be silent to be ended,
    and for what was accepted to be finished.
    """

    body: int = 32 * MEBI
    pixels: int = 50_000_000
    scans: int = 100
    queue: int = 32
    connections: int = 512
    memory: int = 256 * MEBI
    head: int = 16 << 10
    head_seconds: float = 10.0
    body_seconds: float = 30.0
    answer_seconds: float = 60.0
    idle_seconds: float = 15.0
    silent_seconds: float = 1.0
    stop_seconds: float = 30.0


@dataclass
class Budget:
    """How many bytes of bodies are held at the moment, of at most so many."""

    most: int
    held: int = field(default=0, init=False)

    def take(self, count: int) -> None:
        """Hold so many more; `Refusal` (503) where that would be too many."""
        if self.held + count > self.most:
            raise Refusal(503, "the server holds as many bytes of requests as it may", {"Retry-After": "1"})
        self.held += count

    def give_back(self, count: int) -> None:
        """Hold so many less."""
        self.held -= count

    @contextmanager
    def portion(self) -> Iterator[Portion]:
        """What one request holds; all of it is given back when the block ends."""
        portion = Portion(self)
        try:
            yield portion
        finally:
            self.give_back(portion.held)


@dataclass
class Portion:
    """The bytes that one request holds."""

    budget: Budget
    held: int = field(default=0, init=False)

    def grow(self, total: int) -> None:
        """Hold `total` bytes, if that is more than now; `Refusal` (503) as `Budget.take`."""
        if total > self.held:
            self.budget.take(total - self.held)
            self.held = total
