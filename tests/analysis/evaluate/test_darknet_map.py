"""`detector map`: what AlexeyAB's C printed for its own detections, and the rules in small, by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from darknet_py.analysis.evaluate.darknet import Curve, DarknetMap, average_precision, darknet_map
from darknet_py.analysis.evaluate.matching import join_matches, match
from darknet_py.vision.labels import Labels, read_labels

CASES = ("y4t_p0_i50", "y4t_p11_i60", "y4t_p101_i75")


def evaluate(shared: Path, golden: dict[str, Any]) -> DarknetMap:
    printed = json.loads((shared / "golden_map/yolov4-tiny_detections.json").read_text())
    matches = []
    for image in printed["images"]:
        rows = np.array(image["objects"], np.float64).reshape(-1, 6)
        labels, faults = read_labels(shared / "images/coco64/labels" / f"{Path(image['image']).stem}.txt", 80)
        assert not faults
        matches.append(match(rows[:, 0], rows[:, 1], rows[:, 2:], labels, golden["iou_thresh"], 80))
    return darknet_map(
        join_matches(matches, 80), iou_thresh=golden["iou_thresh"], points=golden["points"], conf=golden["conf_thresh"]
    )


@pytest.fixture(params=CASES)
def golden(request: pytest.FixtureRequest, shared: Path) -> dict[str, Any]:
    return dict(json.loads((shared / f"golden_map/{request.param}.json").read_text()))


def test_every_class_has_the_average_precision_that_darknet_prints(golden: dict[str, Any], shared: Path) -> None:
    found = evaluate(shared, golden)
    assert [f"{100 * ap:.2f}" for ap in found.ap] == [f"{c['ap']:.2f}" for c in golden["classes"]]
    assert f"{found.map:.6f}" == f"{golden['map']:.6f}"
    assert found.detections == golden["detections"]
    assert found.objects.sum() == golden["truths"]


def test_darknets_own_counts_are_those_of_its_order_of_visiting(golden: dict[str, Any], shared: Path) -> None:
    found = evaluate(shared, golden)
    counts = found.as_darknet
    assert list(zip(counts.tp, counts.fp, strict=True)) == [(c["tp"], c["fp"]) for c in golden["classes"]]
    share = 100 * counts.iou.sum() / (golden["tp"] + golden["fp"])  # false positives count as overlaps of 0
    assert f"{share:.2f}" == f"{golden['average_iou_percent']:.2f}"
    assert golden["fn"] == found.objects.sum() - counts.tp.sum()
    assert found.by_score.tp.sum() >= counts.tp.sum()


BOX = (0.5, 0.5, 0.2, 0.2)


def one_picture(conf: list[float], objects: list[tuple[int, float, float, float, float]], **rules: Any) -> DarknetMap:
    """A picture with detections of class 0, all at BOX, in this order."""
    boxes = np.tile(np.float32(BOX), (len(conf), 1))
    labels = Labels.of(objects, rules.pop("difficult", None))
    matches = match(np.zeros(len(conf), int), np.float32(conf), boxes, labels, 0.5, 2)
    return darknet_map(join_matches([matches], 2), **rules)


def test_a_second_detection_of_an_object_is_false() -> None:
    found = one_picture([0.9, 0.8], [(0, *BOX)])
    assert found.by_score.tp[0] == 1
    assert found.by_score.fp[0] == 1
    assert found.ap.tolist() == [1, 0]
    assert found.map == 0.5
    assert found.map_present == 1


def test_one_below_the_threshold_takes_the_object_from_darknets_count_only() -> None:
    found = one_picture([0.1, 0.9], [(0, *BOX)])
    assert (found.by_score.tp[0], found.by_score.fp[0]) == (1, 0)
    assert (found.as_darknet.tp[0], found.as_darknet.fp[0]) == (0, 1)


def test_an_object_of_another_class_is_not_met() -> None:
    assert one_picture([0.9], [(1, *BOX)]).by_score.fp.tolist() == [1, 0]


def test_difficult_objects_and_what_meets_only_them_count_for_nothing() -> None:
    found = one_picture([0.9], [(0, *BOX)], difficult=[True])
    assert found.detections == 0
    assert found.objects.sum() == 0


def test_an_overlap_of_exactly_the_threshold_is_none() -> None:
    labels = Labels.of([(0, 0.25, 0.5, 0.5, 1.0)])
    box = np.float32([[0.5, 0.5, 1, 1]])
    assert match(np.zeros(1, int), np.float32([0.9]), box, labels, 0.5, 1).truth.tolist() == [-1]
    assert match(np.zeros(1, int), np.float32([0.9]), box, labels, 0.49, 1).truth.tolist() == [0]


def test_recall_that_is_a_point_falls_where_the_c_program_rounds_it() -> None:
    curve = Curve(np.linspace(1, 0, 7), np.ones(7), np.arange(1, 8) / 10)
    assert average_precision(curve, 11) == 7 / 11  # 0 to 0.6: 7 x 0.1 is more than 7/10


def test_nothing_found_and_nothing_labelled_is_zero() -> None:
    found = darknet_map(join_matches([], 3))
    assert found.map == 0
    assert found.map_present == 0
    assert found.curves[0].best() == (0, 0)


def test_objects_are_numbered_on_through_the_pictures() -> None:
    labels = Labels.of([(0, *BOX)])
    boxes = np.float32([BOX])
    both = [match(np.zeros(1, int), np.float32([p]), boxes, labels, 0.5, 1) for p in (0.6, 0.7)]
    found = darknet_map(join_matches(both, 1))
    assert found.by_score.tp.tolist() == [2]
    assert found.ap.tolist() == [1]
    assert found.curves[0].best() == (pytest.approx(0.6), 1)
