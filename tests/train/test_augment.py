"""What Darknet's augmentation makes of pictures and boxes: its goldens, and drawn rectangles that boxes must follow."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import SHARED
from drawn import CLASSES, coloured, rectangle, rectangles

from darknet_py.apps.train.data import blend, classifier
from darknet_py.apps.train.data.chance import chances
from darknet_py.apps.train.data.colours import Tint, tint_bytes, tint_floats
from darknet_py.apps.train.data.drawing import Draw, draw_of, drawn_pixels, drawn_rows, to_planes
from darknet_py.apps.train.data.geometry import WHOLE, Excerpt, shown_pixels
from darknet_py.apps.train.data.loader import Loader
from darknet_py.apps.train.data.mosaic import Cut, corner_of, cut_of
from darknet_py.apps.train.data.options import MIXUP, MOSAIC, PLAIN, Augmentation, doubts, mixing_of
from darknet_py.apps.train.data.sizes import Sizes
from darknet_py.apps.train.data.truth import filled, grid_truth, place, rows_of
from darknet_py.darknet.layers.heads.detection import Detection
from darknet_py.darknet.layers.heads.yolo import Yolo
from darknet_py.darknet.layers.net import Net
from darknet_py.darknet.layers.softmax import Softmax
from darknet_py.errors import DataError
from darknet_py.vision.datasets import open_dataset
from darknet_py.vision.labels import Labels
from tools.train import cases_augment

GOLDENS = SHARED / "golden_train/augment"
KNOWN = 55  # cases when this was written
NET = Net(width=96, height=64, channels=3, batch=4)
HEAD = Yolo(classes=CLASSES, jitter=0.3, resize=1.3)
ALL = dict(jitter=0.3, resize=1.3, saturation=1.2, exposure=1.2)

if GOLDENS.is_dir():
    CASES = [p for p in sorted([*GOLDENS.glob("*.json"), *GOLDENS.glob("*.csv")]) if cases_augment.fits(p)]
else:
    CASES = []


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_golden_case_is_met(path: Path) -> None:
    assert cases_augment.check(path) is None


def test_there_are_goldens() -> None:
    if not GOLDENS.is_dir():
        pytest.skip(f"needs {GOLDENS}, pictures and truths that Darknet's C code made")
    assert len(list(cases_augment.cases(GOLDENS))) == len(CASES) >= KNOWN
    assert cases_augment.fits(GOLDENS)


# -- boxes follow pixels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("letter_box", [False, True])
@pytest.mark.parametrize("seed", range(25))
def test_a_box_lies_where_its_pixels_are(tmp_path: Path, seed: int, letter_box: bool) -> None:
    path = rectangle(tmp_path, "a", 0, (0.4, 0.55, 0.5, 0.4))
    pixels, net = cv2.imread(str(path)), (128, 128)
    options = Augmentation(classes=CLASSES, letter_box=letter_box, **ALL)
    draw = draw_of(chances(seed), options, pixels.shape[:2], net)
    rows = drawn_rows(_rows(path), draw, pixels.shape[:2], net, options)
    image = np.empty((3, *net), np.float32)
    to_planes(drawn_pixels(pixels, draw, rows, net), image)
    there = coloured(image, 0)
    assert len(rows) == 1
    assert np.abs(_seen(there) - _corners(rows[0], net)).max() <= 2
    assert draw.excerpt.size(pixels.shape[:2]) != pixels.shape[:2]


@pytest.mark.parametrize("number", range(40))
def test_in_a_mosaic_too(tmp_path: Path, number: int) -> None:
    options = Augmentation(classes=CLASSES, mixing=MOSAIC, mosaic_bound=True, **ALL)
    loader = Loader(open_dataset(rectangles(tmp_path)), NET, HEAD, size=(160, 192), options=options, seed=5)
    sample = loader.sample(number)
    assert sample.rows is not None
    covered = np.zeros((CLASSES, 160, 192), bool)
    for row in sample.rows:
        left, top, right, bottom = _corners(row, (160, 192)).round().astype(int)
        inside = coloured(sample.image, int(row[4]))[top + 2 : bottom - 2, left + 2 : right - 2]
        assert not inside.size or inside.mean() > 0.97
        covered[int(row[4]), max(0, top - 3) : bottom + 3, max(0, left - 3) : right + 3] = True
    for c in range(CLASSES):  # but for slivers of less than a pixel, which Darknet drops
        assert (coloured(sample.image, c) & ~covered[c]).sum() < 200


def test_half_of_the_samples_are_mosaics(tmp_path: Path) -> None:
    options = Augmentation(classes=CLASSES, mixing=MOSAIC, **ALL)
    loader = Loader(open_dataset(rectangles(tmp_path)), NET, HEAD, options=options)
    mixed = [" + " in loader.sample(i).path for i in range(100)]
    assert 35 < sum(mixed) < 65


def test_mixup_is_the_mean_of_two_pictures_and_has_the_objects_of_both(tmp_path: Path) -> None:
    dataset = open_dataset(rectangles(tmp_path))
    loader = Loader(dataset, NET, HEAD, options=Augmentation(classes=CLASSES, mixing=MIXUP, **ALL))
    mixed = next(s for s in map(loader.sample, range(20)) if " + " in s.path)
    assert mixed.rows is not None
    first, second = (cv2.imread(p) for p in mixed.path.split(" + "))
    assert len(mixed.rows) == 2
    assert first.shape != second.shape or (first != second).any()
    plain, other = np.full((3, 2, 2), 0.2, np.float32), np.full((3, 2, 2), 0.6, np.float32)
    blend.mix(plain, other)
    assert np.allclose(plain, 0.4)


def test_an_excerpt_that_shows_nothing_becomes_the_whole_picture() -> None:
    options = Augmentation(classes=1, jitter=1.0, resize=3.0)
    excerpts = [draw_of(chances(i), options, (10, 10), (32, 32)).excerpt for i in range(200)]
    assert all(w.shows((10, 10)) for w in excerpts)
    assert WHOLE in excerpts


def test_beyond_a_picture_is_its_mean_colour() -> None:
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:5] = (10, 20, 30)
    shown = shown_pixels(pixels, Excerpt(0, 0, 0, -10), (20, 10))
    assert shown[15, 5].tolist() == [5, 10, 15]
    assert np.array_equal(shown[:10], pixels)


def test_a_mosaics_picture_is_pushed_into_its_corner() -> None:
    excerpt = Excerpt(10, -20, 5, -2)
    assert excerpt.pushed(0, flip=False) == Excerpt(0, 0, 15, -22)
    assert excerpt.pushed(1, flip=False) == Excerpt(15, 0, 0, -22)
    assert excerpt.pushed(2, flip=True) == Excerpt(15, -22, 0, 0)
    assert excerpt.pushed(3, flip=True) == Excerpt(0, -22, 15, 0)


def test_corners_cover_the_whole_once() -> None:
    net = (48, 64)
    for seed in range(20):
        cut = cut_of(tuple(chances(seed).random(2)), net)
        count = np.zeros(net, int)
        for number in range(4):
            corner = corner_of(number, cut, net, Excerpt(-30, -5, 12, -40), (60, 50), bool(number % 2))
            count[corner.target] += 1
            rows, columns = corner.source
            assert 0 <= rows.start <= rows.stop <= 48
            assert 0 <= columns.start <= columns.stop <= 64
        assert (count == 1).all()


def test_a_corner_is_moved_off_what_its_excerpt_adds() -> None:
    excerpt, cut, net = Excerpt(-10, 0, -30, -20), Cut(50, 40), (80, 100)

    def shifts(number: int, flip: bool) -> tuple[int, ...]:
        corner = corner_of(number, cut, net, excerpt, (40, 50), flip)
        return corner.left, corner.right, corner.top, corner.bottom

    assert shifts(0, False) == (20, 50, 0, 40)  # 30 pixels of 50 are 60 of 100, and 50 can be moved
    assert shifts(3, True) == (50, 20, 0, 40)
    row = np.array([[0.5, 0.5, 0.2, 0.2, 0, 0]], np.float32)
    (moved,) = corner_of(0, cut, net, Excerpt(0, 0, -10, -5), (40, 50), False).rows(row, False, 9)
    assert moved[:2] == pytest.approx([0.5 + (50 + 20 - 100) / 100, 0.5 + (40 + 10 - 80) / 80])
    rows, columns = corner_of(0, cut, net, Excerpt(0, 0, -10, -5), (40, 50), False).source
    assert (rows.stop, columns.stop) == (70, 80)  # 10 and 20 pixels before the end


def test_without_mosaic_bound_a_box_reaches_into_a_neighbour() -> None:
    corner = corner_of(0, Cut(50, 50), (100, 100), WHOLE, (100, 100), False)
    row = np.array([[0.95, 0.75, 0.3, 0.2, 0, 7]], np.float32)
    (free,), (bound,) = corner.rows(row, False, 9), corner.rows(row, True, 9)
    assert free[0] + free[2] / 2 == pytest.approx(0.6)
    assert bound[0] + bound[2] / 2 == pytest.approx(0.5)
    assert free[5] == 0


# -- rules of truth ----------------------------------------------------------------------------------------------


def test_a_box_is_cut_at_the_border_and_its_centre_moves() -> None:
    rows = np.array([[0.5, 0.5, 0.4, 0.4, 0, 0]], np.float32)
    (row,) = place(rows, Excerpt(50, 0, 0, 0), (100, 100), (64, 64), flip=False, classes=1, slots=9)
    assert row[:4] == pytest.approx([0.2, 0.5, 0.4, 0.4], abs=1e-6)


@pytest.mark.parametrize(
    "row",
    [
        (0, 0, 0.2, 0.2, 0),  # at 0, 0 is no object
        (0.5, 0.5, 0.2, 0.2, 5),  # a class beyond
        (1.4, 0.5, 0.2, 0.2, 0),  # outside
        (0.5, 0.5, 0.01, 0.5, 0),  # less than a pixel
    ],
)
def test_what_darknet_drops_is_dropped(row: tuple[float, ...]) -> None:
    rows = np.array([[*row, 0]], np.float32)
    assert not len(place(rows, WHOLE, (100, 100), (64, 64), flip=False, classes=5, slots=9))


def test_dropped_objects_leave_their_slots_empty() -> None:
    rows = np.array([[0.5, 0.5, 0.2, 0.2, 9, 0], [0.5, 0.5, 0.2, 0.2, 0, 1]], np.float32)
    assert not len(place(rows, WHOLE, (100, 100), (64, 64), flip=False, classes=5, slots=1))
    assert filled(rows, 4)[:, 5].tolist() == [0, 1, 0, 0]


def test_difficult_objects_are_not_learned_and_tracks_name_lines_of_a_file() -> None:
    labels = Labels.of([(0, 0.5, 0.5, 0.1, 0.1), (1, 0.4, 0.4, 0.1, 0.1)], [True, False])
    (one,), (other,) = rows_of(labels, "a.txt"), rows_of(labels, "b.txt")
    assert one[4] == 1
    assert one[5] % 4000 == 1
    assert one[5] != other[5]


def test_detections_truth_is_a_grid() -> None:
    rows = np.array([[0.6, 0.3, 0.2, 0.4, 2, 0], [0.61, 0.3, 0.1, 0.1, 1, 0], [1, 1, 0.1, 0.1, 0, 0]], np.float32)
    cells = grid_truth(rows, 2, 3).reshape(2, 2, 8)
    assert cells[0, 1] == pytest.approx([1, 0, 0, 1, 0.2, 0.6, 0.2, 0.4], abs=1e-6)
    assert cells[1, 1, 0] == 1
    assert cells[..., 0].sum() == 2


# -- colours, blur, noise ----------------------------------------------------------------------------------------


def test_a_hue_saturates_in_bytes_and_goes_around_in_floats() -> None:
    red = np.full((1, 1, 3), (0, 0, 200), np.uint8)
    assert tint_bytes(red, Tint(-0.2)).tolist() == red.tolist()  # below 0 it is 0, and still red
    turned = tint_floats(np.float32([[[200 / 255, 0, 0]]]), Tint(-1 / 6))
    assert turned[0, 0] == pytest.approx([200 / 255, 0, 200 / 255], abs=1e-5)


def test_grey_and_alpha_keep_what_they_are() -> None:
    grey = np.full((2, 2), 100, np.uint8)
    assert (tint_bytes(grey, Tint(0.1, 1.5, 1.5)) == 150).all()
    alpha = np.full((2, 2, 4), (10, 60, 90, 33), np.uint8)
    changed = tint_bytes(alpha, Tint(0.1, 1.5, 0.5))
    assert (changed[..., 3] == 33).all()
    assert (changed[..., :3] != alpha[..., :3]).any()


def test_a_blur_spares_boxes_and_is_limited_by_the_smallest() -> None:
    chance = np.random.default_rng(0)
    pixels = chance.integers(0, 256, (64, 64, 3), np.uint8)
    rows = np.array([[0.5, 0.5, 0.25, 0.25, 0, 0]], np.float32)
    found = blend.blurred(pixels, 1, rows)
    assert np.array_equal(found[24:40, 24:40], pixels[24:40, 24:40])
    assert found[:20].std() < pixels[:20].std() / 3
    draw = Draw(blur=40)
    assert np.array_equal(drawn_pixels(pixels, draw, np.zeros((0, 6), np.float32), (64, 64)), pixels)
    assert (drawn_pixels(pixels, draw, rows, (64, 64)) != pixels).any()


def test_noise_only_brightens() -> None:
    pixels = np.full((32, 32, 3), 100, np.uint8)
    found = blend.noisy(pixels, 20, np.random.default_rng(1))
    assert found.min() == 100
    assert 105 < found.mean() < 111


# -- options -----------------------------------------------------------------------------------------------------


def test_the_last_head_and_net_say_how_pictures_are_changed() -> None:
    options = Augmentation.of(replace(NET, mosaic=1, hue=0.1, flip=0), HEAD)
    assert (options.jitter, options.resize, options.hue, options.flip, options.mixing) == (0.3, 1.3, 0.1, False, MOSAIC)
    assert Augmentation.of(NET, Detection(classes=2, side=7)).side == 7
    of_classes = Augmentation.of(replace(NET, max_crop=120, cutmix=1), Softmax())
    assert (of_classes.min_crop, of_classes.max_crop) == (96, 120)


def test_what_does_not_go_together_is_said() -> None:
    with pytest.raises(DataError, match=r"mosaic=1 and letter_box=1"):
        Augmentation.of(replace(NET, mosaic=1, letter_box=1), HEAD)
    assert mixing_of(replace(NET, cutmix=1), boxes=True) == PLAIN
    assert mixing_of(replace(NET, cutmix=1, mosaic=1), boxes=True) == MOSAIC
    assert any("cutmix" in text for text in doubts(replace(NET, cutmix=1), HEAD))
    assert not list(doubts(NET, HEAD))


def test_a_picture_that_nothing_is_asked_of_is_only_stretched(tmp_path: Path) -> None:
    path = rectangle(tmp_path, "a", 1, (0.5, 0.5, 0.5, 0.5), (64, 96))
    options = Augmentation(classes=CLASSES, jitter=0, flip=False)
    sample = Loader(open_dataset(tmp_path), NET, HEAD, options=options).sample(3)
    assert np.array_equal(np.rint(sample.image * 255)[::-1].transpose(1, 2, 0), cv2.imread(str(path)))


# -- sizes -------------------------------------------------------------------------------------------------------


def test_sizes_change_every_ten_iterations_and_are_largest_at_both_ends() -> None:
    sizes = Sizes.of(replace(NET, width=416, height=416, max_batches=1000), Yolo(random=1), seed=3, batch=4)
    found = [sizes.at(i).size for i in range(1000)]
    assert found[:10] == [(608, 608)] * 10
    assert found[-90:] == [(608, 608)] * 90
    assert all(len(set(found[i : i + 10])) == 1 for i in range(0, 1000, 10))
    assert len(set(found)) > 6
    assert min(found) >= (320, 320)
    assert found == [sizes.at(i).size for i in range(1000)]
    assert [replace(sizes, seed=4).at(i).size for i in range(1000)] != found


def test_a_smaller_input_lets_more_pictures_in() -> None:
    sizes = Sizes(416, 416, 8, random=1, iterations=10_000, dynamic=True)
    for i in range(0, 500, 10):
        at = sizes.at(i)
        more = 8 * 608 * 608 // (at.height * at.width)
        assert at.batch == (int(more * 0.8) if int(more * 0.8) > 8 else more)
    assert Sizes(416, 352, 8).at(70).size == (416, 352)


# -- classifiers -------------------------------------------------------------------------------------------------


def test_a_turned_picture_is_black_beyond_its_border() -> None:
    image = np.ones((40, 60, 3), np.float32)
    part = classifier.turned(image, classifier.Turn(scale=0.5), (40, 40))
    assert part[20, 20].tolist() == [1, 1, 1]
    assert part[0, 0].tolist() == [0, 0, 0]


def test_turns_stay_within_their_options() -> None:
    options = Augmentation(angle=7, aspect=1.3, min_crop=32, max_crop=64, hue=0.1)
    turns = [classifier.turn_of(chances(i), options, (100, 200), 32) for i in range(200)]
    assert max(abs(t.radians) for t in turns) <= np.radians(7)
    assert {t.flip for t in turns} == {True, False}
    assert all(0.3 <= t.scale <= 0.65 for t in turns)
    assert max(t.dx for t in turns) > 5


def test_shares_of_mixed_classes_are_their_areas() -> None:
    patch = classifier.patch_of(np.array([0.5, 0.5, 0.99, 0.99]), (100, 200))
    image, other = np.zeros((3, 100, 200), np.float32), np.ones((3, 100, 200), np.float32)
    classifier.put_patch(image, other, patch)
    assert image.mean() == pytest.approx(patch.share((100, 200)))
    quarters = [np.full((3, 100, 200), v, np.float32) for v in (1, 2, 3, 4)]
    shares = classifier.put_quarters(quarters[0], quarters[1:], Cut(60, 30))
    assert quarters[0].mean() == pytest.approx(shares @ [1, 2, 3, 4])


# -- parts -------------------------------------------------------------------------------------------------------


def _rows(path: Path) -> np.ndarray:
    (example,) = open_dataset(path.parent).examples
    return rows_of(example.read(())[0], str(path))


def _corners(row: np.ndarray, net: tuple[int, int]) -> np.ndarray:
    x, y, w, h = row[:4] * np.array([net[1], net[0]] * 2)
    return np.array([x - w / 2, y - h / 2, x + w / 2, y + h / 2])


def _seen(there: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
