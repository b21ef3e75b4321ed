"""A command line for tests."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import pytest
from click.testing import Result
from commands import invoke
from networks import picture, write_detector

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """`run("lint", path)` is `darknet-py lint PATH` in an empty folder; an exception fails the test."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DARKNET_PY_CACHE", str(tmp_path / "cache"))
    return invoke


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    """The detector of `networks`."""
    return write_detector(tmp_path)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder with three pictures of one red or blue cell, and a file that is no picture."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, colour in (("a.png", "red"), ("b.png", "blue"), ("c.bmp", "red")):
        cv2.imwrite(str(folder / name), picture((1, 2, colour)))
    (folder / "notes.md").write_text("no picture")
    return folder


@pytest.fixture(autouse=True)
def signals_are_heard() -> Iterator[None]:
    """Programs that tests start hear signals, also where the tests were started in the background of a shell."""
    ignored = [n for n in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(n) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, signal.SIG_DFL)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
