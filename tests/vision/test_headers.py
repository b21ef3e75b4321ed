"""The size in the header of every format, and pictures that would fill the memory, which are not decoded."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from darknet_py.errors import DataError
from darknet_py.vision import decode
from darknet_py.vision.headers import MAX_PIXELS, picture_size, pixel_limit
from darknet_py.vision.sources import pictures

COLOURS = np.zeros((120, 200, 3), np.uint8)
SUFFIXES = [".png", ".jpg", ".bmp", ".webp", ".tiff", ".ppm", ".jp2", ".sr", ".avif", ".gif", ".hdr", ".exr", ".pfm"]


def encoded(suffix: str) -> bytes:
    pixels = COLOURS.astype(np.float32) if suffix in (".hdr", ".exr", ".pfm") else COLOURS
    try:
        return cv2.imencode(suffix, pixels)[1].tobytes()
    except cv2.error:
        pytest.skip(f"this OpenCV does not write {suffix}: install another build to test it")


def bomb(width: int, height: int) -> bytes:
    """A PNG of few bytes that says that it is large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_header_of_a_format_says_the_size(suffix: str) -> None:
    assert picture_size(encoded(suffix)) == (200, 120)


@pytest.mark.parametrize(
    ("head", "size"),
    [
        (b"P4 # a comment 7 8\n640\n480\n", (640, 480)),
        (b"P7\nWIDTH 640\nHEIGHT 480\nDEPTH 3\nENDHDR\n", (640, 480)),
        (b"MM\0*\0\0\0\x08\0\x02" + struct.pack(">HHIHHHHIHH", 256, 3, 1, 640, 0, 257, 3, 1, 480, 0), (640, 480)),
        (b"BM" + b"\0" * 12 + struct.pack("<Iii", 40, 640, -480), (640, 480)),
        (b"BM" + b"\0" * 12 + struct.pack("<IHH", 12, 640, 480), (640, 480)),
        (b"RIFF\0\0\0\0WEBPVP8X" + b"\0" * 8 + b"\x7f\x02\0\xdf\x01\0", (640, 480)),
        (b"\xff\xd8\xff\xe0\0\x04ab\xff\xff\xc2\0\x11\x08\x01\xe0\x02\x80\x03", (640, 480)),
        (b"\xff\xd8\xff\xe0", None),
        (b"no picture", None),
        (b"", None),
    ],
)
def test_other_forms_of_headers_are_known(head: bytes, size: tuple[int, int] | None) -> None:
    assert picture_size(head) == size


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_header_that_is_cut_anywhere_raises_nothing(suffix: str) -> None:
    data = encoded(suffix)
    for end in range(min(len(data), 200)):
        picture_size(data[:end])


@pytest.mark.fault("picture-bomb")
def test_a_bomb_is_refused_before_it_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "_imdecode", lambda *_: pytest.fail("it was decoded"))
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb(20000, 20000))
    for source in (path, path.read_bytes(), io.BytesIO(path.read_bytes())):
        with pytest.raises(DataError, match=r"20000x20000 \(width x height\) has more than 178,956,970 pixels"):
            list(pictures(source))


@pytest.mark.fault("picture-bomb")
def test_the_limit_can_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(".png")
    assert len(list(pictures(data, max_pixels=24000))) == 1
    with pytest.raises(DataError, match="200x120"):
        list(pictures(data, max_pixels=23999))
    monkeypatch.setenv("DARKNET_PY_MAX_PIXELS", "1000")
    with pytest.raises(DataError, match="more than 1,000 pixels"):
        list(pictures(data))
    assert pixel_limit(7) == 7  # what is said in the call counts more
    monkeypatch.setenv("DARKNET_PY_MAX_PIXELS", "many")
    with pytest.raises(DataError, match="DARKNET_PY_MAX_PIXELS is a number of pixels, at least 1, not 'many'"):
        list(pictures(data))
    monkeypatch.delenv("DARKNET_PY_MAX_PIXELS")
    assert pixel_limit() == MAX_PIXELS
    with pytest.raises(DataError, match="max_pixels is a number"):
        pixel_limit(0)
