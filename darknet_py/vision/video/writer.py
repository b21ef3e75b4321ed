"""Videos that browsers play: WebM with VP8, MP4 with H.264 where PyAV is installed and with VP9 where it is not.

Decision: a video is written into a folder of its own beside its place, finished, and renamed, so what has the name is
whole: after Ctrl-C and after an error it has the frames that there were. OpenCV's other formats (`mp4v`, MJPEG, XVID)
are not written, because no browser plays them.

Invariant: nothing appears where no frame was written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from threading import Lock
from typing import Protocol

import cv2
import numpy as np

from ...errors import DataError
from ...files import check_output, put, scratch
from ...version import requirement

WRITABLE = (".webm", ".mp4")
MIN_RATE, MAX_RATE = 1.0, 120.0  # frames a second of a file
LONGEST_GAP = 10.0  # seconds that a frame stands, at most, in a file of a live source: longer ones are cut out
CODECS = {".webm": "VP80", ".mp4": "vp09"}

_stderr = Lock()


class Encoder(Protocol):
    """What turns frames into a file."""

    def write(self, pixels: np.ndarray, time: float) -> None:
        """Add a frame, (h, w, 3) BGR of the size that it was opened with, to be seen at `time`, in seconds."""

    def close(self) -> None:
        """Finish the file."""


class VideoFile:
    """A video that is being written: frames of one size and rate, opened with the first of them.

    `live` frames are seen at the times that they have, others one after another. `sound` is a video whose sound, from
    `start` for as long as there are frames, is taken along where that can be (MP4 by PyAV).
    """

    def __init__(
        self, path: Path, rate: float, *, live: bool = False, sound: Path | None = None, start: float = 0.0
    ) -> None:
        self.path, self.rate = path, min(MAX_RATE, max(MIN_RATE, rate))
        self.frames = 0
        self._live, self._sound, self._start = live, sound, start
        self._encoder: Encoder | None = None
        self._size = (0, 0)
        self._first = self._cut = self._last = 0.0

    def write(self, pixels: np.ndarray, time: float = 0.0) -> None:
        """Add a frame, (h, w, 3) BGR; `time` in seconds counts for live ones only. Raises `DataError` if it cannot."""
        if self._encoder is None:
            self._size = (pixels.shape[1] + pixels.shape[1] % 2, pixels.shape[0] + pixels.shape[0] % 2)
            self._encoder = open_encoder(self.path, self._size, self.rate, self._live, self._sound, self._start)
            self._first = time
        self._encoder.write(fitted(pixels, self._size), self._place(time))
        self.frames += 1

    def _place(self, time: float) -> float:
        """Seconds from the beginning of the file."""
        if not self._live:
            return self.frames / self.rate
        place = time - self._first - self._cut
        self._cut += max(0.0, place - self._last - LONGEST_GAP)
        self._last = time - self._first - self._cut
        return self._last

    def close(self) -> None:
        """Finish the file, if there is one."""
        if self._encoder is not None:
            self._encoder.close()
            self._encoder = None


@contextmanager
def writing(
    path: str | Path,
    rate: float,
    *,
    live: bool = False,
    sound: Path | None = None,
    start: float = 0.0,
    replace: bool = False,
    sources: Iterable[str | Path] = (),
) -> Iterator[VideoFile]:
    """A video to write, which becomes `path` however the block ends, if a frame was written; folders are made.

    `rate` is in frames a second; the others are those of `VideoFile`. Raises `DataError` where `files.check_output`
    does, and for a suffix other than `.webm` and `.mp4`.
    """
    path, sources = Path(path), tuple(sources)
    check_suffix(path)
    check_output(path, replace=replace, sources=sources)
    path.parent.mkdir(parents=True, exist_ok=True)
    with scratch(path.parent) as folder:
        file = VideoFile(folder / f"video{path.suffix.lower()}", rate, live=live, sound=sound, start=start)
        try:
            yield file
        finally:
            file.close()
            if file.frames:
                put(file.path, path, replace=replace, sources=sources)


def check_suffix(path: Path) -> None:
    """Raise `DataError` for a video that is not written here."""
    if path.suffix.lower() not in WRITABLE:
        raise DataError(
            f"cannot write a video as {path.name!r}\n  hint: a name that ends in .webm or .mp4, which browsers play"
        )


def fitted(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A frame with the (width, height) of its file: a row or column more where it is odd, resized if it is another.

    >>> fitted(np.zeros((3, 5, 3), np.uint8), (6, 4)).shape
    (4, 6, 3)
    """
    width, height = size
    right, below = width - pixels.shape[1], height - pixels.shape[0]
    if right in (0, 1) and below in (0, 1):
        if not right and not below:
            return pixels
        return cv2.copyMakeBorder(pixels, 0, below, 0, right, cv2.BORDER_REPLICATE)
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)  # a camera that came back with another size


def open_encoder(
    path: Path, size: tuple[int, int], rate: float, live: bool, sound: Path | None, start: float
) -> Encoder:
    """What writes the format of the suffix with what is installed. Raises `DataError` if that is nothing."""
    if path.suffix == ".mp4" and has_av():
        from .av import AvEncoder

        return AvEncoder(path, size, rate, live=live, sound=sound, start=start)
    return OpenCVEncoder(path, size, rate)


def has_av() -> bool:
    """Whether PyAV is installed, which the extra [video] brings."""
    return find_spec("av") is not None


class OpenCVEncoder:
    """VP8 or VP9 by OpenCV, which knows a constant rate only: a frame that stands longer is written several times."""

    def __init__(self, path: Path, size: tuple[int, int], rate: float) -> None:
        self._rate, self._count = rate, 0
        self._last: np.ndarray | None = None
        with _quiet_stderr():
            self._writer = cv2.VideoWriter(
                str(path.absolute()), cv2.CAP_FFMPEG, cv2.VideoWriter.fourcc(*CODECS[path.suffix]), rate, size
            )
        if not self._writer.isOpened():
            other = "write .webm" if path.suffix == ".mp4" else "write .mp4"
            raise DataError(
                f"this build of OpenCV writes no {path.suffix} that browsers play\n"
                f"  hint: {other}, or H.264 with: pip install {requirement('video')}"
            )

    def write(self, pixels: np.ndarray, time: float) -> None:
        """As `Encoder` has it; of two frames at one time the second one counts."""
        place = round(time * self._rate)
        while self._last is not None and self._count < place:
            self._add(self._last)
        self._last = pixels

    def _add(self, pixels: np.ndarray) -> None:
        self._writer.write(pixels)
        self._count += 1

    def close(self) -> None:
        """As `Encoder` has it."""
        if self._last is not None:
            self._add(self._last)
        self._writer.release()


@contextmanager
def _quiet_stderr() -> Iterator[None]:
    """A block in which OpenCV's writer cannot print that it has no tag for VP8 in WebM, which needs none.

    It prints by C's own means, past Python and its log.
    """
    try:
        number = sys.__stderr__.fileno() if sys.__stderr__ else 2
    except (OSError, ValueError):
        yield
        return
    with _stderr:
        kept, nowhere = os.dup(number), os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, number)
            yield
        finally:
            os.dup2(kept, number)
            os.close(kept)
            os.close(nowhere)
