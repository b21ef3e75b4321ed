"""A decoded picture, and where it came from: the file, the address, or the frame of a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SUFFIXES = frozenset(".jpg .jpeg .jpe .png .bmp .dib .webp .tif .tiff .pgm .ppm .pbm .pnm .jp2 .avif .gif".split())


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture: grey, BGR or BGRA uint8, (h, w), (h, w, 3) or (h, w, 4), and where it came from.

    A frame of a video has its `source`, its number there (`frame`, from 0), its `time` in seconds from the beginning,
    when it was `taken`, by `time.monotonic`, and the `rate` of the video in frames a second; other pictures have None.
    `warning` says what is wrong with a file that can be read all the same.
    """

    pixels: np.ndarray
    path: str
    source: str = ""
    frame: int | None = None
    time: float | None = None
    taken: float | None = None
    rate: float | None = None
    warning: str | None = None
