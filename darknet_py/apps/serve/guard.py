"""Who may pass: what a request goes through before and after the application, and the one line that is kept of it.

Decision: one wrapper around the whole application, so that no address can be added that is not guarded and logged. An
answer that is no success is JSON with `error`, as the protocol's clients want it.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
import time
import traceback
from asyncio import CancelledError
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException

from ...errors import BackendError, DarknetError, Say
from .bodies import GoneError
from .limits import Limits, Refusal
from .metrics import OTHER, Metrics
from .served import Times

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = ("localhost", "127.0.0.1", "::1")
# What says nothing that a stranger may not know, and is asked by those who have no token yet, or never will.
PUBLIC = frozenset(("/", "/page.js", "/look.js", "/look.css", "/openapi.json", "/v2/health/live", "/v2/health/ready"))
ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
NO_ROUTE = {
    404: "no such address: see /openapi.json",
    405: "not by this method: pictures come by POST",
}
GONE = 499  # nginx's number for a client that left; nobody gets it
GUARDS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cache-control": "no-store",
}


@dataclass
class Told:
    """What the application tells of a request, for its line and for the metrics."""

    model: str = OTHER
    version: str = ""
    rows: int = 0
    received: int = 0
    times: Times | None = None


@dataclass
class Guard:
    """The wrapper around the application `inner`.

    `token` is what clients must show, `hosts` the names under which the server may be addressed (None: any); `write` is
    given a line for each request. `head` is how many bytes the headers may have together. `is_stopping` is set when the
    server has been asked to end.
    """

    inner: App
    metrics: Metrics
    write: Say
    token: str | None = None
    hosts: frozenset[str] | None = None
    head: int = Limits.head
    is_stopping: bool = field(default=False, init=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, or the beginning and end of the server's life, which pass as they are."""
        if scope["type"] != "http":
            await self.inner(scope, receive, send)
            return
        start = time.perf_counter()
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        given = headers.get("x-request-id", "")
        identity = given if ID.fullmatch(given) else secrets.token_hex(8)
        told = Told()
        scope["state"] = {"told": told}
        scope["app"] = self  # a router that is in an application raises where there is no route
        answer = _Answer(send, {**GUARDS, "x-request-id": identity}, lambda: self.is_stopping)
        fault = ""
        try:
            self._check(scope, headers)
            await self.inner(scope, receive, answer.send)
        except GoneError:
            answer.status = GONE
        except CancelledError:  # the server does not wait any longer
            if not answer.begun:
                await answer.fail(503, "the server has been stopped")
            raise
        except Exception as e:
            fault = await self._answer(answer, e)
        seconds = time.perf_counter() - start
        self.metrics.request(told.model, told.version, answer.status, told.rows, seconds, told.times)
        self.write(_line(identity, scope, answer, told, seconds, fault))

    async def _answer(self, answer: _Answer, error: Exception) -> str:
        """Tell a client what went wrong; what to write down of it, where it is not the client's fault."""
        if answer.begun:
            return _trace(error)
        if isinstance(error, Refusal):
            await answer.fail(error.status, str(error), error.headers)
            return ""
        if isinstance(error, HTTPException):
            await answer.fail(error.status_code, NO_ROUTE.get(error.status_code, error.detail), error.headers)
            return ""
        if isinstance(error, MemoryError):
            await answer.fail(503, "not enough memory for this request", {"Retry-After": "1"})
            return "MemoryError"
        if isinstance(error, DarknetError) and not isinstance(error, BackendError):
            await answer.fail(400, str(error))
            return ""
        await answer.fail(500, str(error) if isinstance(error, BackendError) else "a fault of the server; it is logged")
        return _trace(error)

    def _check(self, scope: Scope, headers: Mapping[str, str]) -> None:
        """Raise `Refusal` for what is not to pass."""
        if sum(len(k) + len(v) for k, v in scope["headers"]) > self.head:
            raise Refusal(431, f"the headers have more than {self.head:,} bytes")
        host = headers.get("host", "")
        if self.hosts is not None and _host_name(host) not in self.hosts:
            raise Refusal(421, "the server is not called so: see --allow-host")
        origin = headers.get("origin")
        foreign = origin is not None and _origin_host(origin) != host.lower()
        foreign = foreign or (headers.get("sec-fetch-site") == "cross-site" and scope["method"] not in ("GET", "HEAD"))
        if foreign:
            raise Refusal(403, "pages of other servers may not ask this one")
        if self.token is None or scope["path"] in PUBLIC:
            return
        kind, _, shown = headers.get("authorization", "").partition(" ")
        if kind.lower() != "bearer" or not hmac.compare_digest(shown.strip().encode(), self.token.encode()):
            raise Refusal(401, "the server wants a token: Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"})


@dataclass
class _Answer:
    """An answer on its way: its status and size, and headers that every answer has.

    `is_last` says, when it begins, whether it is the last one of its connection.
    """

    out: Send
    headers: dict[str, str]
    is_last: Callable[[], bool]
    status: int = 500
    size: int = 0
    begun: bool = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun, self.status = True, message["status"]
            own = {k.lower() for k, _ in message["headers"]}
            every = {**self.headers, **({"connection": "close"} if self.is_last() else {})}
            more = [(k.encode(), v.encode("latin-1")) for k, v in every.items() if k.encode() not in own]
            message = {**message, "headers": [*message["headers"], *more]}
        else:
            self.size += len(message.get("body", b""))
        await self.out(message)

    async def fail(self, status: int, why: str, headers: Mapping[str, str] | None = None) -> None:
        body = json.dumps({"error": why}).encode()
        head = {"content-type": "application/json", "content-length": str(len(body)), **(headers or {})}
        pairs = [(k.lower().encode(), v.encode("latin-1")) for k, v in head.items()]
        await self.send({"type": "http.response.start", "status": status, "headers": pairs})
        await self.send({"type": "http.response.body", "body": body})


def _host_name(host: str) -> str:
    """The name in a Host header, without a port.

    >>> _host_name("LOCALHOST:8000"), _host_name("[::1]:80")
    ('localhost', '::1')
    """
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _origin_host(origin: str) -> str | None:
    """The host and port in an Origin header; None for what is no address.

    >>> _origin_host("http://LOCALHOST:8000"), _origin_host("http://[")
    ('localhost:8000', None)
    """
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _line(identity: str, scope: Scope, answer: _Answer, told: Told, seconds: float, fault: str) -> str:
    """What is kept of a request: no header, no query, no address and nothing of a picture."""
    line: dict[str, Any] = {
        "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "id": identity, "method": scope["method"], "path": scope["path"][:200], "status": answer.status,
        "reason": HTTPStatus(answer.status).phrase if answer.status != GONE else "the client left",
        "seconds": round(seconds, 6), "received": told.received, "sent": answer.size,
    }  # fmt: skip
    if told.model:
        line |= {"model": told.model, "version": told.version, "pictures": told.rows}
    if told.times is not None:
        line |= {f"{name}_seconds": round(value, 6) for name, value in vars(told.times).items()}
    if fault:
        line["fault"] = fault
    return json.dumps(line)


def _trace(error: Exception) -> str:
    return "".join(traceback.format_exception(error))[-4000:]
