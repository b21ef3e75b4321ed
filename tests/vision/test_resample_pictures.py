"""Pictures get the bits that Pillow gives them, in the part that a network sees."""

from __future__ import annotations

import numpy as np
import pytest

from darknet_py.errors import DataError
from darknet_py.vision.resample import FILTERS, to_center_resampled


def resampled(image: np.ndarray, kind: str, edge: int, size: int) -> np.ndarray:
    return to_center_resampled(image, kind, edge, np.empty((3, size, size), np.float32))


@pytest.mark.parametrize("kind", FILTERS)
@pytest.mark.parametrize(
    ("height", "width", "edge", "size"),
    [
        (300, 400, 288, 256), (400, 300, 64, 48), (50, 70, 120, 120), (517, 301, 33, 33), (97, 411, 96, 64),
        (64, 64, 64, 31),
    ],
)  # fmt: skip
def test_the_bits_are_pillows(kind: str, height: int, width: int, edge: int, size: int) -> None:
    pillow = pytest.importorskip("PIL.Image", reason="needs Pillow: pip install pillow")
    rng = np.random.default_rng(height)
    noise = rng.integers(0, 256, (height, width, 3), np.uint8)
    for image in (noise, np.where(noise > 127, 255, 0).astype(np.uint8)):
        shape = (edge, int(edge * height / width)) if width < height else (int(edge * width / height), edge)
        theirs = np.asarray(pillow.fromarray(image[:, :, ::-1]).resize(shape, getattr(pillow, kind.upper())))
        top, left = (round((n - size) / 2) for n in theirs.shape[:2])
        theirs = theirs[top : top + size, left : left + size].transpose(2, 0, 1)
        np.testing.assert_array_equal(resampled(image, kind, edge, size), theirs.astype(np.float32) / np.float32(255))


@pytest.mark.parametrize("kind", FILTERS)
def test_one_colour_stays_one_colour(kind: str) -> None:
    image = np.full((31, 47, 3), (10, 20, 30), np.uint8)
    planes = resampled(image, kind, 20, 16) * 255
    np.testing.assert_allclose(
        planes, np.broadcast_to(np.float32([30, 20, 10])[:, None, None], planes.shape), rtol=1e-6
    )


@pytest.mark.parametrize("kind", FILTERS)
def test_the_same_size_is_the_same_picture(kind: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)
    planes = resampled(image, kind, 24, 24)
    np.testing.assert_array_equal(planes, image[:, :, ::-1].transpose(2, 0, 1).astype(np.float32) / np.float32(255))


def test_halving_a_line_bilinearly_weighs_four_pixels() -> None:
    """Pillow's triangle of twice the width: 1/8, 3/8, 3/8, 1/8, cut off and normalized at the borders."""
    line = np.float32([0, 8, 16, 80])[None, :, None].repeat(2, 0).repeat(3, 2)
    planes = to_center_resampled(line, "bilinear", 1, np.empty((3, 1, 2), np.float32))
    np.testing.assert_allclose(planes[0, 0], [(3 * 0 + 3 * 8 + 16) / 7, (8 + 3 * 16 + 3 * 80) / 7])


def test_float_pictures_are_not_rounded() -> None:
    image = np.random.default_rng(0).random((40, 50, 3), np.float32)
    whole = resampled((image * 255).astype(np.uint8), "bicubic", 20, 16)
    np.testing.assert_allclose(resampled(image, "bicubic", 20, 16), whole, atol=3 / 255)


def test_grey_pictures_fill_every_channel() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 50), np.uint8)
    planes = resampled(image, "bicubic", 20, 16)
    np.testing.assert_array_equal(planes[0], planes[2])


def test_a_middle_larger_than_the_picture_repeats_its_border() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), np.uint8)
    planes = resampled(image, "bicubic", 20, 24)
    np.testing.assert_array_equal(planes[:, :2, 2:-2], planes[:, 2:3, 2:-2].repeat(2, 1))


def test_what_is_no_picture_is_an_error() -> None:
    with pytest.raises(DataError):
        resampled(np.zeros((4, 4, 2), np.uint8), "bicubic", 4, 4)
