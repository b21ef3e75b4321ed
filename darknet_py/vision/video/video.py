"""Which sources are videos, and what of them is wanted.

Decision: a file is what its first bytes say, and where they say nothing, what its suffix says: `dog.mp4` that is a JPEG
is a picture. A live source (camera, rtsp://, MJPEG) gives its newest frame, a file every frame; `latest` chooses.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ...errors import DataError
from ..decode import JPEG
from ..headers import picture_size
from ..picture import SUFFIXES as PICTURES
from ..web import SCHEMES, name_of, scheme_of

SUFFIXES = frozenset(
    ".mp4 .m4v .mov .qt .avi .mkv .webm .mpg .mpeg .mpe .m2v .vob .ts .mts .m2ts .wmv .asf .flv .f4v .3gp .3g2 .ogv "
    ".divx .mjpeg .mjpg .h264 .264 .hevc .h265 .265 .y4m .mxf".split()
)
MOTION_JPEG = frozenset((".mjpg", ".mjpeg"))  # JPEGs one after the other
LIVE_SUFFIXES = MOTION_JPEG | {".m3u8"}  # of addresses
LIVE_SCHEMES = frozenset(("rtsp", "rtsps", "rtmp", "rtmps", "udp", "rtp", "srt", "mms"))
TIMEOUT = 30.0  # seconds without a frame, after which a live source has ended
HEAD = 4096  # bytes that tell what a file is

# The first bytes of containers. Sources: ISO 14496-12 (ftyp), RFC 8794 (EBML), the RIFF, ASF, FLV and MPEG headers.
_CONTAINERS = re.compile(
    rb"\x1a\x45\xdf\xa3|RIFF.{4}AVI |.{4}(ftyp|moov|mdat|wide|free)|FLV\x01|\x30\x26\xb2\x75\x8e\x66\xcf\x11|OggS"
    rb"|\0\0\x01[\xba\xb3]|YUV4MPEG2|\x47.{187}\x47.{187}\x47",
    re.DOTALL,
)
_STILL_BRANDS = re.compile(rb".{4}ftyp(avif|heic|heix|heim|mif1|miaf)", re.DOTALL)  # pictures in the same container


@dataclass(frozen=True)
class Video:
    """A video to run a network on: a file, an address, or the number of a camera; and which of its frames.

    Each `every`-th frame is taken, from `start` for `duration` seconds (None: to its end; of a live source the seconds
    since it began). `latest` takes the newest frame and drops those that came meanwhile, False takes all; None does the
    first for live sources and the second for files. A live source that gives no frame for `timeout` seconds has ended,
    with an error; until then a lost connection is made again. Raises `DataError` for what makes no sense.

    >>> Video("clip.mp4", every=2, start=12.5).newest, Video("rtsp://camera/1").newest, Video(0).name
    (False, True, 'camera0')
    """

    source: str | int | Path
    every: int = 1
    start: float = 0.0
    duration: float | None = None
    latest: bool | None = None
    timeout: float = TIMEOUT
    live: bool | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if self.every < 1:
            raise DataError(f"every is at least 1, not {self.every}")
        if not (math.isfinite(self.start) and self.start >= 0):
            raise DataError(f"start is in seconds, at least 0, not {self.start}")
        if self.duration is not None and not self.duration > 0:
            raise DataError(f"duration is in seconds, more than 0, not {self.duration}")
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise DataError(f"timeout is in seconds, more than 0, not {self.timeout}")
        if self.is_live and self.start:
            raise DataError(f"{self.path} is live: it cannot be started {self.start:g} seconds later")

    @property
    def is_live(self) -> bool:
        """Whether it comes as it happens: a camera, or an address that is one."""
        if self.live is not None:
            return self.live
        return self.camera is not None or _is_live_address(str(self.source))

    @property
    def newest(self) -> bool:
        """Whether only the newest frame counts."""
        return self.is_live if self.latest is None else self.latest and self.is_live

    @property
    def camera(self) -> int | None:
        """The number of a camera of this machine; None for anything else."""
        if isinstance(self.source, int):
            return self.source
        return int(self.source) if isinstance(self.source, str) and is_camera(self.source) else None

    @property
    def file(self) -> Path | None:
        """The file; None for anything else."""
        if self.camera is not None or (isinstance(self.source, str) and scheme_of(self.source)):
            return None
        return Path(str(self.source))

    @property
    def path(self) -> str:
        """Where its frames come from, as messages and results have it: without the password of an address."""
        return str(self.source) if self.file or self.camera is not None else without_password(str(self.source))

    @property
    def name(self) -> str:
        """What a file of it is called."""
        if self.camera is not None:
            return f"camera{self.camera}"
        if self.file:
            return self.file.name
        parts = urlsplit(str(self.source))
        name = name_of(str(self.source))
        return name if name != "picture" else re.sub(r"[^\w.-]+", "-", parts.hostname or "video")


def is_camera(text: str) -> bool:
    """Whether a source is the number of a camera; a file of that name is `./0`.

    >>> is_camera("0"), is_camera("./0"), is_camera("0.jpg"), is_camera("12345")
    (True, False, False, False)
    """
    return re.fullmatch("[0-9]{1,3}", text) is not None


def is_video_file(path: Path, head: bytes | None = None) -> bool:
    """Whether a file is a video, by its first bytes (`head`), or by its suffix where they are of nothing known.

    >>> is_video_file(Path("a.mp4")), is_video_file(Path("a.bin"), b"RIFF....AVI LIST"), is_video_file(Path("a.png"))
    (True, True, False)
    """
    if head and _CONTAINERS.match(head):
        return not _STILL_BRANDS.match(head)
    suffix = path.suffix.lower()
    if head and (head.startswith(JPEG) or picture_size(head) is not None):
        return suffix in MOTION_JPEG
    return suffix in SUFFIXES


def address_kind(url: str) -> str:
    """What an address names, as far as it says itself: 'live', 'video', 'picture' or 'unknown'.

    >>> [address_kind(url) for url in ("rtsp://a/b", "http://a/b.mp4", "http://a/b.jpg?x", "http://a")]
    ['live', 'video', 'picture', 'unknown']
    """
    if _is_live_address(url):
        return "live"
    suffix = Path(name_of(url)).suffix.lower()
    if suffix in SUFFIXES:
        return "video"
    return "picture" if suffix in PICTURES else "unknown"


def kind_of_content(content_type: str) -> str:
    """What the Content-Type of an answer names: 'live', 'video' or 'picture' (or anything else).

    >>> kind_of_content("multipart/x-mixed-replace"), kind_of_content("video/mp4"), kind_of_content("image/png")
    ('live', 'video', 'picture')
    """
    if content_type == "multipart/x-mixed-replace" or content_type.endswith("mpegurl"):
        return "live"
    return "video" if content_type.startswith("video/") else "picture"


def without_password(url: str) -> str:
    """An address that may be shown.

    >>> without_password("rtsp://me:secret@camera:554/1")
    'rtsp://camera:554/1'
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if "@" in parts.netloc else url


def _is_live_address(text: str) -> bool:
    scheme = scheme_of(text)
    if scheme in LIVE_SCHEMES:
        return True
    return scheme in SCHEMES and Path(name_of(text)).suffix.lower() in LIVE_SUFFIXES


@dataclass(frozen=True)
class Streams:
    """Live sources that are looked at together: whichever has a new frame, in turn."""

    videos: tuple[Video, ...]


def is_capture(source: Any) -> bool:
    """Whether it is a `cv2.VideoCapture`, or what reads like one."""
    return all(hasattr(source, name) for name in ("isOpened", "grab", "retrieve"))
