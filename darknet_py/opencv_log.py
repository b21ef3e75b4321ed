"""OpenCV tells stderr about what it then also raises; here it is told not to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

SILENT = 0  # cv2.utils.logging.LOG_LEVEL_SILENT


@contextmanager
def silent_opencv() -> Iterator[None]:
    """Nothing from OpenCV's log inside the block."""
    import cv2

    logging = getattr(cv2.utils, "logging", cv2)  # where the same functions were before OpenCV 4.9
    level = logging.getLogLevel()
    logging.setLogLevel(SILENT)
    try:
        yield
    finally:
        logging.setLogLevel(level)
