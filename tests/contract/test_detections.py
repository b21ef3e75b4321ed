"""Raw outputs become detections: rows by class, sorted, in pixels of the picture."""

from __future__ import annotations

import numpy as np
import pytest

from darknet_py.contract.candidates import Candidates
from darknet_py.contract.detections import Boxes, to_boxes
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.program import program_of
from darknet_py.errors import DataError

CFG = "[net]\nchannels=7\nheight=2\nwidth=2\n[yolo]\nclasses=2\nnum=1\nanchors=1,1\nnew_coords=1\n"
CANDIDATES = Candidates(
    np.float32([[0.5, 0.5, 1, 1], [0, 0, 0.5, 0.5]]), np.ones(2, np.float32), np.float32([[0.4, 0.6], [0.5, 0]])
)


def test_each_class_of_a_box_is_a_row_and_the_surest_come_first() -> None:
    found = to_boxes(CANDIDATES, (10, 20))
    assert found.cls.tolist() == [1, 0, 0]
    np.testing.assert_allclose(found.conf, [0.6, 0.5, 0.4])
    assert found.xyxy.tolist() == [[0, 0, 20, 10], [-5, -2.5, 5, 2.5], [0, 0, 20, 10]]


def test_clipped_boxes_lie_in_the_image() -> None:
    found = to_boxes(CANDIDATES, (10, 20)).clip()
    assert found.xyxy[1].tolist() == [0, 0, 5, 2.5]


def test_detections_are_a_sequence_of_objects() -> None:
    found = to_boxes(CANDIDATES, (10, 20))
    assert [int(one.cls[0]) for one in found] == [1, 0, 0]
    sure = found[found.conf > 0.45]
    assert isinstance(sure, Boxes)
    assert len(sure) == 2


def test_a_letterbox_is_undone() -> None:
    compiled = compile_cfg(CFG).check()
    output = np.zeros((7, 2, 2), np.float32)
    output[:, 1, 1] = [0, 0, 0.5, 0.5, 1, 1, 0]
    found = program_of(compiled).contract.decode([output], (10, 20), letterbox=True)
    np.testing.assert_allclose(found.xyxy, [[5, 0, 15, 10]])


def test_outputs_of_something_else_are_an_error() -> None:
    compiled = compile_cfg(CFG).check()
    with pytest.raises(DataError, match="head"):
        program_of(compiled).contract.decode([np.zeros((6, 2, 2), np.float32)], (10, 20))


def test_a_network_without_heads_finds_nothing() -> None:
    compiled = compile_cfg("[net]\nchannels=3\nheight=2\nwidth=2\n[avgpool]").check()
    with pytest.raises(DataError, match=r"head|no layer that gives boxes"):
        program_of(compiled).contract.decode([], (10, 20))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_what_is_not_finite_is_no_box(bad: float) -> None:
    places = np.array([[0.5, 0.5, 0.25, 0.25], [0.5, 0.5, bad, 0.25]], np.float32)
    found = to_boxes(Candidates(places, np.ones(2, np.float32), np.full((2, 1), 0.9, np.float32)), (100, 200))
    assert found.xyxy.tolist() == [[75.0, 37.5, 125.0, 62.5]]
    sure = Candidates(places[:1], np.ones(1, np.float32), np.full((1, 1), np.inf, np.float32))
    assert len(sure.finite()) == 0
