"""A picture at an http:// or https:// address: fetched within a time and a size, and never by any other scheme."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import PurePosixPath
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote, urlsplit

from ..errors import DataError
from .decode import check_length

if TYPE_CHECKING:
    from urllib.request import OpenerDirector, Request

WAIT_SECONDS = 10  # for a connection, and for each answer on it
TOTAL_SECONDS = 60
CHUNK = 1 << 16
BUSY = (408, 429)  # statuses that ask for patience, as all from 500 on
SCHEMES = ("http", "https")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_KEPT = "!#$%&'()*+,/:;=?@[]~"  # in an address; anything else is escaped


class Unreachable(DataError):
    """A server that does not answer as it should, or breaks off: later it may do better."""


def scheme_of(text: str) -> str | None:
    """The scheme of what looks like an address, in lower case; a drive's letter is none.

    >>> scheme_of("HTTP://a/b.jpg"), scheme_of("c:/b.jpg"), scheme_of("b.jpg")
    ('http', None, None)
    """
    match = _SCHEME.match(text)
    return match[1].lower() if match else None


def name_of(url: str) -> str:
    """What a file from an address is called.

    >>> name_of("http://a/photos/my%20dog.jpg?size=large"), name_of("http://a/")
    ('my dog.jpg', 'picture')
    """
    name = PurePosixPath(unquote(urlsplit(url).path).replace("\\", "/")).name
    name = "".join(c for c in name if c.isprintable() and c not in '<>:"|?*')
    return name if name.strip(". ") else "picture"


def content_type(url: str) -> str:
    """The type of what is at an address ('image/png'), of which nothing more is read; empty where nobody says it."""
    from http.client import HTTPException
    from urllib.error import HTTPError

    try:
        with _opener().open(_request(url), timeout=WAIT_SECONDS) as answer:
            return str(answer.headers.get_content_type())
    except HTTPError as e:
        e.close()  # it is an open answer, too
    except (OSError, HTTPException, ValueError):
        pass  # whoever reads it tells what is wrong
    return ""


def _request(url: str) -> Request:
    from urllib.request import Request

    return Request(quote(url, safe=_KEPT), headers={"User-Agent": "darknet-py", "Accept": "image/*,*/*;q=0.1"})


def fetch_picture(url: str) -> bytes:
    """The bytes at an address. Raises `DataError` if they cannot be had, are a web page, or are too many or slow."""
    # In a thread of its own: a server that sends a byte now and then never runs into the time-out of a socket.
    answers: list[bytes | DataError] = []
    thread = Thread(target=lambda: answers.append(_outcome(lambda: _fetch(url))), daemon=True)
    thread.start()
    thread.join(TOTAL_SECONDS)
    answer = answers[0] if answers else Unreachable(f"cannot fetch {url}: not there after {TOTAL_SECONDS} seconds")
    if isinstance(answer, DataError):
        raise answer
    return answer


def _outcome(get: Callable[[], bytes]) -> bytes | DataError:
    try:
        return get()
    except DataError as e:
        return e


def _fetch(url: str) -> bytes:
    from http.client import HTTPException
    from urllib.error import HTTPError

    end = time.monotonic() + TOTAL_SECONDS
    try:
        with _opener().open(_request(url), timeout=WAIT_SECONDS) as answer:
            kind = answer.headers.get_content_type()
            if kind == "text/html":
                raise DataError(f"{url}: a web page (text/html), not a picture: use the address of the picture itself")
            if kind.startswith(("video/", "multipart/")):
                raise DataError(f"{url}: a video ({kind}), not a picture: give it as a source of its own")
            data = bytearray()
            while chunk := answer.read1(CHUNK):
                data += chunk
                check_length(len(data), url)
                if time.monotonic() > end:  # nobody waits for it any more
                    raise Unreachable(f"cannot fetch {url}: not there after {TOTAL_SECONDS} seconds")
            _check_length(url, answer.headers.get("Content-Length"), len(data))
    except HTTPError as e:
        e.close()  # it is an open answer, too
        kind = Unreachable if e.code in BUSY or e.code >= 500 else DataError
        raise kind(f"cannot fetch {url}: {e.code} {e.reason}") from None
    except (OSError, HTTPException, ValueError) as e:  # urllib's own errors are OSErrors, a bad address a ValueError
        reason = getattr(e, "reason", None) or e
        kind = Unreachable if _may_pass(reason) else DataError
        raise kind(f"cannot fetch {url}: {reason or type(e).__name__}") from None
    return bytes(data)


def _may_pass(reason: object) -> bool:
    """Whether a later try may do better: a name that nobody has, a bad certificate and a bad address stay."""
    from http.client import HTTPException, InvalidURL
    from socket import EAI_AGAIN, gaierror

    if isinstance(reason, gaierror):
        return reason.errno == EAI_AGAIN
    return isinstance(reason, OSError | HTTPException) and not isinstance(reason, ValueError | InvalidURL)


def _check_length(url: str, promised: str | None, have: int) -> None:
    if promised and promised.isdigit() and have < int(promised):
        raise Unreachable(f"cannot fetch {url}: the connection ended after {have:,} of {int(promised):,} bytes")


def _opener() -> OpenerDirector:
    """What follows redirections to http and https only: urllib's own would read files and FTP as well."""
    from urllib import request

    opener = request.OpenerDirector()
    for handler in (
        request.ProxyHandler, request.UnknownHandler, request.HTTPHandler, request.HTTPSHandler,
        request.HTTPDefaultErrorHandler, request.HTTPRedirectHandler, request.HTTPErrorProcessor,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener
