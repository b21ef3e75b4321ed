"""Pictures from wherever they are: paths, folders, globs, lists of paths, addresses, stdin, bytes, arrays, PIL images,
and frames of videos.

Here is what a source means, and which pictures it has; `opening` reads each of them when it is wanted.

Decision: one lazy stream of `Picture`s, decoded when asked for. As elsewhere in this field, an array is BGR, as
`cv2.imread` gives it, and a PIL image is RGB, as PIL has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from glob import glob, has_magic
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from ..errors import DataError, Say
from ..files import is_file, kind_of, read_at_most
from .decode import check_array, warn
from .headers import pixel_limit
from .lists import LISTS, listed_lines, none_listed
from .opening import STDIN, Wanted
from .picture import SUFFIXES, Picture
from .video.video import (
    HEAD,
    LIVE_SCHEMES,
    Streams,
    Video,
    address_kind,
    is_camera,
    is_capture,
    is_video_file,
    kind_of_content,
    without_password,
)
from .video.video import SUFFIXES as VIDEOS
from .web import SCHEMES, content_type, name_of, scheme_of


@dataclass(frozen=True)
class PictureFile:
    """A file that was found already: its path is no pattern and no folder, whatever characters it has.

    `note` says what a person may want to know about how it was found.
    """

    path: Path
    note: str = ""

    @property
    def name(self) -> str:
        """What a file of it is called."""
        return self.path.name


@dataclass(frozen=True)
class PictureUrl:
    """An address that is fetched when the picture is wanted."""

    url: str
    note: str = ""

    @property
    def name(self) -> str:
        """What a file of it is called."""
        return file_name(self.url)


@dataclass(frozen=True)
class PictureStdin:
    """The picture whose bytes are in stdin, which are read when it is wanted."""

    note: str = ""

    @property
    def name(self) -> str:
        """What a file of it is called."""
        return file_name(STDIN)


Found = PictureFile | PictureUrl | PictureStdin
Source = Found | Video
Loader = Callable[[], Picture]


def pictures(source: Any, channels: int = 3, max_pixels: int | None = None, *, say: Say = warn) -> Iterator[Picture]:
    """The pictures of a source, one at a time.

    `source` is a path, folder or glob pattern (str or Path), a list file (`.txt` or `.list`, a path in each line), an
    `http://` or `https://` address, '-' (stdin), a video (a file, an address as `rtsp://`, the number of a camera, a
    `Video` or a `cv2.VideoCapture`: its frames), encoded bytes, a file opened with 'rb' or a `BytesIO`, an array, a PIL
    image, what `expand` found, or any iterable of these. Files are read as grey for networks of one channel, as Darknet
    does, and with all their channels for networks of other than 1 or 3; 16 bits become their upper 8.

    All of them give the same pixels, but for what an array (or a PIL image that was loaded) no longer knows: it is
    taken as it is, (h, w), (h, w, 1), (h, w, 3) BGR or (h, w, 4) BGRA, uint8 or uint16, as `cv2.imread` gives it
    ((n, h, w, c) is n pictures), has no EXIF, and becomes grey from its colours. Networks of 4 channels get R, G, B and
    alpha, and like OpenCV take no notice of EXIF for them.

    `max_pixels` is the most that a picture may have before it is decoded, see `headers.pixel_limit`. A JPEG that was
    cut is read as far as it goes, and `say` is told (a `PictureWarning`). Raises `DataError` for what cannot be read.
    """
    return (load() for load in loaders(source, channels, max_pixels, say=say))


def loaders(
    source: Any, channels: int = 3, max_pixels: int | None = None, *, ahead: bool = True, say: Say = warn
) -> Iterator[Loader]:
    """The same pictures, each still to be read and decoded by the call of a function, in whatever thread.

    Frames of video files are decoded already: by a thread that is `ahead`, or else by who iterates.
    """
    wanted = Wanted(channels, pixel_limit(max_pixels), ahead, say)
    return (partial(_numbered, load, i) for i, load in enumerate(_loaders(source, wanted)))


def is_stream(source: Any) -> bool:
    """Whether a source that `recognized` gave is consumed as it is read: a generator or another iterator (but not an
    open file), or a video.
    """
    if isinstance(source, list | tuple):
        return any(isinstance(one, Video | Streams) for one in source)
    return (
        isinstance(source, Video | Streams)
        or is_capture(source)
        or (isinstance(source, Iterator) and not _is_file(source))
    )


def is_live(source: Any) -> bool:
    """Whether of a source that `recognized` gave only the newest frames count, so that nothing may be read ahead."""
    if isinstance(source, list | tuple):
        return any(map(is_live, source))
    return isinstance(source, Streams) or (isinstance(source, Video) and source.newest)


def recognized(source: Any) -> Any:
    """A source, or a list of them, with what is found by name as what it is: `Video`, `PictureFile` and so on.

    An address that does not say what it is is asked. Raises `DataError` as `expand` does.
    """
    if isinstance(source, list | tuple):
        return [one for part in source for one in _recognized(part)]
    found = _recognized(source)
    return found[0] if len(found) == 1 else found


def _recognized(source: Any) -> list[Any]:
    if isinstance(source, int) and not isinstance(source, bool):
        return [Video(source)]
    if not isinstance(source, str | PathLike):
        return [source]
    return [_asked(one) for one in expand(source)]


def _asked(found: Source) -> Source:
    """A video where an address that does not say so itself turns out to be one."""
    if not isinstance(found, PictureUrl) or address_kind(found.url) != "unknown":
        return found
    kind = kind_of_content(content_type(found.url))
    return found if kind == "picture" else Video(found.url, live=kind == "live", note=found.note)


def look_up(sources: Iterable[str]) -> tuple[list[Source], list[DataError]]:
    """What paths, folders, patterns, lists, addresses and cameras mean, and what is wrong with those that mean nothing.

    Nothing is read or fetched yet, but a file that is not there is known at once, and an address that does not say what
    it is is asked.
    """
    found: list[Source] = []
    errors: list[DataError] = []
    for source in sources:
        try:
            here = expand(source)
        except DataError as e:
            errors.append(e)
            continue
        for one in here:
            try:
                _check_there(one)
            except DataError as e:
                errors.append(e)
            else:
                found.append(_asked(one))
    return found, errors


def _check_there(found: Source) -> None:
    path = found.path if isinstance(found, PictureFile) else found.file if isinstance(found, Video) else None
    if path and not _exists(path):
        what = "picture" if isinstance(found, PictureFile) else "video"
        raise DataError(f"cannot read the {what} {path}: No such file or directory")


@overload
def expand(source: str | PathLike[str], *, videos: Literal[False]) -> list[Found]: ...


@overload
def expand(source: str | PathLike[str], *, videos: bool = True) -> list[Source]: ...


def expand(source: str | PathLike[str], *, videos: bool = True) -> Sequence[Source]:
    """The pictures, and with `videos` those too, that a path, folder, glob pattern, list file, address or '-' means.

    Raises `DataError` if there are none, or for an address that nothing is fetched from.
    """
    text = fspath(source)
    if "\0" in text:
        raise DataError(f"{text!r} is no path: none has such characters")
    if text == STDIN:
        return [PictureStdin()]
    path = Path(source)
    kind = kind_of(path)
    if kind == "nothing" and (scheme := scheme_of(text)):
        return [_address(text, scheme, videos)]
    if videos and is_camera(text) and isinstance(source, str):
        return [Video(int(text))]
    if kind == "a folder":
        found = _files_of(path.iterdir(), videos)
        if not found:
            raise DataError(f"no pictures{' or videos' if videos else ''} in the folder {path}")
        return found
    if path.suffix.lower() in LISTS and kind == "a file":
        return _listed(path, videos)
    if kind != "nothing" or not has_magic(text):
        return [_file(path, videos)]
    matches = map(Path, glob(text, recursive=True))  # noqa: PTH207  # Path.glob takes no absolute pattern
    found = _files_of(matches, videos)
    if not found:
        raise DataError(f"no pictures{' or videos' if videos else ''} match {text!r}")
    return found


def file_name(path: str) -> str:
    """What the file of a picture is called, whose `path` may be an address.

    >>> file_name("photos/dog.jpg"), file_name("https://a/b/cat.png?w=80"), file_name("-")
    ('dog.jpg', 'cat.png', 'stdin')
    """
    if path == STDIN:
        return "stdin"
    return name_of(path) if scheme_of(path) in SCHEMES else Path(path).name


def video_name(path: str) -> str:
    """What a file of a video is called, whose `path` may be an address or the number of a camera.

    >>> video_name("0"), video_name("clips/a.mp4"), video_name("rtsp://camera.lan:554/")
    ('camera0', 'a.mp4', 'camera.lan')
    """
    return Video(path).name


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as e:  # a name that is too long, say
        raise DataError(f"cannot read the picture {str(path)[:100]}: {e.strerror or e}") from None


def _files_of(paths: Iterable[Path], videos: bool) -> list[Source]:
    suffixes = SUFFIXES | VIDEOS if videos else SUFFIXES
    return [_file(p, videos) for p in sorted(paths) if p.suffix.lower() in suffixes and not p.is_dir()]


def _file(path: Path, videos: bool) -> PictureFile | Video:
    """A picture or a video; the first bytes tell, where the suffix is none of a picture."""
    if not videos or path.suffix.lower() in SUFFIXES:
        return PictureFile(path)
    head = read_at_most(path, HEAD) if is_file(path) else None
    return Video(path) if is_video_file(path, head) else PictureFile(path)


def _address(text: str, scheme: str, videos: bool) -> PictureUrl | Video:
    kind = address_kind(text)
    if videos and kind in ("live", "video"):
        return Video(text, live=kind == "live")
    if scheme in SCHEMES:
        return PictureUrl(text)
    raise DataError(
        f"{without_password(text)}: pictures are fetched by http:// and https:// only, not {scheme}://; "
        "a file is given as a path"
    )


def _listed(path: Path, videos: bool) -> list[Source]:
    """The pictures of a list file: relative to where we are, as Darknet has them, else to the folder of the list."""
    found: list[Source] = []
    missing: list[str] = []
    beside = 0
    for line in listed_lines(path):
        scheme = scheme_of(line)
        if scheme in SCHEMES or (videos and scheme in LIVE_SCHEMES):
            found.append(_address(line, scheme or "", videos))
        elif _exists(Path(line)):
            found.append(_file(Path(line), videos))
        elif _exists(path.parent / line):
            found.append(_file(path.parent / line, videos))
            beside += 1
        else:
            missing.append(line)
    if not found:
        raise DataError(none_listed(path, missing))
    found += [PictureFile(Path(line)) for line in missing]  # an error of their own, as for any file that is not there
    if not beside:
        return found
    note = f"{path}: {beside} of {len(found)} pictures are beside the list, not where its paths say"
    return [replace(f, note=note) for f in found]


def _is_file(source: Any) -> bool:
    return hasattr(source, "read") and not isinstance(source, np.ndarray | bytes | str)


def _loaders(source: Any, wanted: Wanted) -> Iterator[Loader]:
    if isinstance(source, Picture):
        yield lambda: source
    elif isinstance(source, Video):
        from .video.frames import frames  # what decodes videos is not for who has pictures

        yield from _frames(frames(source, wanted.limit, ahead=wanted.ahead))
    elif isinstance(source, Streams):
        from .video.live import live_frames

        yield from (partial(_known, item) for item in live_frames(source.videos, wanted.limit))
    elif is_capture(source):
        from .video.frames import captured

        yield from _frames(captured(source))
    elif isinstance(source, Found):
        yield _found(source, wanted)
    elif isinstance(source, str | PathLike):
        yield from (load for found in expand(source) for load in _loaders(found, wanted))
    elif isinstance(source, bytes | bytearray | memoryview):
        yield partial(wanted.decoded, bytes(source), "", "the bytes")
    elif isinstance(source, np.ndarray):
        yield from (partial(_array, a) for a in (source if source.ndim == 4 else (source,)))
    elif hasattr(source, "convert") and hasattr(source, "mode"):
        yield partial(wanted.pil, source)
    elif _is_file(source):
        name = getattr(source, "name", "")
        path = name if isinstance(name, str) else ""
        yield partial(wanted.stream, source, path, path or "the open file")
    elif isinstance(source, Iterable):
        for item in source:
            yield from _loaders(item, wanted)
    else:
        raise DataError(f"cannot take pictures from {type(source).__name__!r}: give a path, bytes, an array, or a list")


def _found(source: Found, wanted: Wanted) -> Loader:
    if isinstance(source, PictureFile):
        return partial(wanted.file, source.path)
    return partial(wanted.url, source.url) if isinstance(source, PictureUrl) else wanted.stdin


def _frames(pictures: Iterator[Picture]) -> Iterator[Loader]:
    """Frames that are read already; what ends them with an error is one of them."""
    try:
        for picture in pictures:
            yield partial(_known, picture)
    except DataError as e:
        yield partial(_known, e)


def _known(picture: Picture | DataError) -> Picture:
    if isinstance(picture, DataError):
        raise picture
    return picture


def _array(pixels: np.ndarray) -> Picture:
    return Picture(check_array(pixels), "")


def _numbered(load: Loader, index: int) -> Picture:
    picture = load()
    return picture if picture.path else replace(picture, path=f"image{index}")
