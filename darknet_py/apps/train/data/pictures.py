"""The pictures of a data set, decoded as inference decodes them; those that fit into a given memory stay decoded.

Decision: small data sets are decoded once. What is kept never changes the result, only the time; an array that was
handed out is read-only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import numpy as np

from ....files import read_whole
from ....vision.decode import MAX_BYTES, decode
from ....vision.headers import pixel_limit

KEEP = 1 << 28  # bytes of decoded pictures


class Pictures:
    """Pictures by their numbers, for networks of so many `channels`; may be read from any thread."""

    def __init__(self, paths: Sequence[Path], channels: int, keep: int = KEEP) -> None:
        self.paths = tuple(paths)
        self._channels, self._keep, self._limit = channels, keep, pixel_limit()
        self._kept: OrderedDict[int, np.ndarray] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, number: int) -> np.ndarray:
        """The pixels of a picture, (h, w) or (h, w, c) uint8 in BGR, not to be written to. Raises `DataError`."""
        with self._lock:
            kept = self._kept.get(number)
            if kept is not None:
                self._kept.move_to_end(number)
                return kept
        path = self.paths[number]
        pixels = decode(read_whole(path, MAX_BYTES, "picture"), self._channels, self._limit, str(path))
        pixels.flags.writeable = False
        self._store(number, pixels)
        return pixels

    def _store(self, number: int, pixels: np.ndarray) -> None:
        with self._lock:
            if number in self._kept or pixels.nbytes > self._keep:
                return
            self._kept[number] = pixels
            self._bytes += pixels.nbytes
            while self._bytes > self._keep:
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= oldest.nbytes
