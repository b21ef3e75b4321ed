"""Pictures from addresses, stdin and lists of paths, with a server of our own."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from darknet_py.errors import DataError
from darknet_py.vision import decode, web
from darknet_py.vision.sources import PictureFile, PictureUrl, expand, file_name, look_up, pictures

PIXELS = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
PNG = cv2.imencode(".png", PIXELS)[1].tobytes()


class Handler(BaseHTTPRequestHandler):
    """A few addresses, each with a fault of its own."""

    def do_GET(self) -> None:
        if self.path == "/away":
            return self.answer(302, b"", Location="/dog.png")
        if self.path == "/file":
            return self.answer(302, b"", Location="file:///etc/passwd")
        if self.path == "/page":
            return self.answer(200, b"<html>", **{"Content-Type": "text/html; charset=utf-8"})
        if self.path == "/cut.png":
            return self.answer(200, PNG[:50], **{"Content-Length": str(len(PNG))})
        if self.path == "/drip.png":
            self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
            with suppress(OSError):  # nobody listens any more
                while not self.server.done:  # type: ignore[attr-defined]  # the fixture's own flag
                    self.wfile.write(b"a")
                    self.server.tick.wait(0.02)  # type: ignore[attr-defined]  # likewise
            return None
        return self.answer(*((200, PNG) if self.path.startswith("/dog.png") else (404, b"none")))

    def answer(self, code: int, data: bytes, **headers: str) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    from threading import Event

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        httpd.done, httpd.tick = False, Event()  # type: ignore[attr-defined]  # for the handler
        Thread(target=httpd.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.done = True  # type: ignore[attr-defined]  # for the handler
        httpd.tick.set()  # type: ignore[attr-defined]  # for the handler
        httpd.shutdown()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.mark.parametrize("path", ["/dog.png", "/dog.png?size=large&b=ä", "/away"])
def test_an_address_is_a_picture(server: str, path: str) -> None:
    (picture,) = pictures(server + path)
    assert np.array_equal(picture.pixels, PIXELS)
    assert picture.path == server + path


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/none.jpg", "cannot fetch .*/none.jpg: 404"),
        ("/page", "a web page"),
        ("/cut.png", "the connection ended after 50 of"),
        ("/file", "cannot fetch"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(server: str, path: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        list(pictures(server + path))


def test_nobody_there_is_an_error() -> None:
    with pytest.raises(DataError, match=r"cannot fetch http://127\.0\.0\.1:1/a\.jpg: "):
        list(pictures("http://127.0.0.1:1/a.jpg"))


def test_a_picture_from_an_address_is_of_a_limited_size(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "MAX_BYTES", 10)
    with pytest.raises(DataError, match="more than 10 bytes are no picture"):
        list(pictures(f"{server}/dog.png"))


def test_a_server_that_sends_a_byte_now_and_then_is_not_waited_for(
    server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "TOTAL_SECONDS", 0.2)
    with pytest.raises(DataError, match="not there after"):
        list(pictures(f"{server}/drip.png"))


@pytest.mark.parametrize("address", ["file:///etc/passwd", "ftp://a/b.jpg", "FILE:///a.png", "s3://a/b"])
def test_other_schemes_are_not_fetched(address: str) -> None:
    with pytest.raises(DataError, match="http:// and https:// only"):
        expand(address)


def test_a_file_from_an_address_is_called_as_its_last_part() -> None:
    assert file_name("https://a/photos/my%20dog.jpg?x=1#y") == "my dog.jpg"
    assert file_name("http://a/%2e%2e%2f%2e%2e") == "picture"
    assert file_name("http://a/b%5c..%5cdog.jpg") == "dog.jpg"
    assert file_name(str(Path("a") / "dog.jpg")) == "dog.jpg"


def test_a_dash_is_the_picture_in_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(PNG), isatty=lambda: False))
    (picture,) = pictures("-")
    assert np.array_equal(picture.pixels, PIXELS)
    assert (picture.path, file_name(picture.path)) == ("-", "stdin")
    for stdin, message in (
        (SimpleNamespace(buffer=io.BytesIO(b""), isatty=lambda: False), "stdin: no bytes"),
        (SimpleNamespace(buffer=io.BytesIO(b""), isatty=lambda: True), "stdin is a terminal"),
        (None, "stdin is a terminal"),
    ):
        monkeypatch.setattr(sys, "stdin", stdin)
        with pytest.raises(DataError, match=message):
            list(pictures("-"))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """We are in one folder, the list and a picture in another."""
    (tmp_path / "cwd").mkdir()
    (tmp_path / "lists").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    Path("a.png").write_bytes(PNG)
    (tmp_path / "lists" / "b.png").write_bytes(PNG)
    return tmp_path / "lists"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_list_is_relative_to_where_we_are_and_then_to_its_folder(here: Path, encoding: str) -> None:
    list_ = here / "train.txt"
    list_.write_text("a.png\r\n\n  b.png\nhttp://a/c.png\n", encoding=encoding)
    first, second, third = expand(list_)
    assert isinstance(first, PictureFile)
    assert isinstance(second, PictureFile)
    assert (first.path, second.path) == (Path("a.png"), here / "b.png")
    assert isinstance(third, PictureUrl)
    assert "1 of 3 pictures are beside the list" in first.note


def test_a_list_of_what_is_here_says_nothing(here: Path) -> None:
    (here / "train.list").write_text("a.png\n")
    (only,) = expand(here / "train.list")
    assert only.note == ""


def test_a_list_whose_pictures_are_nowhere_names_them(here: Path) -> None:
    (here / "train.txt").write_text("".join(f"x{i}.png\n" for i in range(9)))
    with pytest.raises(DataError, match=r"none of its pictures is here(.|\n)*'x4.png'\n  … and 4 more"):
        expand(here / "train.txt")
    for text, message in (("", "an empty list"), ("a\0b", "not a list of pictures")):
        (here / "train.txt").write_text(text)
        with pytest.raises(DataError, match=message):
            expand(here / "train.txt")


def test_looking_up_finds_what_is_missing_and_keeps_the_rest(here: Path) -> None:
    (here / "train.txt").write_text("a.png\nnone.png\n")
    found, errors = look_up(["a.png", "gone.jpg", str(here / "train.txt"), "ftp://a/b", "x" * 5000, "a\0b"])
    assert [getattr(f, "path", None) for f in found] == [Path("a.png"), Path("a.png")]
    assert len(errors) == 5
    assert "cannot read the picture gone.jpg" in str(errors[0])
    assert "none.png" in str(errors[1])
