"""[region], YOLOv2's head: the order of its output, its boxes, class trees, and filters that do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tiny import compiled, counting, diagnosed, output

from darknet_py.contract.decoders import Decoder
from darknet_py.darknet.compile import compile_file
from darknet_py.errors import DataError

LOG2, LOG3 = np.log(2), np.log(3)
ONE = "[region]\nclasses=2\nnum=1\nanchors=2,3\n"


def pixels(*numbers: float) -> np.ndarray:
    """An image of one pixel with a number in each channel."""
    return np.array(numbers, np.float32).reshape(-1, 1, 1)


def decoder_of(cfg: str, shape: tuple[int, ...]) -> Decoder:
    """The decoder of the last layer of a cfg."""
    return compiled(cfg, shape).check().decoders[-1]


def test_the_output_is_cells_first_and_the_numbers_of_a_box_last() -> None:
    image = -1 - counting(7, 1, 2)
    got = output(ONE, image)
    assert got.shape == (7, 1, 2)
    raw = [0, 1, 2, 3, 5, 6]
    np.testing.assert_allclose(got.reshape(2, 7)[:, raw], image.reshape(7, 2).T[:, raw])


def test_objectness_is_logistic_and_classes_stay_raw() -> None:
    got = output(ONE, pixels(1, 2, 3, 4, LOG3, 5, -5)).ravel()
    np.testing.assert_allclose(got, [1, 2, 3, 4, 0.75, 5, -5], rtol=1e-6)


def test_classes_go_through_a_softmax_if_asked() -> None:
    got = output(ONE + "softmax=1\n", pixels(1, 2, 3, 4, 0, LOG3, 0)).ravel()
    np.testing.assert_allclose(got, [1, 2, 3, 4, 0.5, 0.75, 0.25], rtol=1e-6)


def test_boxes_are_in_cells_and_every_box_is_a_candidate() -> None:
    output_ = np.zeros((7, 1, 2), np.float32).reshape(2, 7)
    output_[1] = [0, LOG3, LOG2, 0, 0.5, 0.8, 0.4]
    found = decoder_of(ONE, (7, 1, 2)).decode(output_.reshape(7, 1, 2), (32, 64), 0.25)
    np.testing.assert_allclose(found.boxes, [[0.25, 0.5, 1, 3], [0.75, 0.75, 2, 3]], rtol=1e-6)
    assert found.objectness.tolist() == [1, 1]
    np.testing.assert_allclose(found.probabilities, [[0, 0], [0.4, 0]], rtol=1e-6)


def test_classfix_drops_boxes_with_an_objectness_below_a_half() -> None:
    numbers = np.array([0, 0, 0, 0, 0.49, 1, 0.9], np.float32).reshape(7, 1, 1)
    assert decoder_of(ONE, (7, 1, 1)).decode(numbers, (32, 32), 0.25).probabilities.any()
    assert not decoder_of(ONE + "classfix=-1\n", (7, 1, 1)).decode(numbers, (32, 32), 0.25).probabilities.any()


TREE = "animal -1\nthing -1\ncat 0\ndog 0\n"
CFG = "[net]\nchannels=9\nheight=1\nwidth=1\n[region]\nclasses=4\nnum=1\nanchors=1,1\ntree=words.tree\n"


@pytest.fixture
def hierarchical(tmp_path: Path) -> Decoder:
    """A region with a tree of two roots and two children."""
    (tmp_path / "words.tree").write_text(TREE)
    (tmp_path / "net.cfg").write_text(CFG)
    return compile_file(tmp_path / "net.cfg").check().decoders[-1]


@pytest.mark.parametrize(("scores", "wanted"), [
    ((0.9, 0.1, 0.8, 0.2), (0, 0, 0.72, 0)),  # the last node whose path is above a half
    ((0.9, 0.1, 0.5, 0.5), (0.9, 0, 0, 0)),  # no child is: the parent
    ((0.5, 0.5, 0.6, 0.4), (0, 0, 0, 0)),  # nothing is
])  # fmt: skip
def test_a_tree_gives_the_deepest_likely_node_without_the_objectness(
    hierarchical: Decoder, scores: tuple[float, ...], wanted: tuple[float, ...]
) -> None:
    numbers = np.array([0, 0, 0, 0, 0.3, *scores], np.float32).reshape(9, 1, 1)
    found = hierarchical.decode(numbers, (32, 32), 0.25)
    np.testing.assert_allclose(found.probabilities, [wanted], rtol=1e-6)
    assert not hierarchical.decode(numbers, (32, 32), 0.3).probabilities.any()


def test_without_its_tree_a_network_compiles_with_a_warning_and_decodes_no_boxes() -> None:
    cfg = ONE + "tree=nowhere.tree\n"
    problem = diagnosed(cfg, (7, 1, 1))
    assert (problem.code, problem.severity) == ("DK501", "warning")
    with pytest.raises(DataError, match=r"nowhere\.tree"):
        decoder_of(cfg, (7, 1, 1)).decode(np.zeros((7, 1, 1), np.float32), (32, 32), 0.25)


def test_wrong_filters_are_an_error_that_names_the_right_ones() -> None:
    problem = diagnosed("[convolutional]\nfilters=8\nactivation=linear\n" + ONE)
    assert problem.code == "DK308"
    assert "filters=7" in (problem.hint or "")


@pytest.mark.parametrize(("option", "severity"), [("coords=5", "error"), ("anchors=1,1,2,2", "warning")])
def test_what_darknet_reads_or_writes_out_of_bounds_is_diagnosed(option: str, severity: str) -> None:
    problem = diagnosed(f"[region]\nclasses=2\nnum=1\n{option}\n" + ("" if "anchors" in option else "anchors=1,1\n"),
                        (7, 1, 1), "alexeyab")  # fmt: skip
    assert (problem.code, problem.severity) == ("DK309", severity)


def test_missing_anchors_are_half_a_cell() -> None:
    cfg = "[region]\nclasses=2\nnum=1\n"
    assert diagnosed(cfg, (7, 1, 1)).code == "DK311"
    boxes = decoder_of(cfg, (7, 1, 1)).decode(np.zeros((7, 1, 1), np.float32), (32, 32), 0.25).boxes
    np.testing.assert_allclose(boxes, [[0.5] * 4])


POSE = "[region]\nclasses=2\nnum=2\nanchors=2,3, 1,1\ncoords=6\nsoftmax=1\n"


@pytest.mark.fault("region-coords-pjreddie")
def test_pjreddies_head_reads_objectness_after_any_number_of_coordinates() -> None:
    image = counting(18, 1, 2) / 10
    got = output(POSE, image, dialect="pjreddie").reshape(2, 9, 2)
    raw = image.reshape(2, 9, 2)
    np.testing.assert_allclose(got[:, 2:6], raw[:, 2:6])
    np.testing.assert_allclose(got[:, [0, 1, 6]], 1 / (1 + np.exp(-raw[:, [0, 1, 6]])), rtol=1e-6)
    powers = np.exp(raw[:, 7:])
    np.testing.assert_allclose(got[:, 7:], powers / powers.sum(1, keepdims=True), rtol=1e-5)


@pytest.mark.fault("region-coords-pjreddie")
def test_boxes_of_pjreddies_head_are_the_same_from_its_input_and_its_output() -> None:
    image = counting(18, 1, 2) / 10 - 0.5
    decoder = compiled(POSE, (18, 1, 2), "pjreddie").check().decoders[0]
    made, raw = output(POSE, image, dialect="pjreddie"), np.asarray(image, np.float32)
    found, direct = decoder.decode(made, (32, 64), 0.1), decoder.decode(raw, (32, 64), 0.1, raw=True)
    kept = found.probabilities.any(axis=1)
    np.testing.assert_allclose(direct.boxes, found.boxes[kept], rtol=1e-5)
    np.testing.assert_allclose(direct.probabilities, found.probabilities[kept], rtol=1e-5)
    assert found.boxes[0, 2] == pytest.approx(np.exp(image.reshape(2, 9, 2)[0, 2, 0]) * 2 / 2, rel=1e-5)


def test_without_softmax_pjreddies_class_scores_are_logistic() -> None:
    got = output(ONE, pixels(1, 2, 3, 4, LOG3, LOG3, -LOG3), dialect="pjreddie").ravel()
    np.testing.assert_allclose(got[4:], [0.75, 0.75, 0.25], rtol=1e-6)


@pytest.mark.fault("region-coords-pjreddie")
def test_more_coordinates_are_an_error_in_alexeyabs_dialect_that_names_the_other() -> None:
    problem = diagnosed(POSE, (18, 1, 2), "alexeyab")
    assert (problem.code, problem.severity) == ("DK309", "error")
    assert problem.hint == "coords=6 is read by pjreddie's Darknet: --dialect pjreddie"
    assert compiled(POSE, (18, 1, 2)).check().dialect.name == "pjreddie"


@pytest.mark.fault("anchors-wrong-unit")
def test_anchors_of_a_region_that_are_pixels_are_warned_of() -> None:
    cfg = "[convolutional]\nfilters=14\nstride=32\nactivation=linear\n[region]\nclasses=2\nnum=2\nanchors={}\n"
    problem = diagnosed(cfg.format("100,150, 300,320"), (3, 416, 416))
    assert (problem.code, problem.severity) == ("DK311", "warning")
    assert "divide by 32" in (problem.hint or "")
    assert not compiled(cfg.format("1.3,1.7, 11.2,10"), (3, 416, 416)).diagnostics
