"""A video of drawn results, written while the network is at the next frames.

Decision: a thread draws and another encodes. Drawing is many short calls, and after each the thread waits for the
interpreter while others have it; encoding, which takes longest, is one call and waits once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING

from .ahead import Ahead, Belt
from .capture import DEFAULT_RATE
from .ending import start_thread
from .writer import VideoFile, writing

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from ..results import Results
    from .video import Video

WAITING = 4  # results that are not drawn yet, and as many that are; then whoever has more waits


@contextmanager
def recording(path: Path, video: Video, *, replace: bool = False) -> Iterator[Callable[[Results], None]]:
    """A function that takes the results of a video's frames, to be drawn and written to `path`.

    The file is whole and has all frames that were given when the block ends, however it ends. Raises as `writing` does.
    """
    recorder = _Recorder(path, video, replace)
    try:
        yield recorder.add
    except BaseException:
        recorder.close()
        raise
    recorder.close()
    recorder.check()


class _Recorder:
    def __init__(self, path: Path, video: Video, replace: bool) -> None:
        self._path, self._video, self._replace = path, video, replace
        self._line: Belt[Results] = Belt(WAITING)
        self._error: Exception | None = None
        self._thread = start_thread(self._run, "darknet-py-recorder", self._line.end)

    def add(self, results: Results) -> None:
        self.check()
        self._line.put(results)

    def check(self) -> None:
        if self._error:
            raise self._error

    def close(self) -> None:
        self._line.end()
        self._thread.join()

    def _run(self) -> None:
        try:
            self._write()
        except Exception as e:  # whatever it is, it is raised where the next results are given
            self._error = e
            self._line.close()

    def _write(self) -> None:
        first = next(self._line, None)
        if first is None:
            return
        drawn = Ahead(map(_drawn, chain([first], self._line)), WAITING)
        try:
            with self._file(first.rate or DEFAULT_RATE) as file:
                for pixels, time in drawn:
                    file.write(pixels, time)
        finally:
            drawn.close()

    @contextmanager
    def _file(self, rate: float) -> Iterator[VideoFile]:
        video, source = self._video, self._video.file
        with writing(
            self._path, rate if video.is_live else rate / video.every, live=video.is_live, sound=source,
            start=video.start, replace=self._replace, sources=[source] if source else [],
        ) as file:  # fmt: skip
            yield file


def _drawn(results: Results) -> tuple[np.ndarray, float]:
    return results.plot(), results.time or 0.0
