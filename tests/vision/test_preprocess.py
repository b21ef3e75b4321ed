"""Pictures become inputs as Darknet makes them: NumPy bit by bit, and an OpenCV that mixes finely to 1e-6."""

from __future__ import annotations

import sys
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darknet_py.errors import DataError
from darknet_py.vision import stretch
from darknet_py.vision.preprocess import resize_image, to_center, to_input

SEEDED = any("hypothesis-seed" in a for a in sys.argv)
SIDES = st.integers(1, 40) | st.integers(1, 900)
PHOTOS = st.tuples(SIDES, SIDES, st.sampled_from((1, 3, 4)), st.sampled_from(("u1", "f4")))
SHAPES = st.tuples(st.integers(1, 130), st.integers(1, 130))

needs_fine_remap = pytest.mark.skipif(not stretch.is_remap_exact(), reason="needs OpenCV 5: older ones mix coarsely")


@pytest.fixture(params=["numpy", pytest.param("opencv", marks=needs_fine_remap)])
def closeness(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> float:
    """How far from Darknet a pixel may be, which is made by NumPy in one run and by OpenCV in the other."""
    monkeypatch.setattr(stretch, "is_remap_exact", lambda: request.param == "opencv")
    return 0 if request.param == "numpy" else stretch.CLOSE


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
    ((1, 1), (2, 2)), ((2, 300), (40, 7)), ((36, 9), (16, 33)), ((129, 4), (70, 5)),
])  # fmt: skip
def test_resizing_is_darknets_number_for_number(old: tuple[int, int], new: tuple[int, int], closeness: float) -> None:
    image = photo(*old)
    got = resize_image(image, *new)
    for channel in range(3):
        unit = (image[..., channel] / 255).astype(np.float32)
        assert np.abs(got[channel] - by_the_book(unit, *new)).max() <= closeness


def in_one_piece(image: np.ndarray, rows: stretch.AxisPart, columns: stretch.AxisPart) -> np.ndarray:
    """Darknet's resize_image for (h, w, c), all pixels at once, of which a part is wanted."""
    f = np.float32
    unit = (image / 255).astype(f) if image.dtype == np.uint8 else image

    def places(old: int, part: stretch.AxisPart) -> tuple[np.ndarray, ...]:
        wanted = np.clip(np.arange(part.start, part.start + part.count), 0, part.size - 1)
        exact = wanted.astype(f) * (f(old - 1) / f(max(part.size - 1, 1)))
        before = exact.astype(int)
        return wanted == part.size - 1, before, np.minimum(before + 1, old - 1), exact - before.astype(f)

    last, before, after, far = places(image.shape[1], columns)
    mixed = (1 - far)[:, None] * unit[:, before] + far[:, None] * unit[:, after]
    mixed[:, last] = unit[:, -1:]
    last, before, after, far = places(image.shape[0], rows)
    far = far[:, None, None]
    return ((1 - far) * mixed[before] + np.where(last[:, None, None], f(0), far) * mixed[after]).transpose(2, 0, 1)


@settings(deadline=timedelta(seconds=5), max_examples=150, derandomize=not SEEDED, database=None)
@given(PHOTOS, SHAPES, st.integers(1, 200), st.booleans())
def test_any_size_is_darknets(kind: tuple[int, int, int, str], shape: tuple[int, int], edge: int, is_cut: bool) -> None:
    """Stretched or the middle of it, all numbers of channels, by both ways."""
    image = photo(*kind[:3])
    image = image if kind[3] == "u1" else image.astype(np.float32) / 128
    parts = [stretch.AxisPart(n, 0, n) for n in shape]
    if is_cut:
        parts = [stretch.AxisPart(edge + i, int((edge + i - n) / 2), n) for i, n in enumerate(shape)]
    wanted = in_one_piece(image, *parts)
    for way, closeness in ((stretch.stretch_in_numpy, 0), (stretch.stretch_in_opencv, stretch.CLOSE * 2)):
        if way is stretch.stretch_in_opencv and not stretch.is_remap_exact():
            continue
        got = np.full(wanted.shape, np.nan, np.float32)
        way(image, got, *parts)
        assert np.abs(got - wanted).max() <= closeness


