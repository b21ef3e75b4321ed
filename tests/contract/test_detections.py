from __future__ import annotations

import numpy as np
import pytest

from darknet_py.contract.candidates import Candidates
from darknet_py.contract.decode import Detections, find_detections, to_detections
from darknet_py.darknet.compile import compile_cfg
from darknet_py.errors import DataError

CFG = "[net]\nchannels=7\nheight=2\nwidth=2\n[yolo]\nclasses=2\nnum=1\nanchors=1,1\nnew_coords=1\n"
CANDIDATES = Candidates(
    np.float32([[0.5, 0.5, 1, 1], [0, 0, 0.5, 0.5]]), np.ones(2, np.float32), np.float32([[0.4, 0.6], [0.5, 0]])
)


def test_each_class_of_a_box_is_a_row_and_the_surest_come_first() -> None:
    found = to_detections(CANDIDATES, (10, 20))
    assert found.class_id.tolist() == [1, 0, 0]
    np.testing.assert_allclose(found.confidence, [0.6, 0.5, 0.4])
    assert found.xyxy.tolist() == [[0, 0, 20, 10], [-5, -2.5, 5, 2.5], [0, 0, 20, 10]]


def test_the_surest_are_kept_where_there_are_too_many() -> None:
    assert len(to_detections(CANDIDATES, (10, 20), 2)) == 2
    assert len(to_detections(CANDIDATES, (10, 20), 0)) == 0


def test_clipped_boxes_lie_in_the_image() -> None:
    found = to_detections(CANDIDATES, (10, 20)).clip((10, 20))
    assert found.xyxy[1].tolist() == [0, 0, 5, 2.5]


def test_detections_are_a_sequence_of_objects() -> None:
    found = to_detections(CANDIDATES, (10, 20))
    assert [class_id for _, _, class_id in found] == [1, 0, 0]
    sure = found[found.confidence > 0.45]
    assert isinstance(sure, Detections)
    assert len(sure) == 2


def test_a_letterbox_is_undone() -> None:
    compiled = compile_cfg(CFG).check()
    output = np.zeros((7, 2, 2), np.float32)
    output[:, 1, 1] = [0, 0, 0.5, 0.5, 1, 1, 0]
    found = find_detections(compiled.graph, compiled.net, [output], (10, 20), letterbox=True)
    np.testing.assert_allclose(found.xyxy, [[5, 0, 15, 10]])


def test_outputs_of_something_else_are_an_error() -> None:
    compiled = compile_cfg(CFG).check()
    with pytest.raises(DataError, match="heads"):
        find_detections(compiled.graph, compiled.net, [np.zeros((6, 2, 2), np.float32)], (10, 20))


def test_a_network_without_heads_finds_nothing() -> None:
    compiled = compile_cfg("[net]\nchannels=3\nheight=2\nwidth=2\n[avgpool]").check()
    with pytest.raises(DataError, match="heads"):
        find_detections(compiled.graph, compiled.net, [], (10, 20))
