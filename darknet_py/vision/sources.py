"""Pictures from wherever they are: paths, folders, globs, bytes, arrays, PIL images, lists and generators of these.

Decision: one lazy stream of `Picture`s, decoded when asked for. As elsewhere in this field, an array is BGR, as
`cv2.imread` gives it, and a PIL image is RGB, as PIL has it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from glob import glob, has_magic
from os import PathLike, fspath
from pathlib import Path
from typing import Any

import numpy as np

from ..backends.opencv.log import silent_opencv
from ..errors import DataError
from ..files import kind_of, read_whole

MAX_BYTES = 1 << 28  # of a file
SUFFIXES = frozenset(".jpg .jpeg .jpe .png .bmp .dib .webp .tif .tiff .pgm .ppm .pbm .pnm .jp2 .avif .gif".split())


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded picture: BGR or grey uint8, (h, w, 3) or (h, w), and where it came from."""

    pixels: np.ndarray
    path: str


@dataclass(frozen=True)
class PictureFile:
    """A file that was found already: its path is no pattern and no folder, whatever characters it has."""

    path: Path


def pictures(source: Any, channels: int = 3) -> Iterator[Picture]:
    """The pictures of a source, one at a time.

    `source` is a path, folder or glob pattern (str or Path), encoded bytes, an array ((h, w), (h, w, 1), (h, w, 3) BGR
    or (h, w, 4) BGRA uint8; (n, h, w, c) is n pictures), a PIL image, what `expand` found, or any iterable of these.
    Files are read as grey for networks of one channel, as Darknet does, and with all their channels for networks of
    other than 1 or 3. Raises `DataError` for what cannot be read.
    """
    return (load() for load in loaders(source, channels))


Loader = Callable[[], Picture]


def loaders(source: Any, channels: int = 3) -> Iterator[Loader]:
    """The same pictures, each still to be read and decoded by the call of a function, in whatever thread."""
    return (partial(_numbered, load, i) for i, load in enumerate(_loaders(source, channels)))


def is_stream(source: Any) -> bool:
    """Whether a source is consumed as it is read (a generator or another iterator)."""
    return isinstance(source, Iterator)


def expand(source: str | PathLike[str]) -> list[PictureFile]:
    """The files that a path, folder or glob pattern means. Raises `DataError` if there are none."""
    path = Path(source)
    if (kind := kind_of(path)) == "a folder":
        found = _pictures_of(path.iterdir())
        if not found:
            raise DataError(f"no pictures in the folder {path}")
        return found
    if kind != "nothing" or not has_magic(fspath(source)):
        return [PictureFile(path)]
    matches = map(Path, glob(fspath(source), recursive=True))  # noqa: PTH207  # Path.glob takes no absolute pattern
    found = _pictures_of(matches)
    if not found:
        raise DataError(f"no pictures match {fspath(source)!r}")
    return found


def _pictures_of(paths: Iterable[Path]) -> list[PictureFile]:
    return [PictureFile(p) for p in sorted(paths) if p.suffix.lower() in SUFFIXES and not p.is_dir()]


def _loaders(source: Any, channels: int) -> Iterator[Loader]:
    if isinstance(source, Picture):
        yield lambda: source
    elif isinstance(source, PictureFile):
        yield partial(_read, source.path, channels)
    elif isinstance(source, str | PathLike):
        yield from (partial(_read, file.path, channels) for file in expand(source))
    elif isinstance(source, bytes | bytearray | memoryview):
        yield lambda: Picture(_decode(bytes(source), channels, "the bytes"), "")
    elif isinstance(source, np.ndarray):
        yield from (partial(_check, a) for a in (source if source.ndim == 4 else (source,)))
    elif hasattr(source, "convert") and hasattr(source, "mode"):
        yield lambda: Picture(_from_pil(source), getattr(source, "filename", "") or "")
    elif isinstance(source, Iterable):
        for item in source:
            yield from _loaders(item, channels)
    else:
        raise DataError(f"cannot take pictures from {type(source).__name__!r}: give a path, bytes, an array, or a list")


def _numbered(load: Loader, index: int) -> Picture:
    picture = load()
    return picture if picture.path else Picture(picture.pixels, f"image{index}")


def _read(path: Path, channels: int) -> Picture:
    return Picture(_decode(read_whole(path, MAX_BYTES, "picture"), channels, str(path)), str(path))


def _decode(data: bytes, channels: int, where: str) -> np.ndarray:
    import cv2

    # image_opencv.cpp load_image_mat: one channel is read as grey, three as colour, other numbers as they are
    flag = {1: cv2.IMREAD_GRAYSCALE, 3: cv2.IMREAD_COLOR}.get(channels, cv2.IMREAD_UNCHANGED)
    try:
        with silent_opencv():
            pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag) if data else None
    except cv2.error:
        pixels = None
    if pixels is None:
        raise DataError(f"{where}: not a picture, or in a format that OpenCV cannot read")
    if pixels.dtype != np.uint8:
        pixels = (pixels / 257).astype(np.uint8) if pixels.dtype == np.uint16 else pixels.astype(np.uint8)
    return pixels


def _check(pixels: np.ndarray) -> Picture:
    if pixels.dtype != np.uint8:
        raise DataError(f"an array of pictures must be uint8 (0 to 255), not {pixels.dtype}")
    if pixels.ndim not in (2, 3) or not pixels.size:
        raise DataError(f"an array of shape {pixels.shape} is no picture: want (h, w), (h, w, 3) or (n, h, w, 3)")
    return Picture(pixels, "")


def _from_pil(image: Any) -> np.ndarray:
    if image.mode in ("L", "1", "I;16"):
        return np.asarray(image.convert("L"))
    return np.ascontiguousarray(np.asarray(image.convert("RGB"))[:, :, ::-1])