@needs_fine_remap
@pytest.mark.parametrize("size", [(576, 768), (480, 640), (1080, 1920), (37, 5000), (5000, 37)])
@pytest.mark.parametrize("net", [320, 416])
def test_photos_of_usual_sizes_are_within_a_millionth(size: tuple[int, int], net: int) -> None:
    """Stretched, letterboxed and cut; 5000 columns are picked before they are converted."""
    image = photo(*size)
    for make in (resize_image_to, letterboxed, to_center):
        ways = []
        for is_exact in (True, False):
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(stretch, "is_remap_exact", lambda is_exact=is_exact: is_exact)
                ways.append(make(image, (3, net, net)))
        assert not np.array_equal(*ways), "the same way twice"
        assert np.abs(ways[0] - ways[1]).max() <= 3e-7


@pytest.mark.parametrize("width", [32766, 32767, 32768])
@pytest.mark.parametrize(("is_net", "height"), [(True, 3), (False, 3), (True, 1)])
def test_pictures_and_networks_are_as_wide_as_they_like(width: int, is_net: bool, height: int) -> None:
    """At what `remap` takes at most, which is of the picture, of the network and of a strip of it."""
    have, want = ((5, 40), (height, width)) if is_net else ((5, width), (height, 40))
    parts = [stretch.AxisPart(n, 0, n) for n in want]
    got = to_input(photo(*have), (3, *want))
    assert np.abs(got - in_one_piece(photo(*have), *parts)).max() <= stretch.CLOSE


def resize_image_to(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return to_input(image, shape)


def letterboxed(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return to_input(image, shape, letterbox=True)


@pytest.mark.usefixtures("closeness")
def test_nothing_stays_of_a_picture_that_was_no_number() -> None:
    bad = np.full((40, 50, 3), np.nan, np.float32)
    to_input(bad, (3, 20, 20))
    assert np.isfinite(to_input(photo(40, 50), (3, 20, 20))).all()


def test_an_opencv_that_mixes_coarsely_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import cv2

    remap = cv2.remap
    coarse = lambda image, x, *rest, **given: remap(image, np.round(x * 32) / 32, *rest, **given)  # noqa: E731
    monkeypatch.setattr(cv2, "remap", coarse)
    assert not stretch.is_remap_exact.__wrapped__()


@pytest.mark.usefixtures("closeness")
def test_an_image_of_the_right_size_is_only_divided() -> None:
    image = photo(4, 6)
    got = to_input(image, (3, 4, 6))
    assert got.dtype == np.float32
    assert got.flags.c_contiguous
    assert np.array_equal(got, (image / 255).astype(np.float32).transpose(2, 0, 1))


@pytest.mark.usefixtures("closeness")
def test_floats_are_taken_as_they_are_and_left_as_they_were() -> None:
    image = np.full((4, 4, 3), 7, np.float32)
    to_input(image, (3, 4, 4))[:] = 0
    assert (to_input(image, (3, 8, 8)) == 7).all()
    assert (image == 7).all()


@pytest.mark.usefixtures("closeness")
@pytest.mark.parametrize(("image", "place"), [
    (np.full((10, 20, 3), 255, np.uint8), np.s_[:, 2:7, :]),  # 5 of 10 rows, of the border of 5 two are above
    (np.full((20, 10, 3), 255, np.uint8), np.s_[:, :, 2:7]),
])  # fmt: skip
def test_a_letterbox_is_grey_around_the_image(image: np.ndarray, place: tuple[slice, ...]) -> None:
    wanted = np.full((3, 10, 10), 0.5, np.float32)
    wanted[place] = 1
    assert np.array_equal(to_input(image, (3, 10, 10), letterbox=True), wanted)


@pytest.mark.usefixtures("closeness")
def test_grey_is_repeated_and_colours_become_grey() -> None:
    assert np.array_equal(to_input(photo(4, 4, 1), (3, 4, 4))[2], (photo(4, 4, 1)[..., 0] / 255).astype(np.float32))
    assert to_input(photo(4, 4)[..., 0], (1, 4, 4)).shape == (1, 4, 4)
    np.testing.assert_allclose(to_input(np.uint8([[[255, 0, 0]]]), (1, 1, 1)), 76 / 255, rtol=1e-6)


@pytest.mark.usefixtures("closeness")
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
