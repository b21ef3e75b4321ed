"""OpenCV's `VideoCapture`, opened: with time-outs, without its log, and with an error instead of silence.

Decision: files and addresses are opened by FFmpeg alone. OpenCV's other readers would take `a%02d.png` for a pattern,
and have no time-outs. A file is given by its absolute path, because FFmpeg takes `a:b.mp4` for an address.
"""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING

from ...backends.opencv.log import silent_opencv
from ...errors import DataError
from ...files import check_file
from ..headers import check_size
from .video import Video

if TYPE_CHECKING:
    import cv2

FFMPEG_LOG, QUIET = "OPENCV_FFMPEG_LOGLEVEL", "-8"  # FFmpeg tells stderr of each connection that ends, past any log
CONNECT = 10.0  # seconds that a connection, and each answer on it, may take at most
DEFAULT_RATE = 25.0  # frames a second of a source that does not say
MAX_RATE = 1000.0  # what says more has told the unit of its clock (1/90000 s), not its rate


def open_capture(video: Video, limit: int) -> cv2.VideoCapture:
    """An open capture of the video. Raises `DataError` if there is none, or it has more than `limit` pixels."""
    import cv2

    os.environ.setdefault(FFMPEG_LOG, QUIET)
    if video.file:
        check_file(video.file, "video")
    try:
        with silent_opencv():
            capture = _open(video)
    except (cv2.error, UnicodeError) as e:
        raise DataError(f"cannot open the video {video.path}: {e}") from None
    if not capture.isOpened():
        raise DataError(_not_opened(video))
    width, height = (int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
    try:
        check_size((width, height), limit, video.path)
    except DataError:
        capture.release()
        raise
    return capture


def rate_of(capture: cv2.VideoCapture) -> float:
    """Frames a second, as the source says them, or `DEFAULT_RATE`."""
    import cv2

    rate = float(capture.get(cv2.CAP_PROP_FPS))
    return rate if math.isfinite(rate) and 0 < rate <= MAX_RATE else DEFAULT_RATE


def _open(video: Video) -> cv2.VideoCapture:
    import cv2

    if video.camera is not None:
        capture = cv2.VideoCapture(video.camera)
        capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        return capture
    if video.file:
        return cv2.VideoCapture(str(video.file.absolute()), cv2.CAP_FFMPEG)
    milliseconds = max(1, int(min(CONNECT, video.timeout) * 1000))
    waits = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, milliseconds, cv2.CAP_PROP_READ_TIMEOUT_MSEC, milliseconds]
    return cv2.VideoCapture(str(video.source), cv2.CAP_FFMPEG, waits)


def _not_opened(video: Video) -> str:
    if video.camera is not None:
        return (
            f"cannot open the camera {video.camera}: there is none of this number, or another program has it\n"
            f"  hint: a file of this name is ./{video.camera}"
        )
    if video.file:
        return f"{video.path}: not a video, or in a format that OpenCV cannot read"
    wait = min(CONNECT, video.timeout)
    return f"cannot open {video.path}: nobody answers with a video within {wait:g} seconds"
