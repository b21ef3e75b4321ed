"""Pictures become inputs number for number as Darknet makes them."""

from __future__ import annotations

import numpy as np
import pytest

from darknet_py.errors import DataError
from darknet_py.vision.preprocess import resize_image, to_input


def photo(h: int, w: int, c: int = 3) -> np.ndarray:
    """Random pixels."""
    return np.random.default_rng(h * w).integers(0, 256, (h, w, c), np.uint8)


def by_the_book(image: np.ndarray, h: int, w: int) -> np.ndarray:
    """Darknet's resize_image, pixel by pixel, for one channel."""
    f = np.float32
    old_h, old_w = image.shape
    x_scale, y_scale = f(old_w - 1) / f(max(w - 1, 1)), f(old_h - 1) / f(max(h - 1, 1))
    part = np.zeros((old_h, w), f)
    for r, c in np.ndindex(part.shape):
        x = f(c) * x_scale
        i = int(x)
        last = c == w - 1 or old_w == 1
        part[r, c] = image[r, -1] if last else (1 - (x - f(i))) * image[r, i] + (x - f(i)) * image[r, i + 1]
    result = np.zeros((h, w), f)
    for r in range(h):
        y = f(r) * y_scale
        i = int(y)
        result[r] = (1 - (y - f(i))) * part[i]
        if r < h - 1 and old_h > 1:
            result[r] += (y - f(i)) * part[i + 1]
    return result


@pytest.mark.parametrize(("old", "new"), [
    ((7, 9), (5, 4)), ((5, 4), (7, 9)), ((1, 6), (3, 3)), ((6, 1), (3, 3)), ((50, 60), (3, 4)), ((8, 8), (1, 5)),
])  # fmt: skip
def test_resizing_is_darknets_number_for_number(old: tuple[int, int], new: tuple[int, int]) -> None:
    image = photo(*old)
    got = resize_image(image, *new)
    for channel in range(3):
        unit = (image[..., channel] / 255).astype(np.float32)
        assert np.array_equal(got[channel], by_the_book(unit, *new))


def test_an_image_of_the_right_size_is_only_divided() -> None:
    image = photo(4, 6)
    got = to_input(image, (3, 4, 6))
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert np.array_equal(got, (image / 255).astype(np.float32).transpose(2, 0, 1))


def test_floats_are_taken_as_they_are_and_left_as_they_were() -> None:
    image = np.full((4, 4, 3), 7, np.float32)
    to_input(image, (3, 4, 4))[:] = 0
    assert (to_input(image, (3, 8, 8)) == 7).all()
    assert (image == 7).all()


@pytest.mark.parametrize(("image", "place"), [
    (np.full((10, 20, 3), 255, np.uint8), np.s_[:, 2:7, :]),  # 5 of 10 rows, of the border of 5 two are above
    (np.full((20, 10, 3), 255, np.uint8), np.s_[:, :, 2:7]),
])  # fmt: skip
def test_a_letterbox_is_grey_around_the_image(image: np.ndarray, place: tuple[slice, ...]) -> None:
    wanted = np.full((3, 10, 10), 0.5, np.float32)
    wanted[place] = 1
    assert np.array_equal(to_input(image, (3, 10, 10), letterbox=True), wanted)


def test_grey_is_repeated_and_colours_become_grey() -> None:
    assert np.array_equal(to_input(photo(4, 4, 1), (3, 4, 4))[2], (photo(4, 4, 1)[..., 0] / 255).astype(np.float32))
    assert to_input(photo(4, 4)[..., 0], (1, 4, 4)).shape == (1, 4, 4)
    np.testing.assert_allclose(to_input(np.uint8([[[255, 0, 0]]]), (1, 1, 1)), 76 / 255, rtol=1e-6)


def test_as_many_channels_as_the_network_wants_are_fine_and_others_are_not() -> None:
    assert to_input(photo(4, 4, 5), (5, 8, 8)).shape == (5, 8, 8)
    with pytest.raises(DataError, match="5 channels, and the network wants 3"):
        to_input(photo(4, 4, 5), (3, 8, 8))


@pytest.mark.parametrize("bad", [np.zeros((4, 4, 3)), np.zeros((0, 4, 3), np.uint8), np.zeros(4, np.uint8)])
def test_what_is_no_image_is_an_error(bad: np.ndarray) -> None:
    with pytest.raises(DataError, match="an image is"):
        to_input(bad, (3, 8, 8))


def test_a_network_that_wants_a_vector_takes_no_image() -> None:
    with pytest.raises(DataError, match="no image"):
        to_input(photo(4, 4), (48,))
