"""OpenCV tells stderr about what it then also raises; here it is told not to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

SILENT = 0  # cv2.utils.logging.LOG_LEVEL_SILENT
_lock = Lock()
_levels: list[int] = []  # of the blocks that are open, in whatever threads; the first is what there was before


@contextmanager
def silent_opencv() -> Iterator[None]:
    """Nothing from OpenCV's log inside the block."""
    import cv2

    logging = getattr(cv2.utils, "logging", cv2)  # where the same functions were before OpenCV 4.9
    with _lock:
        _levels.append(logging.getLogLevel())
        logging.setLogLevel(SILENT)
    try:
        yield
    finally:
        with _lock:
            first, *rest = _levels
            _levels[:] = [first, *rest[1:]] if rest else []
            if not rest:
                logging.setLogLevel(first)
