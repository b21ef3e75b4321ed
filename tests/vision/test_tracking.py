"""Ids: who is who in the next picture, from boxes by hand and from a video of one person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from darknet_py import Tracker, load
from darknet_py.contract.detections import Boxes
from darknet_py.errors import DataError
from darknet_py.vision.results import Results
from darknet_py.vision.tracking import LOW

Found = tuple[float, float, float] | tuple[float, float, float, int]  # left, top, probability, class


def picture(*found: Found) -> Results:
    """Results with boxes of 40x40 pixels."""
    rows = np.array([(*f, 0)[:4] for f in found], np.float32).reshape(-1, 4)
    boxes = Boxes(np.column_stack([rows[:, :2], rows[:, :2] + 40]), rows[:, 2], rows[:, 3].astype(int), (200, 400))
    return Results(np.zeros((200, 400, 3), np.uint8), "frame", {0: "person", 1: "dog"}, boxes)


def ids(tracker: Tracker, *found: Found) -> list[int | None]:
    return tracker.update(picture(*found)).boxes.track_ids


def test_what_moves_keeps_its_id_and_what_comes_gets_the_next() -> None:
    tracker = Tracker()
    assert ids(tracker, (0, 0, 0.9), (100, 100, 0.8)) == [1, 2]
    assert ids(tracker, (104, 100, 0.9), (9, 0, 0.8)) == [2, 1]
    assert ids(tracker, (300, 0, 0.9), (18, 0, 0.8), (108, 100, 0.7)) == [3, 1, 2]


def test_low_boxes_continue_a_track_and_begin_none() -> None:
    tracker = Tracker()
    assert ids(tracker, (0, 0, 0.9)) == [1]
    for x in (2, 4, 6):
        assert ids(tracker, (x, 0, 0.12), (300, 0, 0.12)) == [1]  # the other is not shown either
    assert ids(tracker, (8, 0, 0.05)) == []  # below `low`


def test_a_low_box_does_not_wake_a_track_that_was_lost() -> None:
    tracker = Tracker()
    ids(tracker, (0, 0, 0.9))
    assert ids(tracker) == []
    assert ids(tracker, (0, 0, 0.2)) == []
    assert ids(tracker, (0, 0, 0.6)) == [1]


def test_what_is_not_sure_is_shown_without_an_id_until_it_is_seen_again() -> None:
    tracker = Tracker()
    assert ids(tracker, (0, 0, 0.3)) == [None]
    assert ids(tracker, (3, 0, 0.3)) == [1]
    assert ids(tracker, (6, 0, 0.3), (200, 0, 0.3)) == [1, None]
    assert ids(tracker, (9, 0, 0.3)) == [1]
    assert ids(tracker, (12, 0, 0.3), (200, 0, 0.3)) == [1, None]  # it was gone between


def test_who_walks_after_a_pillar_is_who_went_there() -> None:
    tracker = Tracker()
    for x in range(0, 100, 10):
        ids(tracker, (x, 0, 0.9))
    for _ in range(8):
        assert ids(tracker) == []
    assert ids(tracker, (180, 0, 0.9)) == [1]  # where the speed leads; a box at rest would be far away


def test_a_track_ends_some_pictures_after_it_was_last_seen() -> None:
    tracker = Tracker(keep=2)
    ids(tracker, (0, 0, 0.9))
    for _ in range(2):
        ids(tracker)
    assert ids(tracker, (0, 0, 0.9)) == [1]
    for _ in range(3):
        ids(tracker)
    assert ids(tracker, (0, 0, 0.9)) == [2]


def test_a_track_keeps_its_class_unless_it_may_change() -> None:
    strict, free = Tracker(), Tracker(by_class=False)
    for tracker in (strict, free):
        assert ids(tracker, (0, 0, 0.9, 0)) == [1]
    assert ids(strict, (0, 0, 0.9, 1)) == [2]
    assert ids(free, (0, 0, 0.9, 1)) == [1]


def test_two_that_pass_each_other_do_not_change_their_ids() -> None:
    tracker = Tracker()
    for step in range(21):
        left, right = (10 * step, 0, 0.9), (200 - 10 * step, 20, 0.8)
        assert ids(tracker, left, right) == [1, 2]


def test_classes_may_have_thresholds_of_their_own() -> None:
    tracker = Tracker(high=np.array([0.6, 0.2]))
    assert ids(tracker, (0, 0, 0.55, 0), (100, 0, 0.3, 1)) == [None]
    assert ids(tracker, (0, 0, 0.55, 0), (100, 0, 0.3, 1)) == [1]


def test_a_tracker_that_is_reset_counts_from_one() -> None:
    tracker = Tracker()
    ids(tracker, (0, 0, 0.9))
    tracker.reset()
    assert ids(tracker, (300, 0, 0.9)) == [1]


def test_pictures_without_boxes_and_boxes_without_size_are_no_error() -> None:
    tracker = Tracker()
    point = picture((5, 5, 0.9))
    flat = Boxes(np.float32([[5, 5, 5, 5]]), np.float32([0.9]), np.array([0]), (200, 400))
    assert tracker.update(Results(point.orig_img, "", {}, flat)).boxes.track_ids == [1]
    assert ids(tracker) == []


@pytest.mark.parametrize("given", [{"high": 25}, {"low": -1}, {"keep": -1}, {"sure": 7}])
def test_what_is_no_probability_is_an_error(given: dict[str, float]) -> None:
    with pytest.raises(DataError):
        Tracker(**given)  # type: ignore[arg-type]  # that is the point


def frames(path: Path, count: int) -> Iterator[np.ndarray]:
    capture = cv2.VideoCapture(str(path))
    for _ in range(count):
        fine, frame = capture.read()
        assert fine
        yield frame


def test_a_video_of_one_person_has_one_id(shared: Path) -> None:
    model = load(shared / "weights/yolov4-tiny/yolov4-tiny.cfg", quiet=True)
    tracker = Tracker()
    seen: list[int | None] = []
    for results in model(frames(shared / "video/person.mp4", 140), conf=LOW, classes="person"):
        seen += tracker.update(results).boxes.track_ids
    assert len(seen) > 70
    assert set(seen) <= {1, None}
    assert seen.count(None) <= 1
