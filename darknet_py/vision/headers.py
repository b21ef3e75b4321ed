"""How large a picture says it is, read from its first bytes: a file of a kilobyte may decode to gigabytes.

Decision: each format that OpenCV decodes has one small reader here, because OpenCV's own limit (2^30 pixels, 3 GB) is
no protection, and it only tells the size of a picture after it has decoded it.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable

from ..errors import DataError

MAX_PIXELS = 178_956_970  # half a gigabyte of colours; where Pillow stops too (twice its Image.MAX_IMAGE_PIXELS)
VARIABLE = "DARKNET_PY_MAX_PIXELS"

Size = tuple[int, int]  # width, height


def pixel_limit(chosen: int | None = None) -> int:
    """The most pixels that a picture may have: `chosen`, or what `DARKNET_PY_MAX_PIXELS` says, or `MAX_PIXELS`.

    Raises `DataError` for what is no number above 0.

    >>> pixel_limit(1000)
    1000
    """
    text = os.environ.get(VARIABLE, "") if chosen is None else ""
    limit: int | str = chosen if chosen is not None else int(text) if re.fullmatch("[0-9]{1,18}", text) else text
    if limit == "":
        return MAX_PIXELS
    if not isinstance(limit, int) or limit < 1:
        source = "max_pixels" if chosen is not None else VARIABLE
        raise DataError(f"{source} is a number of pixels, at least 1, not {limit!r}")
    return limit


def check_size(size: Size | None, limit: int, where: str) -> None:
    """Raise `DataError` for a picture of (width, height) with more than `limit` pixels; None is of unknown size."""
    if size is None or size[0] * size[1] <= limit:
        return
    raise DataError(
        f"{where}: a picture of {size[0]}x{size[1]} (width x height) has more than {limit:,} pixels, and was not "
        f"decoded\n  hint: if you trust it, allow more with --max-pixels, max_pixels=, or {VARIABLE}"
    )


def picture_size(data: bytes) -> Size | None:
    """The (width, height) that the header of an encoded picture states; None where it is of no format known here.

    >>> picture_size(b"P5 640 480 255 ...")
    (640, 480)
    """
    for signature, size in _FORMATS:
        if signature.match(data):
            try:
                return size(data)
            except (struct.error, IndexError, ValueError):
                return None  # cut within its header: nothing to decode
    return None


def _png(data: bytes) -> Size:
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def _gif(data: bytes) -> Size:
    width, height = struct.unpack_from("<HH", data, 6)
    return width, height


def _bmp(data: bytes) -> Size:
    if struct.unpack_from("<I", data, 14)[0] == 12:  # OS/2's header
        width, height = struct.unpack_from("<HH", data, 18)
    else:
        width, height = struct.unpack_from("<ii", data, 18)
    return abs(width), abs(height)  # a negative height: rows from the top


def _jpeg(data: bytes) -> Size | None:
    """The size in the first frame header; what is between segments is passed over, as decoders do."""
    place = 2
    while (place := data.find(b"\xff", place)) >= 0:
        kind = data[place + 1]
        if kind == 0xFF:
            place += 1
        elif kind == 0 or kind == 1 or 0xD0 <= kind <= 0xD9:  # no segment
            place += 2
        elif 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", data, place + 5)
            return width, height
        else:
            place += 2 + max(2, struct.unpack_from(">H", data, place + 2)[0])
    return None


def _webp(data: bytes) -> Size:
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = struct.unpack_from("<HH", data, 26)
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = struct.unpack_from("<I", data, 21)[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(data[24:27], "little") + 1, int.from_bytes(data[27:30], "little") + 1


def _tiff(data: bytes) -> Size:
    """The sizes in the first directory, classic or BigTIFF."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(f"{order}H", data, 2)[0] == 43
    start = struct.unpack_from(f"{order}Q" if big else f"{order}I", data, 8 if big else 4)[0]
    count = struct.unpack_from(f"{order}Q" if big else f"{order}H", data, start)[0]
    first, step, value = (start + 8, 20, 12) if big else (start + 2, 12, 8)
    found = {}
    for place in range(first, first + step * min(count, 65536), step):
        tag, kind = struct.unpack_from(f"{order}HH", data, place)
        if tag in (256, 257):  # ImageWidth, ImageLength
            code = {1: "B", 3: "H", 4: "I", 16: "Q"}.get(kind, "I")
            found[tag] = struct.unpack_from(f"{order}{code}", data, place + value)[0]
    return found.get(256, 0), found.get(257, 0)


def _netpbm(data: bytes) -> Size:
    """PBM, PGM, PPM and PFM: numbers with blanks and comments between."""
    numbers = re.findall(rb"[0-9]+", re.sub(rb"#[^\n]*", b"", data[2:4096]))
    return int(numbers[0]), int(numbers[1])


def _pam(data: bytes) -> Size:
    words = dict(re.findall(rb"(WIDTH|HEIGHT)\s+([0-9]+)", data[:4096]))
    return int(words.get(b"WIDTH", 0)), int(words.get(b"HEIGHT", 0))


def _jpeg2000(data: bytes) -> Size | None:
    """The size in the code stream (SIZ), or in the box ihdr of a file."""
    if (place := data.find(b"\xff\x4f\xff\x51")) >= 0:
        right, bottom, left, top = struct.unpack_from(">IIII", data, place + 8)
        return right - left, bottom - top
    if (place := data.find(b"ihdr")) >= 0:
        height, width = struct.unpack_from(">II", data, place + 4)
        return width, height
    return None


def _heif(data: bytes) -> Size | None:
    """The largest of the sizes that the properties of an AVIF file state."""
    sizes = [struct.unpack_from(">II", data, m.end() + 4) for m in re.finditer(b"ispe", data[: 1 << 16])]
    return max(sizes, key=lambda s: s[0] * s[1], default=None)


def _radiance(data: bytes) -> Size | None:
    sides = re.search(rb"[-+][XY] ([0-9]+) [-+][XY] ([0-9]+)", data[: 1 << 16])
    return (int(sides[2]), int(sides[1])) if sides else None


def _sun(data: bytes) -> Size:
    width, height = struct.unpack_from(">II", data, 4)
    return width, height


def _exr(data: bytes) -> Size | None:
    place = data.find(b"dataWindow\0box2i\0")
    if place < 0:
        return None
    left, top, right, bottom = struct.unpack_from("<iiii", data, place + 21)
    return right - left + 1, bottom - top + 1


_FORMATS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Size | None]], ...] = tuple(
    (re.compile(signature, re.DOTALL), size)
    for signature, size in (
        (rb"\x89PNG", _png),
        (rb"\xff\xd8", _jpeg),
        (rb"BM", _bmp),
        (rb"RIFF.{4}WEBP", _webp),
        (rb"GIF8", _gif),
        (rb"II[*+]\0|MM\0[*+]", _tiff),
        (rb"P[1-6fF]\s", _netpbm),
        (rb"P7\s", _pam),
        (rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51", _jpeg2000),
        (rb".{4}ftyp", _heif),
        (rb"#\?R", _radiance),
        (rb"\x59\xa6\x6a\x95", _sun),
        (rb"\x76\x2f\x31\x01", _exr),
    )
)
