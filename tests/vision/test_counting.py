"""Lines and zones: what crosses, enters and leaves, by the segment between two positions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from darknet_py import LineCounter, ZoneCounter
from darknet_py.contract.detections import Boxes
from darknet_py.errors import DataError
from darknet_py.vision.results import Results

NAMES = {0: "person", 1: "car"}


def at(*places: tuple[float, float], cls: int = 0) -> Results:
    """Tracks 1, 2, … with their centres at these places of a picture of 100x100."""
    centers = np.array(places, np.float32).reshape(-1, 2)
    boxes = Boxes(
        np.hstack([centers - 5, centers + 5]), np.full(len(centers), 0.9, np.float32), np.full(len(centers), cls),
        (100, 100), np.arange(len(centers)) + 1,
    )  # fmt: skip
    return Results(np.zeros((100, 100, 3), np.uint8), "frame", NAMES, boxes)


def crossed(line: LineCounter, *places: tuple[float, float]) -> tuple[int, int]:
    for place in places:
        line.update(at(place))
    return line.forward, line.backward


def test_both_directions_count_and_forward_is_down_over_a_line_to_the_right() -> None:
    assert crossed(LineCounter(10, 50, 90, 50), (50, 40), (50, 60)) == (1, 0)
    assert crossed(LineCounter(10, 50, 90, 50), (50, 60), (50, 40)) == (0, 1)
    assert crossed(LineCounter(90, 50, 10, 50), (50, 40), (50, 60)) == (0, 1)
    assert crossed(LineCounter(10, 50, 90, 50), (50, 40), (50, 60), (50, 40), (50, 60)) == (2, 1)


def test_what_is_fast_counts_and_what_passes_beside_the_ends_does_not() -> None:
    assert crossed(LineCounter(10, 50, 90, 50), (50, 1), (50, 99)) == (1, 0)
    assert crossed(LineCounter(40, 50, 60, 50), (70, 1), (70, 99)) == (0, 0)
    assert crossed(LineCounter(40, 50, 60, 50), (10, 40), (90, 60)) == (1, 0)


def test_a_stop_on_the_line_counts_once() -> None:
    for around in ((40, 60), (60, 40)):
        counts = crossed(LineCounter(10, 50, 90, 50), (50, around[0]), (50, 50), (50, 50), (50, around[1]))
        assert sum(counts) == 1


def test_the_corner_of_two_lines_is_no_gap_and_counts_once() -> None:
    lines = LineCounter(10, 50, 50, 50), LineCounter(50, 50, 90, 50)
    for place in ((50, 40), (50, 60)):
        for line in lines:
            line.update(at(place))
    assert sum(line.forward for line in lines) == 1


def test_fractions_are_of_the_picture() -> None:
    (count,) = LineCounter(0, 0.5, 1, 0.5).update(at()).counts
    assert count.points.tolist() == [[0, 50], [100, 50]]


def test_it_is_said_which_track_crossed_and_of_which_class() -> None:
    line = LineCounter(0, 50, 100, 50)
    line.update(at((20, 40), (60, 60), cls=1))
    (count,) = line.update(at((20, 60), (60, 40), cls=1)).counts
    assert count.to_dict(NAMES) == {
        "line": [0, 50, 100, 50], "forward": 1, "backward": 1,
        "crossed": [{"track_id": 1, "direction": "forward"}, {"track_id": 2, "direction": "backward"}],
        "classes": {"car": {"forward": 1, "backward": 1}},
    }  # fmt: skip
    (count,) = line.update(at((20, 60), (60, 40), cls=1)).counts
    assert count.to_dict(NAMES)["crossed"] == []


SQUARE = (40, 40, 60, 40, 60, 60, 40, 60)


def test_a_zone_knows_who_entered_left_and_is_inside() -> None:
    zone = ZoneCounter(*SQUARE)
    zone.update(at((50, 50), (10, 10)))
    assert (zone.entered, zone.left, zone.inside) == (0, 0, (1,))  # the first was there already
    zone.update(at((50, 50), (50, 45)))
    assert (zone.entered, zone.left, zone.inside) == (1, 0, (1, 2))
    (count,) = zone.update(at((90, 50), (50, 45))).counts
    assert (zone.entered, zone.left, zone.inside) == (1, 1, (2,))
    assert count.to_dict(NAMES) == {"zone": list(SQUARE), "entered": 1, "left": 1, "inside": [2]}


def test_what_passes_right_through_a_zone_enters_and_leaves() -> None:
    zone = ZoneCounter(*SQUARE)
    for place in ((10, 50), (90, 50), (90, 10), (10, 10)):
        zone.update(at(place))
    assert (zone.entered, zone.left) == (1, 1)


def test_zones_may_have_bays() -> None:
    zone = ZoneCounter(10, 10, 90, 10, 90, 90, 70, 90, 70, 30, 30, 30, 30, 90, 10, 90)
    for place in ((20, 80), (50, 80), (80, 80), (50, 20)):
        zone.update(at(place))
    assert (zone.entered, zone.left, zone.inside) == (1, 1, (1,))


def test_a_path_in_small_steps_is_counted_as_one_in_large_steps() -> None:
    corners = [(5, 50), (50, 50), (95, 50)]
    coarse, fine = LineCounter(0.3, 0, 0.3, 1), LineCounter(0.3, 0, 0.3, 1)
    steps = [np.linspace(a, b, 30) for a, b in itertools.pairwise(corners)]
    assert crossed(coarse, *corners) == crossed(fine, *map(tuple, np.concatenate(steps))) == (0, 1)  # type: ignore[arg-type]  # rows of two


def test_untracked_boxes_do_not_count_and_boxes_nobody_tracked_are_an_error() -> None:
    line = LineCounter(0, 50, 100, 50)
    for y in (40, 60):
        found = at((50, y))
        assert found.boxes.id is not None
        found.boxes.id[:] = 0
        line.update(found)
    assert (line.forward, line.backward) == (0, 0)
    boxes = Boxes(np.zeros((1, 4), np.float32), np.ones(1, np.float32), np.zeros(1, int), (9, 9))
    with pytest.raises(DataError, match="to a Tracker first"):
        line.update(Results(np.zeros((100, 100, 3), np.uint8), "", NAMES, boxes))


def test_tracks_that_are_gone_for_long_are_forgotten() -> None:
    line = LineCounter(0, 50, 100, 50)
    line.update(at((50, 40)))
    for _ in range(2000):
        line.update(at())
    assert line._positions._last == {}


@pytest.mark.parametrize("numbers", [(1, 1, 1, 1), (-1, 0, 5, 5), (0, 0, float("nan"), 5)])
def test_what_is_no_line_is_an_error(numbers: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="line"):
        LineCounter(*numbers)


@pytest.mark.parametrize("numbers", [(), (1, 1, 5, 5), (1, 1, 5, 5, 3), (0, 0, 1, 1, 1, -1)])
def test_what_is_no_zone_is_an_error(numbers: tuple[float, ...]) -> None:
    with pytest.raises(DataError, match="zone"):
        ZoneCounter(*numbers)


def test_what_lies_beside_the_picture_is_an_error() -> None:
    with pytest.raises(DataError, match="lies beside the pictures, which are 100x100"):
        LineCounter(0, 500, 100, 500).update(at())
    with pytest.raises(DataError, match="zone"):
        ZoneCounter(200, 0, 300, 0, 300, 100).update(at())


def test_results_carry_and_draw_what_was_counted() -> None:
    results = ZoneCounter(*SQUARE).update(LineCounter(0, 10, 100, 10).update(at((50, 50))))
    data = results.to_dict()
    assert data["objects"][0]["track_id"] == 1
    assert [next(iter(count)) for count in data["counts"]] == ["line", "zone"]
    assert results.darknet_text().endswith("\ttrack 1\n")
    drawn = results.plot()
    assert drawn[42, 42].any()
    assert drawn[10, 97].any()
    assert not results.orig_img.any()
