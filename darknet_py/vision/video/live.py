"""Live sources: a thread for each drains it, so that the newest frame is at hand and nothing piles up.

Decision: a connection that is lost is made again, after waits that double (`FIRST_WAIT` to `MAX_WAIT`), until
`Video.timeout` seconds have passed without a frame; a source that never answered is an error at once.
Threads are never waited for: one may hang in a driver, and then ends with its time-out or with the program.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Sequence
from threading import Condition
from typing import TYPE_CHECKING

from ...errors import DataError
from ..picture import Picture
from .capture import open_capture, rate_of
from .ending import start_thread
from .video import Video

if TYPE_CHECKING:
    import cv2

FIRST_WAIT, MAX_WAIT = 0.25, 15.0  # seconds between two connections
LOOK = 0.5  # seconds after which a waiting reader looks again, as Ctrl-C needs it on Windows
KEPT = 64  # frames that wait where all are wanted; then the source waits


class _Source:
    """A live source, drained by a thread; `condition` is shared by those that are looked at together."""

    def __init__(self, video: Video, limit: int, condition: Condition) -> None:
        self.video, self._limit, self._condition = video, limit, condition
        self._frames: deque[Picture] = deque()
        self._error: DataError | None = None
        self._stopped = self._ended = False
        self._number = 0
        self._began = self._last = time.monotonic()
        self._first: float | None = None
        start_thread(self._run, "darknet-py-live", self._stop_alone)

    # -- by the one who looks, with the condition held ------------------------------------------------------------

    def take(self) -> Picture | DataError | None:
        """The next frame, or why there are no more; None if there is none yet."""
        if self._frames:
            self._condition.notify_all()
            return self._frames.popleft()
        if self._error:
            return self._error
        silent = time.monotonic() - self._last
        if silent >= self.video.timeout and not self._ended:
            return DataError(f"{self.video.path}: no frame for {self.video.timeout:g} seconds")
        return None

    @property
    def over(self) -> bool:
        """Whether nothing more will come, without an error."""
        return self._ended and not self._frames and not self._error

    @property
    def left(self) -> float:
        """Seconds until the source counts as silent."""
        return max(0.0, self._last + self.video.timeout - time.monotonic())

    def stop(self) -> None:
        """Let the thread end."""
        self._stopped = True
        self._condition.notify_all()

    def _stop_alone(self) -> None:
        """`stop`, by one who does not hold the condition."""
        with self._condition:
            self.stop()

    # -- by the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        error: DataError | None = None
        try:
            self._keep_connected()
        except DataError as e:
            error = e
        except Exception as e:  # of a driver, say: the one who looks is told
            error = DataError(f"{self.video.path}: {e}")
        with self._condition:
            self._error, self._ended = error, True
            self._condition.notify_all()

    def _keep_connected(self) -> None:
        wait = 0.0
        while not self._stopped and not self._is_late():
            try:
                capture = open_capture(self.video, self._limit)
            except DataError:
                if self._first is None:
                    raise
            else:
                before = self._number
                try:
                    self._drain(capture)
                finally:
                    capture.release()
                wait = 0.0 if self._number > before else wait
            with self._condition:
                self._condition.wait_for(lambda: self._stopped, max(wait, FIRST_WAIT))
            wait = min(MAX_WAIT, max(FIRST_WAIT, wait * 2))

    def _drain(self, capture: cv2.VideoCapture) -> None:
        rate = rate_of(capture)
        while not self._stopped and not self._is_late():
            fine, pixels = capture.read()
            if not fine:
                return
            now = time.monotonic()
            self._first = now if self._first is None else self._first
            picture = Picture(pixels, self.video.path, self.video.path, self._number, now - self._first, now, rate)
            self._number += 1
            with self._condition:
                self._last = now
                if not self._is_late() and picture.frame is not None and picture.frame % self.video.every == 0:
                    self._put(picture)
                self._last = time.monotonic()  # to wait for a slow reader is no silence

    def _put(self, picture: Picture) -> None:
        if self.video.newest:
            self._frames.clear()
        else:
            self._condition.wait_for(lambda: self._stopped or len(self._frames) < KEPT)
        self._frames.append(picture)
        self._condition.notify_all()

    def _is_late(self) -> bool:
        """Whether the seconds that are wanted are over."""
        if self.video.duration is None:
            return False
        return time.monotonic() - (self._first or self._began) >= self.video.duration


def live_frames(videos: Sequence[Video], limit: int) -> Generator[Picture | DataError]:
    """The frames of live sources, of each in turn that has one; the error of one, once, where it ends with one.

    Ends when all have ended.
    """
    condition = Condition()
    sources = deque(_Source(video, limit, condition) for video in videos)
    try:
        while sources:
            item = _next(sources, condition)
            if item is not None:
                yield item
    finally:
        with condition:
            for source in sources:
                source.stop()


def _next(sources: deque[_Source], condition: Condition) -> Picture | DataError | None:
    """The next that any source has; those that have ended are removed. None if it is worth looking again."""
    with condition:
        for _ in range(len(sources)):
            source = sources[0]
            sources.rotate(-1)  # the others come first next time
            item = source.take()
            if isinstance(item, Picture):
                return item
            if item is not None or source.over:
                source.stop()
                sources.remove(source)
                return item
        condition.wait(min(LOOK, *(source.left for source in sources)))
    return None
