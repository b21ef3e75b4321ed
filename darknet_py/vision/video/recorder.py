"""A video of drawn results, written by a thread while the network is at the next frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import Queue
from threading import Thread
from typing import TYPE_CHECKING

from .capture import DEFAULT_RATE
from .writer import VideoFile, writing

if TYPE_CHECKING:
    from pathlib import Path

    from ..results import Results
    from .video import Video

WAITING = 4  # results that are not drawn yet; then whoever has more waits


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
        self._queue: Queue[Results | None] = Queue(WAITING)
        self._error: Exception | None = None
        self._thread = Thread(target=self._run, daemon=True, name="darknet-py-recorder")
        self._thread.start()

    def add(self, results: Results) -> None:
        self.check()
        self._queue.put(results)

    def check(self) -> None:
        if self._error:
            raise self._error

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._write()
        except Exception as e:  # whatever it is, it is raised where the next results are given
            self._error = e
            while self._queue.get() is not None:
                pass

    def _write(self) -> None:
        first = self._queue.get()
        if first is None:
            return
        with self._file(first.rate or DEFAULT_RATE) as file:
            results: Results | None = first
            while results is not None:
                file.write(results.plot(), results.time or 0.0)
                results = self._queue.get()

    @contextmanager
    def _file(self, rate: float) -> Iterator[VideoFile]:
        video, source = self._video, self._video.file
        with writing(
            self._path, rate if video.is_live else rate / video.every, live=video.is_live, sound=source,
            start=video.start, replace=self._replace, sources=[source] if source else [],
        ) as file:  # fmt: skip
            yield file
