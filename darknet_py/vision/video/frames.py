"""The frames of videos as pictures: of a file in order, of a live source as they come, and of several of these at once.

Invariant: what is held is a few frames, however long a video is.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np

from ...errors import DataError
from ..picture import Picture
from .ahead import Ahead
from .capture import open_capture, rate_of
from .live import live_frames
from .video import Video

if TYPE_CHECKING:
    import cv2

AHEAD = 8  # frames of a file that are decoded before they are wanted
WHOLE, SLACK = 0.9, 1.0  # share of the length, and seconds, that may be missing: sound is longer than pictures, say
CAPTURED = "video"  # the path of frames whose source only the caller knows


def frames(video: Video, limit: int, *, ahead: bool = True) -> Iterator[Picture]:
    """The frames that are wanted of a video, (h, w, 3) BGR.

    Those of a file are decoded `ahead`, in a thread, or else when they are asked for. Raises `DataError` if it cannot
    be opened or has none, and for a live source that has gone silent.
    """
    if not video.is_live:
        decoded = in_order(video, limit)
        return Ahead(decoded, AHEAD) if ahead else decoded
    return _raising(live_frames((video,), limit))


def _raising(items: Generator[Picture | DataError]) -> Iterator[Picture]:
    with closing(items):
        for item in items:
            if isinstance(item, DataError):
                raise item
            yield item


def captured(capture: cv2.VideoCapture) -> Iterator[Picture]:
    """The frames of a capture that the caller opened, from where it is; it stays open.

    Raises `DataError` if it is not open.
    """
    import cv2

    if not capture.isOpened():
        raise DataError("the cv2.VideoCapture is not open: its file or camera could not be read")
    number = max(0, int(capture.get(cv2.CAP_PROP_POS_FRAMES)))
    rate = rate_of(capture)
    while True:
        fine, pixels = capture.read()
        if not fine:
            return
        yield Picture(pixels, CAPTURED, CAPTURED, number, _time(capture, number, rate), monotonic(), rate)
        number += 1


def in_order(video: Video, limit: int) -> Iterator[Picture]:
    """The frames that are wanted of a file, decoded when they are asked for. Raises as `frames` does."""
    capture = open_capture(video, limit)
    try:
        rate = rate_of(capture)
        number = _seek(capture, round(video.start * rate))
        if number < 0:
            capture.release()
            capture = open_capture(video, limit)
            number = _skip(capture, round(video.start * rate))
        first, end = number, np.inf if video.duration is None else video.start + video.duration
        time = 0.0
        while capture.grab():
            time = _time(capture, number, rate)
            if time >= end - 0.5 / rate:
                return
            if (number - first) % video.every == 0:
                fine, pixels = capture.retrieve()
                if not fine:
                    break
                yield Picture(pixels, video.path, video.path, number, time, monotonic(), rate)
            number += 1
        if number == first:
            after = f" after {video.start:g} seconds" if video.start else ""
            raise DataError(f"{video.path}: the video has no frames{after}")
        _check_whole(video, time, _length(capture, rate))
    finally:
        capture.release()


def _length(capture: cv2.VideoCapture, rate: float) -> float:
    """How many seconds the container says that there are; 0 where it says nothing."""
    import cv2

    return max(0.0, float(capture.get(cv2.CAP_PROP_FRAME_COUNT)) / rate)  # OpenCV makes the count of that length


def _check_whole(video: Video, last: float, length: float) -> None:
    """Raise `DataError` where the last frame is far from the end: OpenCV does not tell an error from the end."""
    if last < length * WHOLE - SLACK:
        raise DataError(
            f"{video.path}: ends after {last:.1f} of {length:.1f} seconds: the file is damaged, or the connection lost"
        )


def _seek(capture: cv2.VideoCapture, number: int) -> int:
    """Go to a frame; its number, or -1 where the video cannot be sought in."""
    import cv2

    if not number:
        return 0
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    if count <= 0:
        return -1
    capture.set(cv2.CAP_PROP_POS_FRAMES, number)
    return number if round(capture.get(cv2.CAP_PROP_POS_FRAMES)) == number else -1


def _skip(capture: cv2.VideoCapture, count: int) -> int:
    done = 0
    while done < count and capture.grab():
        done += 1
    return done


def _time(capture: cv2.VideoCapture, number: int, rate: float) -> float:
    """The time of the frame that was just read, in seconds: its own where the container has it, else by its number."""
    import cv2

    milliseconds = float(capture.get(cv2.CAP_PROP_POS_MSEC))
    return milliseconds / 1000 if np.isfinite(milliseconds) and milliseconds > 0 else number / rate
