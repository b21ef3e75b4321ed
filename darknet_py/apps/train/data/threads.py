"""OpenCV on one thread while pictures are made by workers: its own would fight with them, and with PyTorch's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

import cv2

_lock = Lock()
_before: list[int] = []  # how many threads OpenCV had before each of the blocks that are open


@contextmanager
def one_thread_of_opencv() -> Iterator[None]:
    """OpenCV computes in the calling thread only inside the block, in the whole process."""
    with _lock:
        _before.append(cv2.getNumThreads() if not _before else _before[0])
        cv2.setNumThreads(1)
    try:
        yield
    finally:
        with _lock:
            threads = _before.pop()
            if not _before:
                cv2.setNumThreads(threads)
