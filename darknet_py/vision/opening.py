"""What is read when a picture is wanted: a file, an address, stdin, an open file or a PIL image becomes a `Picture`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, Say
from ..files import read_whole
from .decode import MAX_BYTES, decode, from_pil, read_stream, warn
from .picture import Picture
from .web import fetch_picture

STDIN = "-"  # as a path


@dataclass(frozen=True)
class Wanted:
    """How pictures are wanted: of how many channels, with how many pixels at most, and frames read ahead or not.

    `say` is told of those whose files were cut.
    """

    channels: int
    limit: int
    ahead: bool = True
    say: Say = warn

    def decoded(self, data: bytes, path: str, where: str = "") -> Picture:
        """The picture of encoded bytes; messages call it `where`, or else by its path."""
        return self._picture(path, partial(decode, data, self.channels, self.limit, where or path))

    def file(self, path: Path) -> Picture:
        """The picture of a file."""
        return self.decoded(read_whole(path, MAX_BYTES, "picture"), str(path))

    def url(self, url: str) -> Picture:
        """The picture at an address, which is fetched now."""
        return self.decoded(fetch_picture(url), url)

    def stdin(self) -> Picture:
        """The picture whose bytes are in stdin."""
        if sys.stdin is None or sys.stdin.isatty():
            raise DataError("'-' is a picture in stdin, and stdin is a terminal: use `darknet-py run NET - < dog.jpg`")
        return self.stream(getattr(sys.stdin, "buffer", sys.stdin), STDIN, "stdin")

    def stream(self, file: Any, path: str, where: str) -> Picture:
        """The picture whose bytes are the rest of an open file."""
        data = read_stream(file, where)
        if not data:
            raise DataError(f"{where}: no bytes, so not a picture")
        return self.decoded(data, path, where)

    def pil(self, image: Any) -> Picture:
        """The picture of a PIL image."""
        path = str(getattr(image, "filename", "") or "")
        return self._picture(path, partial(from_pil, image, self.channels, self.limit, path or "the PIL image"))

    def _picture(self, path: str, decoder: Callable[[Say], np.ndarray]) -> Picture:
        """The picture with what its decoder tells of the file, if anything, which `say` hears too."""
        told: list[str] = []
        pixels = decoder(told.append)
        for text in told:
            self.say(text)
        return Picture(pixels, path, warning="; ".join(told) or None)
