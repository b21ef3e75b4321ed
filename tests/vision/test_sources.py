"""Pictures from files, folders, patterns and bytes, and what is none."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from darknet_py.errors import DataError
from darknet_py.vision.sources import expand, pictures


def photo(h: int, w: int) -> np.ndarray:
    return np.random.default_rng(h * w).integers(0, 256, (h, w, 3), np.uint8)


def decoded(source: object, channels: int = 3) -> np.ndarray:
    (picture,) = pictures(source, channels)
    return picture.pixels


def test_a_file_and_its_bytes_are_the_same_bgr(tmp_path: Path) -> None:
    image, path = photo(5, 7), tmp_path / "photo.png"
    cv2.imwrite(str(path), image)
    assert np.array_equal(decoded(path), image)
    assert np.array_equal(decoded(path.read_bytes()), image)


def test_a_network_of_one_channel_reads_grey_and_of_four_all_there_is(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    cv2.imwrite(str(path), np.dstack([photo(5, 7), photo(5, 7)[..., 0]]))
    assert decoded(path, 1).shape == (5, 7)
    assert decoded(path, 4).shape == (5, 7, 4)


def test_16_bits_become_8(tmp_path: Path) -> None:
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), np.array([[0, 257, 65535]], np.uint16))
    assert decoded(path, 4).tolist() == [[0, 1, 255]]


def test_the_orientation_of_a_photo_is_applied() -> None:
    ok, jpeg = cv2.imencode(".jpg", photo(8, 16))
    assert ok
    exif = b"Exif\0\0" + b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"  # 6: turn right
    turned = bytes(jpeg[:2]) + b"\xff\xe1" + (len(exif) + 2).to_bytes(2, "big") + exif + bytes(jpeg[2:])
    assert decoded(bytes(jpeg)).shape == (8, 16, 3)
    assert decoded(turned).shape == (16, 8, 3)


@pytest.mark.parametrize("data", [b"", b"no image"])
def test_bytes_that_are_no_picture_are_an_error(data: bytes) -> None:
    with pytest.raises(DataError, match="the bytes: not a picture"):
        decoded(data)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot read"):
        decoded(tmp_path / "none.jpg")


def test_a_folder_called_like_a_picture_is_not_one_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "album.jpg").mkdir()
    cv2.imwrite(str(tmp_path / "dog.png"), np.zeros((4, 4, 3), np.uint8))
    assert [f.path.name for f in expand(tmp_path)] == ["dog.png"]
    assert [f.path.name for f in expand(str(tmp_path / "*"))] == ["dog.png"]


def test_what_was_found_is_read_as_it_was_found_and_is_no_pattern(tmp_path: Path) -> None:
    odd, plain = photo(2, 3), photo(4, 5)
    cv2.imwrite(str(tmp_path / "a[1].png"), odd)
    cv2.imwrite(str(tmp_path / "a1.png"), plain)
    files = expand(tmp_path)
    assert [f.path.name for f in files] == ["a1.png", "a[1].png"]
    assert [p.pixels.shape[:2] for p in pictures(files)] == [(4, 5), (2, 3)]
    assert decoded(tmp_path / "a[1].png").shape == odd.shape
    (tmp_path / "a[1].png").unlink()
    with pytest.raises(DataError, match=r"cannot read the picture .*a\[1\]\.png"):  # and not a1.png in its place
        list(pictures(files))
    (tmp_path / "a[1].png").mkdir()
    with pytest.raises(DataError, match="cannot read"):
        list(pictures(files))
