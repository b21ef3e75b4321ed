"""Pictures: whatever the bytes are, they become the input of a network, or are refused; a file and its bytes alike."""

from __future__ import annotations

import struct
import zlib
from functools import cache, partial
from pathlib import Path
from random import Random

import cv2
import numpy as np

from darknet_py.errors import DataError
from darknet_py.vision.picture import Picture
from darknet_py.vision.preprocess import to_center, to_input
from darknet_py.vision.sources import pictures

from ..mutate import apply_edits, edits, split_edits
from ..target import Case, Mismatch, Target

SHAPES = ((1, 1), (1, 17), (9, 16), (40, 30), (64, 64))  # height and width
KINDS = (
    "png",
    "png16",
    "png-alpha",
    "png-grey",
    "jpg",
    "jpg-grey",
    "bmp",
    "pgm",
    "ppm",
    "pbm",
    "pam",
    "tif",
    "webp",
    "gif",
)
SIZES = (0, 1, 7, 255, 4096, 30000, 32767, 65535, 1 << 20, (1 << 31) - 1, (1 << 32) - 1)  # that a header may claim
NETS = ((3, 8, 12), (1, 8, 8), (4, 6, 6))
PNG = b"\x89PNG\r\n\x1a\n"


def make(rng: Random) -> Case:
    """A format, a size, and what is changed in the file."""
    kind, shape = rng.choice(KINDS), rng.randrange(len(SHAPES))
    length = len(_file(kind, shape))
    lines = edits(rng, length) if rng.random() < 0.7 else []
    if rng.random() < 0.3:
        lines.insert(0, f"size {rng.choice(SIZES)} {rng.choice(SIZES)}")
    if rng.random() < 0.5:
        lines.append("checksum")  # what is wrong in a PNG is seen only by who looks further
    return {"edits.txt": "\n".join([f"{kind} {shape}", *lines]).encode()}


@cache
def _file(kind: str, shape: int) -> bytes:
    """A picture of random pixels, as OpenCV writes it."""
    height, width = SHAPES[shape]
    rng = np.random.default_rng(shape)
    form, _, sort = kind.partition("-")
    channels = {"grey": 1, "alpha": 4}.get(sort, 1 if form in ("pgm", "pbm") else 3)
    pixels = rng.integers(0, 256, (height, width, channels), np.uint8)
    if form == "png16":
        form, pixels = "png", pixels.astype(np.uint16) * 257
    try:
        done, data = cv2.imencode(f".{form}", pixels)
    except cv2.error:
        done = False
    return data.tobytes() if done else b"P6\n2 2\n255\n" + bytes(12)  # this OpenCV does not write the format


def build(case: Case, folder: Path) -> None:
    """The picture."""
    first, lines = split_edits(case["edits.txt"])
    kind, shape = first.split()
    data = _file(kind, int(shape))
    for line in lines:
        word, *rest = line.split()
        if word == "size":
            data = _with_size(data, *map(int, rest))
        elif word == "checksum":
            data = _with_checksums(data)
        else:
            data = apply_edits(data, [line])
    (folder / "picture").write_bytes(data)


def _with_size(data: bytes, width: int, height: int) -> bytes:
    """The file with another width and height in its header."""
    if data.startswith(PNG):
        return _with_checksums(data[:16] + struct.pack(">II", width, height) + data[24:])
    if data.startswith(b"BM"):
        return data[:18] + struct.pack("<II", width, height) + data[26:]
    if data[:1] == b"P":
        kind, _, rest = data.partition(b"\n")
        return kind + f"\n{width} {height}\n".encode() + rest.partition(b"\n")[2]
    at = next((i for i in (data.find(b"\xff\xc0"), data.find(b"\xff\xc2")) if i > 0), None)
    return data if at is None else data[: at + 5] + struct.pack(">HH", height & 65535, width & 65535) + data[at + 9 :]


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks have the checksums of what they hold."""
    if not data.startswith(PNG):
        return data
    done, at = data[:8], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        body = data[at + 4 : at + 8 + length]
        if len(body) < 4 + length:
            break
        done += data[at : at + 4] + body + struct.pack(">I", zlib.crc32(body))
        at += 12 + length
    return done + data[at:]


def check(folder: Path) -> str:
    """Decode for networks of all channels, from the file and from its bytes; make the input of a network."""
    path = folder / "picture"
    words = [_decoded(path, shape) for shape in NETS]
    return "decoded" if "decoded" in words else "refused"


def _decoded(path: Path, shape: tuple[int, int, int]) -> str:
    found = [_picture(source, shape[0]) for source in (path, path.read_bytes())]
    first, second = found
    if first is None or second is None:
        if first is not second:
            raise Mismatch("a file is refused and its bytes are not, or the other way round", str(found))
        return "refused"
    if not np.array_equal(first.pixels, second.pixels):
        raise Mismatch("a file and its bytes are two pictures", f"{first.pixels.shape} {second.pixels.shape}")
    if first.pixels.dtype != np.uint8 or first.pixels.ndim not in (2, 3):
        raise Mismatch("a picture is not as promised", f"{first.pixels.dtype} {first.pixels.shape}")
    for function in (to_input, partial(to_input, letterbox=True), to_center):
        try:
            made = function(first.pixels, shape, bgr=True)
        except DataError:  # so many channels do not go into that network
            continue
        if made.shape != shape or not (made >= 0).all() or not (made <= 1).all():
            raise Mismatch("the input of a network is not between 0 and 1", f"{made.shape}")
    return "decoded"


def _picture(source: Path | bytes, channels: int) -> Picture | None:
    try:
        return next(iter(pictures(source, channels)))
    except DataError:
        return None


TARGET = Target("pictures", __doc__, make, check, "edits.txt", build, chunk=100)
