"""Suppression against cases worked out by hand and against the textbook's loop."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from darknet_py.contract.candidates import Candidates, join
from darknet_py.contract.nms import CROWD, NMS_KINDS, box_diou, box_iou, nms

A, NEAR, FAR = [0.5, 0.5, 0.4, 0.4], [0.55, 0.5, 0.4, 0.4], [0.9, 0.9, 0.1, 0.1]


def candidates(boxes: list[list[float]], probabilities: list[list[float]]) -> Candidates:
    """Candidates with an objectness of 1."""
    return Candidates(np.float32(boxes), np.ones(len(boxes), np.float32), np.float32(probabilities))


@pytest.mark.parametrize("kind", NMS_KINDS)
def test_the_surer_of_two_overlapping_boxes_survives(kind: str) -> None:
    kept = nms(candidates([NEAR, A, FAR], [[0.6], [0.9], [0.3]]), kind)
    np.testing.assert_allclose(kept.probabilities, [[0], [0.9], [0.3]])


@pytest.mark.parametrize("kind", NMS_KINDS)
def test_classes_do_not_suppress_each_other(kind: str) -> None:
    kept = nms(candidates([A, NEAR], [[0.9, 0], [0.6, 0.5]]), kind)
    np.testing.assert_allclose(kept.probabilities, [[0.9, 0], [0, 0.5]])


def test_a_suppressed_box_suppresses_nothing() -> None:
    row = [[0.2, 0.5, 0.4, 0.4], [0.3, 0.5, 0.4, 0.4], [0.4, 0.5, 0.4, 0.4]]
    kept = nms(candidates(row, [[0.9], [0.8], [0.7]]), iou=0.5)
    np.testing.assert_allclose(kept.probabilities, [[0.9], [0], [0.7]])


def test_the_first_of_two_equals_survives() -> None:
    assert nms(candidates([A, A], [[0.5], [0.5]])).probabilities.tolist() == [[0.5], [0]]


def test_an_overlap_equal_to_the_threshold_is_none() -> None:
    kept = nms(candidates([[0.5, 0.5, 1, 1], [0.5, 0.5, 1, 0.5]], [[0.9], [0.8]]), iou=0.5)
    assert np.count_nonzero(kept.probabilities) == 2


def test_distance_saves_a_box_from_greedynms_and_beta_nms_only_tells_in_diounms() -> None:
    pair = candidates([[0.5, 0.5, 0.4, 0.4], [0.62, 0.5, 0.4, 0.4]], [[0.9], [0.8]])
    survivors = {kind: np.count_nonzero(nms(pair, kind, 0.45, beta=5.0).probabilities) for kind in NMS_KINDS}
    assert survivors == {"default": 1, "cornersnms": 1, "diounms": 1, "greedynms": 2}


def test_nothing_survives_of_nothing() -> None:
    kept = nms(Candidates(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 80), np.float32)))
    assert len(kept) == 0


def test_iou_of_degenerate_boxes_is_zero() -> None:
    point = np.float32([0.5, 0.5, 0, 0])
    assert box_iou(point, point[None]).tolist() == [0]
    assert box_diou(point, point[None], 0.6).tolist() == [0]


@settings(deadline=None, max_examples=50)
@given(arrays(np.float32, (12, 5), elements=st.floats(0.0625, 1, width=32)), st.sampled_from(NMS_KINDS))
def test_survivors_are_those_of_the_textbook(numbers: np.ndarray, kind: str) -> None:
    found = Candidates(numbers[:, :4], np.ones(12, np.float32), numbers[:, 4:])
    overlap = box_iou if kind in ("default", "cornersnms") else lambda a, b: box_diou(a, b, 0.6)
    alive = np.ones(12, bool)
    order = np.argsort(-numbers[:, 4], kind="stable")
    for i, a in enumerate(order):
        for b in order[i + 1 :] if alive[a] else ():
            alive[b] &= not overlap(numbers[a, :4], numbers[b : b + 1, :4])[0] > 0.45
    assert np.array_equal(nms(found, kind).probabilities[:, 0] > 0, alive)


@pytest.mark.parametrize("kind", NMS_KINDS)
def test_a_crowd_is_suppressed_as_one_box_after_the_other(kind: str) -> None:
    rng = np.random.default_rng(0)
    count = 3 * CROWD
    boxes = rng.uniform(0.1, 0.4, (count, 4)).astype(np.float32)
    found = Candidates(boxes, np.ones(count, np.float32), rng.uniform(0.1, 1, (count, 2)).astype(np.float32))
    overlap = box_iou if kind in ("default", "cornersnms") else lambda a, b: box_diou(a, b, 0.6)
    kept = nms(found, kind).probabilities
    for k in range(2):
        rest = np.argsort(-found.probabilities[:, k], kind="stable")
        survivors = []
        while rest.size:
            survivors.append(rest[0])
            rest = rest[1:][~(overlap(boxes[rest[0]], boxes[rest[1:]]) > 0.45)]
        assert np.flatnonzero(kept[:, k]).tolist() == sorted(survivors)


def test_heads_are_joined_in_order_and_missing_classes_are_zero() -> None:
    both = join([candidates([A], [[0.5]]), candidates([FAR], [[0.25, 0.75]])])
    np.testing.assert_allclose(both.boxes, [A, FAR])
    assert both.probabilities.tolist() == [[0.5, 0], [0.25, 0.75]]
    assert both.sigmas is None


def test_boxes_of_a_network_that_learned_nothing_are_no_trouble() -> None:
    huge = np.float32([0.5, 0.5, 1e30, 1e30])
    assert box_iou(huge, np.float32([[0.5, 0.5, 0.1, 0.1]])).shape == (1,)
