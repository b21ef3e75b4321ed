"""What `darknet-py run` does with the frames of videos: the files they become, the line of progress, the window."""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import click

from ..errors import printable
from .options import message, overwrite, uncut

if TYPE_CHECKING:
    from ..vision.results import Results
    from ..vision.sources import Source
    from ..vision.video.video import Video
    from ..vision.window import FrameWindow

Add = Callable[["Results"], None]

STEP = 0.1  # seconds between two lines of progress
SPAN = 2.0  # seconds over which frames are counted for it


def video_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say which frames of videos are wanted, and what becomes of them."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option("--every", type=click.IntRange(1), default=1, metavar="N", help="Videos: each N-th frame."),
    click.option("--start", type=click.FloatRange(0), default=0.0, metavar="S", help="Video files: from S seconds on."),
    click.option(
        "--duration", type=click.FloatRange(0, min_open=True), metavar="S", help="Videos: for S seconds."
    ),
    click.option(
        "--latest/--all",
        default=None,
        help="Cameras and streams: the newest frame each time, or every frame (default: the newest).",
    ),
    click.option(
        "--timeout",
        type=click.FloatRange(0, min_open=True),
        metavar="S",
        help="Cameras and streams: give up after S seconds without a frame (default: 30).",
    ),
    click.option(
        "--save",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="The drawn video, .webm or .mp4 (default: DIR/NAME.webm for files, none for cameras and streams).",
    ),
    click.option("--show", is_flag=True, help="Show what is drawn in a window; q or closing it ends a video."),
)  # fmt: skip


def chosen(source: Source, options: dict[str, Any]) -> Source:
    """A source with what the options say of videos. Raises `DataError` where that makes no sense."""
    from ..vision.video.video import TIMEOUT, Video

    if not isinstance(source, Video):
        return source
    return replace(
        source, every=options["every"], start=options["start"], duration=options["duration"], latest=options["latest"],
        timeout=options["timeout"] or TIMEOUT,
    )  # fmt: skip


OF_VIDEOS = (("every", "--every", 1), ("start", "--start", 0.0), ("duration", "--duration", None))
OF_LIVE = (("timeout", "--timeout", None), ("latest", "--latest and --all", None))


def check_video_options(sources: list[Source], options: dict[str, Any]) -> None:
    """Raise `DataError` for options of videos, or of cameras and streams, where no source is one."""
    from ..errors import DataError
    from ..vision.video.video import Video

    videos = [source for source in sources if isinstance(source, Video)]
    for table, what, are_there in (
        (OF_VIDEOS, "videos", bool(videos)),
        (OF_LIVE, "cameras and streams", any(video.is_live for video in videos)),
    ):
        lost = [word for key, word, default in table if options[key] != default]
        if lost and not are_there:
            raise DataError(f"{', '.join(lost)}: for {what}, and no source is one: leave it out")


def video_paths(videos: list[Video], options: dict[str, Any]) -> dict[Video, Path]:
    """Where each drawn video is written, and with --save-frames and --save-txt what its files are named after.

    Raises `DataError` for what cannot be written, or may not.
    """
    if not (videos or options["save"] or options["show"]):
        return {}
    from ..errors import DataError
    from ..files import check_output
    from ..version import requirement
    from ..vision.video.writer import check_suffix, has_av
    from ..vision.window import check_display

    if options["show"]:
        check_display("leave --show out")
    save: Path | None = options["save"]
    if save:
        check_suffix(save)
    if save and (options["no_save"] or options["save_frames"]):
        other = "--no-save" if options["no_save"] else "--save-frames"
        raise DataError(f"--save and {other} exclude each other: leave one out")
    if save and not videos:
        raise DataError(f"--save {save} is for a video, and no source is one: drawn pictures go to {options['output']}")
    paths: dict[Video, Path] = {}
    taken: set[str] = set()
    for video in videos:
        paths[video] = _free(save or options["output"] / f"{Path(video.name).stem}.webm", taken)
        if is_recorded(video, options):
            check_output(paths[video], replace=options["replace"])
    if save and save.suffix.lower() == ".mp4" and not has_av():
        message(f"{save.name} is written as VP9; H.264 is quicker, and keeps sound: pip install {requirement('video')}")
    return paths


