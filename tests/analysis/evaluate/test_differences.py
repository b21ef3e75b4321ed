"""Where COCO and Darknet judge one detection differently: a second choice, and an overlap of exactly the threshold."""

from __future__ import annotations

import numpy as np

from darknet_py.analysis.evaluate.darknet import darknet_map
from darknet_py.analysis.evaluate.differences import differences
from darknet_py.analysis.evaluate.matching import join_matches, match
from darknet_py.analysis.evaluate.record import Detected
from darknet_py.vision.labels import Labels

OBJECTS = Labels.of([(0, 0.5, 0.5, 0.4, 0.4), (0, 0.6, 0.5, 0.4, 0.4)])


def judged(boxes: list[tuple[float, float, float, float]], objects: Labels) -> tuple[int, int, int]:
    conf = np.linspace(0.9, 0.5, len(boxes)).astype(np.float32)
    found = Detected((10, 10), np.zeros(len(boxes), np.int64), conf, np.float32(boxes).reshape(-1, 4))
    matches = join_matches([match(found.cls, found.conf, found.boxes, objects, 0.5, 2)], 2)
    seen = differences([found], [objects], darknet_map(matches))
    return seen.empty, seen.second, seen.exact


def test_one_whose_object_is_taken_may_have_another_that_is_free() -> None:
    assert judged([(0.5, 0.5, 0.4, 0.4), (0.51, 0.5, 0.4, 0.4)], OBJECTS) == (1, 1, 0)


def test_one_whose_other_object_is_taken_too_has_no_second_choice() -> None:
    assert judged([(0.5, 0.5, 0.4, 0.4), (0.6, 0.5, 0.4, 0.4), (0.51, 0.5, 0.4, 0.4)], OBJECTS) == (1, 0, 0)


def test_an_overlap_of_exactly_the_threshold_is_counted() -> None:
    assert judged([(0.5, 0.5, 1, 1)], Labels.of([(0, 0.25, 0.5, 0.5, 1.0)])) == (1, 0, 1)


def test_nothing_labelled_and_nothing_found_differ_in_nothing() -> None:
    assert judged([], Labels.of([])) == (2, 0, 0)
