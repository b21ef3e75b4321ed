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
from darknet_py.contract.nms import nms
from darknet_py.contract.program import Program
from darknet_py.darknet.program import program_of

CASES = [name for name, case in goldens().items() if case.boxes()]
SETS = [(name, i) for name in CASES for i in range(4)]
SCALE = 1e-5  # of a coordinate; of a probability a tenth of it
IOU = 0.45  # detector.c test_detector


def test_there_are_boxes() -> None:
    assert len(CASES) >= 30


@cache
def ran(name: str) -> tuple[Program, list[np.ndarray], dict[str, Any]]:
    """The program, the outputs of its heads, and what Darknet decoded from them."""
    case = goldens()[name]
    graph, boxes = case.graph(), case.boxes()
    assert boxes
    (layers,) = run_layers(graph, case.steps())
    return program_of(case.compile(), graph), [layers[i] for i in graph.heads], boxes


@cache
def before_heads(name: str) -> tuple[Program, list[np.ndarray]]:
    """The program that ends before its heads, as a session gets it, and its outputs."""
    program = ran(name)[0].before_heads()
    (image,) = goldens()[name].steps()
    return program, [o[0] for o in open_session(program.graph, "numpy").run([image])]


def as_darknet_gives(name: str, wanted: dict[str, Any]) -> Candidates:
    """The candidates, relative to the photo; those of [detection] in its pixels, and with a letterbox left as it is."""
    program, outputs, _ = ran(name)
    contract = program.contract
    found = contract.candidates(outputs, wanted["thresh"])
    size = (wanted["im_h"], wanted["im_w"])
    if contract.decoders[-1].kind == "detection":
        return found.with_boxes(found.boxes * np.array([size[1], size[0]] * 2, np.float32))
    return found.with_boxes(undo_letterbox(found.boxes, size, contract.net_size)) if wanted["letter"] else found


@pytest.mark.parametrize(("name", "index"), SETS)
def test_candidates_are_darknets_in_its_order(name: str, index: int) -> None:
    wanted = ran(name)[2]["sets"][index]
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
    program, outputs, boxes = ran(name)
    wanted = boxes["sets"][index]
    options: dict[str, Any] = dict(threshold=wanted["thresh"], letterbox=bool(wanted["letter"]))
    size = (wanted["im_h"], wanted["im_w"])
    session_ends, inputs = before_heads(name)
    late = session_ends.contract.decode(inputs, size, **options)
    early = program.contract.decode(outputs, size, **options)
    assert np.array_equal(np.sort(late.cls), np.sort(early.cls))
    assert_same_rows(
        np.column_stack([late.cls, late.conf, late.xyxy / 1000]),
        np.column_stack([early.cls, early.conf, early.xyxy / 1000]),
    )


@pytest.mark.parametrize(("name", "index"), SETS)
def test_the_same_boxes_survive(name: str, index: int) -> None:
    wanted = ran(name)[2]["sets"][index]
    contract = ran(name)[0].contract
    kept = nms(as_darknet_gives(name, wanted), contract.nms_kind, IOU, contract.nms_beta)
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
    program, outputs, boxes = ran(name)
    for wanted in boxes["sets"]:
        size, letterbox = (wanted["im_h"], wanted["im_w"]), bool(wanted["letter"])
        found = program.contract.decode(outputs, size, threshold=wanted["thresh"], letterbox=letterbox)
        left_top_size = np.array([p["box_px_ltwh"] for p in wanted["post"]])
        corners = np.hstack([left_top_size[:, :2], left_top_size[:, :2] + left_top_size[:, 2:]])
        assert (np.diff(found.conf) <= 0).all()
        assert_same_rows(
            np.column_stack([found.cls, found.conf, found.xyxy / 1000]),
            np.column_stack([[(p["class"], p["prob"]) for p in wanted["post"]], corners / 1000]),
        )