def is_recorded(video: Video, options: dict[str, Any]) -> bool:
    """Whether a video is written for it."""
    if options["save"]:
        return True
    return not (options["no_save"] or options["save_frames"] or video.is_live)


def _free(path: Path, taken: set[str]) -> Path:
    number, free = 1, path
    while normalize("NFC", str(free)).casefold() in taken:
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    taken.add(normalize("NFC", str(free)).casefold())
    return free


@contextmanager
def recordings(paths: dict[Video, Path], options: dict[str, Any]) -> Iterator[Callable[[Video, Results], None]]:
    """A function that takes the results of a frame, drawn and written by a thread; the files are whole in the end.

    That of a video file is finished when the next video begins.
    """
    if not paths:
        yield lambda video, results: None
        return
    from ..vision.video.recorder import recording

    open_ones: dict[Video, tuple[ExitStack, Add]] = {}
    stack = ExitStack()

    def add(video: Video, results: Results) -> None:
        if not is_recorded(video, options):
            return
        if video not in open_ones:
            for other in [other for other in open_ones if not other.is_live]:
                with uncut():
                    open_ones.pop(other)[0].close()
            own = stack.enter_context(ExitStack())
            own.callback(_tell, paths[video])
            open_ones[video] = own, own.enter_context(recording(paths[video], video, replace=options["replace"]))
        open_ones[video][1](results)

    try:
        yield add
    finally:
        with uncut():
            stack.close()


def _tell(path: Path) -> None:
    if path.exists():
        message(f"drawn: {path}")


class FrameProgress:
    """A line on stderr about how fast frames are computed and how old they are; nothing where nobody looks."""

    def __init__(self, quiet: bool = False) -> None:
        self._looked_at = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._mixed = self._looked_at and sys.stdout is not None and sys.stdout.isatty()
        self._times: deque[float] = deque()
        self._shown = 0.0
        self._line = ""

    def clear(self) -> None:
        """Make room for a line of stdout, on the same terminal."""
        if self._line and self._mixed:
            overwrite("")
            self._shown, self._line = 0.0, ""

    def tell(self, results: Results) -> None:
        """The line for a frame."""
        now = time.monotonic()
        self._times.append(now)
        while now - self._times[0] > SPAN:
            self._times.popleft()
        if not self._looked_at or now - self._shown < STEP:
            return
        self._shown, self._line = now, progress_line(results, list(self._times), now)
        overwrite(self._line)

    def end(self) -> None:
        """Leave the line as it is."""
        if self._line:
            message("")
            self._line = ""


def progress_line(results: Results, times: list[float], now: float) -> str:
    """What is told of a frame, when frames were done at `times`, by `time.monotonic`.

    >>> from types import SimpleNamespace
    >>> frame = SimpleNamespace(path="0", frame=40, time=2.0, taken=9.875)
    >>> progress_line(frame, [9.5, 9.75, 10.0], now=10.0)
    '0: frame 40, 2.0 s, 4.0 fps, age 125 ms'
    """
    span = times[-1] - times[0]
    fps = f"{(len(times) - 1) / span:.1f} fps" if span > 0 else "… fps"
    age = f"{max(0.0, now - (results.taken or now)) * 1000:.0f} ms"
    return printable(f"{results.path[-40:]}: frame {results.frame}, {results.time or 0:.1f} s, {fps}, age {age}")


@contextmanager
def window(videos: bool, options: dict[str, Any]) -> Iterator[FrameWindow | None]:
    """A window for frames, if there are `videos` and one is wanted. Raises `DataError` where there is no display."""
    if not (videos and options["show"]):
        yield None
        return
    from ..vision.window import FrameWindow

    with FrameWindow("darknet-py") as shown:
        yield shown
