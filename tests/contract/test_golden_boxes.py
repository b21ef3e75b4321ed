"""The boxes of every golden network: before and after suppression, at two thresholds, plain and letterboxed."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
from goldens import goldens, run_layers

from darknet_py.backends.session import open_session
from darknet_py.contract.boxes import undo_letterbox
from darknet_py.contract.candidates import Candidates
from darknet_py.contract.decode import find_candidates, find_detections, raw_outputs
from darknet_py.contract.nms import nms
from darknet_py.darknet.layers.heads.detection import Detection
from darknet_py.darknet.layers.heads.head import Head
from darknet_py.darknet.layers.net import Net
from darknet_py.ir import Graph

CASES = [name for name, case in goldens().items() if case.boxes()]
SETS = [(name, i) for name in CASES for i in range(4)]
SCALE = 1e-5  # of a coordinate; of a probability a tenth of it
IOU = 0.45  # detector.c test_detector


def test_there_are_boxes() -> None:
    assert len(CASES) >= 30


@cache
def ran(name: str) -> tuple[Graph, Net, list[np.ndarray], dict[str, Any]]:
    """The network, the outputs of its heads, and what Darknet decoded from them."""
    case = goldens()[name]
    graph, boxes = case.graph(), case.boxes()
    assert boxes
    (layers,) = run_layers(graph, case.steps())
    return graph, case.compile().net, [layers[i] for i in graph.heads], boxes


@cache
def raw_inputs(name: str) -> list[np.ndarray]:
    """What `raw_outputs` names."""
    case = goldens()[name]
    graph = case.graph()
    (image,) = case.steps()
    return [o[0] for o in open_session(graph.with_outputs(raw_outputs(graph)), "numpy").run([image])]


def head(graph: Graph) -> Head:
    """The last head, which decides how boxes are suppressed."""
    layer = graph.layers[graph.heads[-1]].layer
    assert isinstance(layer, Head)
    return layer


def as_darknet_gives(name: str, wanted: dict[str, Any]) -> Candidates:
    """The candidates, relative to the photo; those of [detection] in its pixels, and with a letterbox left as it is."""
    graph, net, outputs, _ = ran(name)
    found = find_candidates(graph, net, outputs, wanted["thresh"])
    size = (wanted["im_h"], wanted["im_w"])
    if isinstance(head(graph), Detection):
        return found.with_boxes(found.boxes * np.array([size[1], size[0]] * 2, np.float32))
    return found.with_boxes(undo_letterbox(found.boxes, size, (net.height, net.width))) if wanted["letter"] else found


@pytest.mark.parametrize(("name", "index"), SETS)
def test_candidates_are_darknets_in_its_order(name: str, index: int) -> None:
    wanted = ran(name)[3]["sets"][index]
    found = as_darknet_gives(name, wanted)
    assert len(found) == wanted["nboxes"] == len(wanted["pre"])
    probabilities = np.zeros_like(found.probabilities)
    for row, candidate in enumerate(wanted["pre"]):
        for class_id, probability in candidate["prob"].items():
            probabilities[row, int(class_id)] = probability
    close(found.boxes, [c["box"] for c in wanted["pre"]])
    np.testing.assert_allclose(found.objectness, [c["obj"] for c in wanted["pre"]], atol=5e-6)
    np.testing.assert_allclose(found.probabilities, probabilities, atol=5e-6)
    assert np.array_equal(found.probabilities > 0, probabilities > 0)
    if found.sigmas is not None:
        np.testing.assert_allclose(found.sigmas, [c["uc"] for c in wanted["pre"]], atol=5e-6)


@pytest.mark.parametrize(("name", "index"), SETS)
def test_boxes_from_the_input_of_the_heads_are_those_from_their_output(name: str, index: int) -> None:
    graph, net, outputs, boxes = ran(name)
    wanted = boxes["sets"][index]
    options: dict[str, Any] = dict(threshold=wanted["thresh"], letterbox=bool(wanted["letter"]))
    size = (wanted["im_h"], wanted["im_w"])
    late = find_detections(graph, net, raw_inputs(name), size, raw=True, **options)
    early = find_detections(graph, net, outputs, size, **options)
    assert np.array_equal(np.sort(late.class_id), np.sort(early.class_id))
    assert_same_rows(
        np.column_stack([late.class_id, late.confidence, late.xyxy / 1000]),
        np.column_stack([early.class_id, early.confidence, early.xyxy / 1000]),
    )


@pytest.mark.parametrize(("name", "index"), SETS)
def test_the_same_boxes_survive(name: str, index: int) -> None:
    wanted = ran(name)[3]["sets"][index]
    kind, beta = head(ran(name)[0]).suppression()
    kept = nms(as_darknet_gives(name, wanted), kind, IOU, beta)
    row, class_id = np.nonzero(kept.probabilities)
    assert len(row) == wanted["n_post"]
    found = np.column_stack([class_id, kept.probabilities[row, class_id], kept.boxes[row]])
    post = np.array([(p["class"], p["prob"], *p["box"]) for p in wanted["post"]])
    # The recording stops at 2000, the surest first.
    found = found[np.argsort(-found[:, 1], kind="stable")][: len(post)]
    assert_same_rows(found, post)


def close(found: np.ndarray, wanted: Any) -> None:
    """Coordinates agree, relative to the larger of themselves and 1."""
    np.testing.assert_allclose(found, wanted, rtol=SCALE, atol=SCALE)


def assert_same_rows(found: np.ndarray, wanted: np.ndarray) -> None:
    """Each wanted row is there once: (class, probability, box); equal probabilities may come in another order."""
    tolerance = SCALE * np.maximum(1, np.abs(wanted))
    free = np.ones(len(found), bool)
    for row, allowed in zip(wanted, tolerance, strict=True):
        matches = np.flatnonzero(free & (np.abs(found - row) <= allowed).all(axis=1))
        assert matches.size, f"nothing like {row}"
        free[matches[0]] = False


@pytest.mark.parametrize("name", ["yolo_two_heads", "gyolo_cornersnms", "region_tree", "yolo_diounms"])
def test_detections_are_the_survivors_in_pixels_surest_first(name: str) -> None:
    graph, net, outputs, boxes = ran(name)
    for wanted in boxes["sets"]:
        size, letterbox = (wanted["im_h"], wanted["im_w"]), bool(wanted["letter"])
        found = find_detections(graph, net, outputs, size, threshold=wanted["thresh"], letterbox=letterbox)
        left_top_size = np.array([p["box_px_ltwh"] for p in wanted["post"]])
        corners = np.hstack([left_top_size[:, :2], left_top_size[:, :2] + left_top_size[:, 2:]])
        assert (np.diff(found.confidence) <= 0).all()
        assert_same_rows(
            np.column_stack([found.class_id, found.confidence, found.xyxy / 1000]),
            np.column_stack([[(p["class"], p["prob"]) for p in wanted["post"]], corners / 1000]),
        )
