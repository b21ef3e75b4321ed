"""Results: each format of the same two boxes, by hand."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from darknet_py.errors import DataError
from darknet_py.vision import window
from darknet_py.vision.draw import class_colour, draw_boxes
from darknet_py.vision.results import Boxes, Results
from darknet_py.zoo.names import COCO, COCO_IDS

NAMES = dict(enumerate(COCO))
XYXY = np.array([[50, 20, 90, 60], [-10, 0, 30, 40]], np.float32)  # the second one sticks out at the left


@pytest.fixture
def results() -> Results:
    boxes = Boxes(XYXY, np.array([0.875, 0.5], np.float32), np.array([16, 11]), (80, 100))
    return Results(np.full((80, 100, 3), 127, np.uint8), "photos/dog.jpg", NAMES, boxes)


@pytest.fixture
def classes() -> Results:
    boxes = Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), (28, 28))
    scores = np.array([0.1, 0.6, 0.3], np.float32)
    return Results(np.zeros((28, 28), np.uint8), "seven.png", {0: "a", 1: "b", 2: "c"}, boxes, scores)


def test_boxes_come_in_four_forms(results: Results) -> None:
    boxes = results.boxes
    np.testing.assert_allclose(boxes.xywh[0], [70, 40, 40, 40])
    np.testing.assert_allclose(boxes.xyxyn[0], [0.5, 0.25, 0.9, 0.75])
    np.testing.assert_allclose(boxes.xywhn[0], [0.7, 0.5, 0.4, 0.5])
    np.testing.assert_allclose(boxes.clip().xyxy[1], [0, 0, 30, 40])


def test_boxes_are_a_sequence(results: Results) -> None:
    assert [float(b.conf[0]) for b in results.boxes] == [0.875, 0.5]
    assert len(results.boxes[results.boxes.conf > 0.6]) == 1
    assert len(results.boxes[1:]) == 1


def test_json_is_darknets_with_corners(results: Results) -> None:
    data = json.loads(results.to_json())
    assert (data["filename"], data["width"], data["height"]) == ("photos/dog.jpg", 100, 80)
    assert data["objects"][0] == {
        "class_id": 16, "name": "dog", "confidence": 0.875, "box": [50, 20, 90, 60],
        "relative_coordinates": {"center_x": 0.7, "center_y": 0.5, "width": 0.4, "height": 0.5},
    }  # fmt: skip


def test_coco_has_its_own_numbers_and_cut_boxes(results: Results) -> None:
    first, second = results.to_coco(42)
    assert first == {"image_id": 42, "category_id": 18, "bbox": [50, 20, 40, 40], "score": 0.875}
    assert second["category_id"] == 13  # stop sign: 12 is one of the numbers never used
    assert second["bbox"] == [0, 0, 30, 40]
    assert results.to_coco(42, coco91=False)[0]["category_id"] == 16


@pytest.mark.parametrize(("name", "number"), [("a/000000000139.jpg", 139), ("a/dog.jpg", "dog"), ("image0", "image0")])
def test_coco_takes_the_number_of_the_picture_from_its_name(results: Results, name: str, number: int | str) -> None:
    assert replace(results, path=name).to_coco()[0]["image_id"] == number


def test_results_print_without_the_pixels(results: Results) -> None:
    assert "photos/dog.jpg" in repr(results)
    assert len(repr(results)) < 500


def test_coco_has_80_of_90_numbers() -> None:
    assert len(COCO) == len(set(COCO)) == len(COCO_IDS) == 80
    assert (COCO_IDS[0], COCO_IDS[79]) == (1, 90)


def test_yolo_text_is_relative(results: Results, tmp_path: Path) -> None:
    path = results.save_txt(tmp_path / "labels" / "dog.txt", conf=True)
    lines = path.read_text().splitlines()
    assert lines[0] == "16 0.700000 0.500000 0.400000 0.500000 0.875000"
    assert results.yolo_text().splitlines()[0] == "16 0.700000 0.500000 0.400000 0.500000"


def test_darknets_lines_go_from_left_to_right(results: Results) -> None:
    first, second = results.darknet_text().splitlines()
    assert first == "stop sign: 50%\t(left_x:  -10   top_y:    0   width:   40   height:   40)"
    assert second.startswith("dog: 88%\t(left_x:   50 ")


def test_darknets_lines_for_a_classifier(classes: Results) -> None:
    assert classes.darknet_text() == "b: 0.600000\nc: 0.300000\na: 0.100000\n"


def test_a_classifier_has_the_words_of_mmpretrain(classes: Results) -> None:
    assert (classes.pred_class, classes.pred_label) == ("b", 1)
    assert classes.pred_score == pytest.approx(0.6)
    assert [c["name"] for c in classes.to_dict()["classes"]] == ["b", "c", "a"]


def test_a_detector_has_no_predicted_class(results: Results) -> None:
    with pytest.raises(DataError, match="results of a detector"):
        _ = results.pred_class


def test_supervision_gets_its_own_type(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("supervision")
    module.Detections = SimpleNamespace
    monkeypatch.setitem(sys.modules, "supervision", module)
    found = results.to_supervision()
    assert found.class_id.tolist() == [16, 11]
    assert found.data["class_name"].tolist() == ["dog", "stop sign"]
    assert found.xyxy[1, 0] == 0
    assert found.tracker_id is None
    tracked = replace(results, boxes=replace(results.boxes, id=np.array([3, 0]))).to_supervision()
    assert tracked.tracker_id.tolist() == [3, -1]


def test_without_supervision_the_message_names_it(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "supervision", None)
    with pytest.raises(DataError, match="'supervision', which is not installed"):
        results.to_supervision()


def test_plot_draws_on_a_copy(results: Results) -> None:
    drawn = results.plot()
    assert drawn.shape == (80, 100, 3)
    assert (results.orig_img == 127).all()
    assert tuple(drawn[40, 50]) == class_colour(16)  # the left edge of the first box


@pytest.mark.parametrize("name", ["out.jpg", "deep/er/out.png"])
def test_save_makes_folders_and_writes_a_picture(results: Results, tmp_path: Path, name: str) -> None:
    path = results.save(tmp_path / name)
    assert cv2.imread(str(path)).shape == (80, 100, 3)


def test_save_refuses_a_suffix_that_is_no_picture(results: Results, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="use a suffix such as"):
        results.save(tmp_path / "out.docx")


def test_a_small_grey_picture_is_enlarged_for_its_classes(classes: Results) -> None:
    assert min(classes.plot().shape[:2]) >= 320


@pytest.mark.parametrize("shape", [(1, 1), (5, 400), (400, 5), (2000, 3000), (40, 40, 3), (40, 40, 4)])
def test_any_box_can_be_drawn_on_any_picture(shape: tuple[int, ...]) -> None:
    boxes = np.array([[-1e9, -5, 1e9, 5], [np.nan, 0, 3, 3], [3, 3, 3, 3], [0, 0, np.inf, 1]], np.float32)
    drawn = draw_boxes(np.zeros(shape, np.uint8), boxes, np.arange(4), ["a long label", "b", "ü", ""])
    assert drawn.shape == (*shape[:2], 3)


def test_classes_have_their_own_colours() -> None:
    assert len({class_colour(i) for i in range(80)}) == 80


def test_results_are_a_line_of_what_was_found(results: Results, classes: Results) -> None:
    assert repr(results) == "photos/dog.jpg 100x80: 1 dog 0.88, 1 stop sign 0.50"
    assert repr(replace(results, boxes=results.boxes[[0, 0, 1]])).endswith(": 2 dog 0.88, 1 stop sign 0.50")
    assert repr(replace(results, boxes=results.boxes[:0])) == "photos/dog.jpg 100x80: nothing"
    assert repr(classes) == "seven.png 28x28: b 0.60, c 0.30, a 0.10"


def test_a_line_has_few_classes_and_no_command_for_a_terminal(results: Results) -> None:
    boxes = Boxes(np.zeros((20, 4), np.float32), np.ones(20, np.float32), np.arange(20), (80, 100))
    assert repr(replace(results, boxes=boxes)).endswith("… 12 classes more")
    assert "\x1b" not in repr(replace(results, path="a\x1b[31m.jpg"))


def test_a_notebook_gets_the_picture_and_the_line(results: Results) -> None:
    drawn = cv2.imdecode(np.frombuffer(results._repr_png_(), np.uint8), cv2.IMREAD_COLOR)
    assert np.array_equal(drawn, results.plot())
    html = replace(results, path="<b>.jpg")._repr_html_()
    assert "<b>" not in html
    assert "&lt;b&gt;.jpg 100x80: 1 dog" in html
    assert "data:image/png;base64," in html
    large = replace(results, orig_img=np.zeros((100, 4000, 3), np.uint8))
    assert cv2.imdecode(np.frombuffer(large._repr_png_(), np.uint8), cv2.IMREAD_COLOR).shape == (32, 1280, 3)


def test_show_without_a_display_says_how_to_save(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(DataError, match=r"no display .*results\.save\('found\.jpg'\)"):
        results.show()


def test_show_with_a_display_that_is_gone_is_an_error_too(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.setattr(window, "WINDOW", "raise SystemExit('error: no display :987')")
    with pytest.raises(DataError, match=r"cannot show the picture \(error: no display :987\): save it instead"):
        results.show()


def test_show_in_a_notebook_displays(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[Any] = []
    ipython: Any = ModuleType("IPython")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=1)
    ipython.display = ModuleType("IPython.display")
    ipython.display.display = shown.append
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", ipython.display)
    results.show()
    assert shown == [results]


def test_json_has_no_word_for_nan(results: Results) -> None:
    with pytest.raises(DataError, match="NaN or infinite"):
        replace(results, boxes=replace(results.boxes, conf=np.float32([np.nan, 1]))).to_json()
