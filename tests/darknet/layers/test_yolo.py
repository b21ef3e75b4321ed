"""[yolo]: its output, its boxes in every option, and options that do not fit together."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import compiled, diagnosed, output

from darknet_py.contract.candidates import Candidates
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.layers.heads.yolo import Yolo

LOG2, LOG3 = np.log(2), np.log(3)
ONE = "[yolo]\nclasses=1\nnum=1\nanchors=10,20\n"


def pixels(*numbers: float) -> np.ndarray:
    """An image of one pixel with a number in each channel."""
    return np.array(numbers, np.float32).reshape(-1, 1, 1)


def decoded(cfg: str, image: np.ndarray, threshold: float = 0.0, dialect: str | None = None) -> Candidates:
    """The candidates of the last layer, a head, for a network input of 100 x 100."""
    return (
        compiled(cfg, image.shape, dialect)
        .check()
        .decoders[-1]
        .decode(output(cfg, image, dialect=dialect), (100, 100), threshold)
    )


def test_centre_objectness_and_classes_are_logistic_and_sizes_are_not() -> None:
    got = output(ONE, pixels(0, LOG3, 5, -5, 0, -LOG3)).ravel()
    np.testing.assert_allclose(got, [0.5, 0.75, 5, -5, 0.5, 0.25], rtol=1e-6)


def test_scale_x_y_stretches_about_the_middle_of_the_cell() -> None:
    got = output(ONE + "scale_x_y=2\n", pixels(0, LOG3, 5, -5, 0, 0)).ravel()
    np.testing.assert_allclose(got, [0.5, 1, 5, -5, 0.5, 0.5], rtol=1e-6)


def test_new_coords_changes_nothing_but_the_centre() -> None:
    got = output(ONE + "new_coords=1\nscale_x_y=2\n", pixels(0.5, 0.75, 0.2, 0.3, 0.4, 0.6)).ravel()
    np.testing.assert_allclose(got, [0.5, 1, 0.2, 0.3, 0.4, 0.6], rtol=1e-6)


def test_the_pytorch_dialect_decodes_one_way_whatever_the_cfg_says() -> None:
    image = pixels(0, LOG3, 0, LOG3, 0, -LOG3)
    got = output(ONE + "scale_x_y=1.05\n", image, dialect="pytorch").ravel()
    np.testing.assert_allclose(got, [0.5, 1, 0.5, 0.75, 0.5, 0.25], rtol=1e-6)
    boxes = decoded(ONE + "scale_x_y=1.05\n", image, dialect="pytorch").boxes
    np.testing.assert_allclose(boxes, [[0.5, 1, 0.1, 2.25 * 0.2]], rtol=1e-6)


def test_sizes_are_powers_of_e_of_the_anchor() -> None:
    boxes = decoded(ONE, pixels(0, LOG3, LOG2, LOG3, 9, 9)).boxes
    np.testing.assert_allclose(boxes, [[0.5, 0.75, 0.2, 0.6]], rtol=1e-6)


def test_new_coords_sizes_are_squares_of_the_anchor() -> None:
    boxes = decoded(ONE + "new_coords=1\n", pixels(0.5, 0.75, 0.5, 1, 0.9, 0.9)).boxes
    np.testing.assert_allclose(boxes, [[0.5, 0.75, 0.1, 0.8]], rtol=1e-6)


def test_candidates_come_row_by_row_then_column_then_mask() -> None:
    cfg = "[yolo]\nclasses=1\nnum=3\nmask=2,0\nanchors=10,10,20,20,30,30\nnew_coords=1\n"
    image = np.full((12, 2, 2), 0.5, np.float32)
    boxes = decoded(cfg, image).boxes
    assert boxes[:, 0].tolist() == [0.25, 0.25, 0.75, 0.75] * 2
    assert boxes[:, 1].tolist() == [0.25] * 4 + [0.75] * 4
    np.testing.assert_allclose(boxes[:, 2], [0.3, 0.1] * 4)


def test_a_candidate_has_an_objectness_above_the_threshold_and_so_has_a_probability() -> None:
    cfg = "[yolo]\nclasses=2\nnum=1\nanchors=10,20\nnew_coords=1\n"
    image = np.array([[0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 1]] * 3 + [[0.5, 0.5, 0.5, 0.5, 0.25, 1, 1]], np.float32)
    found = decoded(cfg, image.T.reshape(7, 2, 2), 0.25)
    assert found.objectness.tolist() == [0.5] * 3
    assert found.probabilities.tolist() == [[0, 0.5]] * 3


def test_without_mask_every_anchor_is_used_and_without_anchors_each_is_half_a_pixel() -> None:
    cfg = "[yolo]\nclasses=1\nnum=2\nnew_coords=1\n"
    assert diagnosed(cfg, (12, 1, 1)).code == "DK311"
    np.testing.assert_allclose(decoded(cfg, np.full((12, 1, 1), 0.5, np.float32)).boxes[:, 2:], 0.005, rtol=1e-6)


def test_wrong_filters_are_an_error_that_names_the_right_ones() -> None:
    cfg = "[convolutional]\nfilters=17\nactivation=linear\n[yolo]\nclasses=1\nnum=3\nanchors=1,1,2,2,3,3\n"
    problem = diagnosed(cfg)
    assert (problem.code, problem.severity) == ("DK308", "error")
    assert "17" in problem.message
    assert "filters=18" in (problem.hint or "")


def test_a_mask_beyond_num_takes_the_anchor_that_the_file_has() -> None:
    cfg = "[yolo]\nclasses=1\nnum=1\nmask=1\nanchors=10,10,20,20\n"
    problem = diagnosed(cfg, (6, 1, 1))
    assert (problem.code, problem.severity) == ("DK309", "warning")
    np.testing.assert_allclose(decoded(cfg, np.zeros((6, 1, 1), np.float32)).boxes[0, 2:], 0.2)


def test_a_mask_beyond_everything_is_an_error() -> None:
    problem = diagnosed("[yolo]\nclasses=1\nnum=1\nmask=2\nanchors=10,10,20,20\n", (6, 1, 1))
    assert (problem.code, problem.severity) == ("DK309", "error")


def test_a_missing_height_is_half_a_pixel_and_a_warning() -> None:
    cfg = "[yolo]\nclasses=1\nnum=2\nmask=1\nanchors=10,10,20\n"
    assert diagnosed(cfg, (6, 1, 1)).severity == "warning"
    np.testing.assert_allclose(decoded(cfg, np.zeros((6, 1, 1), np.float32)).boxes[0, 2:], [0.2, 0.005], rtol=1e-6)


@pytest.mark.parametrize(("new_coords", "activation"), [(1, "linear"), (1, "swish"), (0, "logistic"), (0, "leaky")])
def test_an_activation_that_does_not_go_with_the_head_is_suspicious(new_coords: int, activation: str) -> None:
    cfg = f"[convolutional]\nfilters=6\nactivation={activation}\n{ONE}new_coords={new_coords}\n"
    problem = diagnosed(cfg)
    assert (problem.code, problem.severity) == ("DK311", "warning")
    assert activation in problem.message


@pytest.mark.parametrize(("new_coords", "activation"), [(1, "logistic"), (0, "linear")])
def test_an_activation_that_goes_with_the_head_is_no_news(new_coords: int, activation: str) -> None:
    cfg = f"[convolutional]\nfilters=6\nactivation={activation}\n{ONE}new_coords={new_coords}\n"
    assert not compiled(cfg, (4, 4, 4)).diagnostics


def test_training_options_pass_silently() -> None:
    cfg = ONE + "ignore_thresh=.7\ntruth_thresh=1\njitter=.3\nrandom=1\niou_loss=ciou\ncounters_per_class=1\n"
    assert not compiled(cfg, (6, 2, 2)).diagnostics


def test_an_unknown_kind_of_suppression_is_an_error() -> None:
    assert diagnosed(ONE + "nms_kind=grpeedynms\n", (6, 1, 1)).hint == (
        "did you mean 'greedynms'? (Darknet silently takes 'default'; --as-darknet does the same)"
    )


def test_lists_end_at_a_comment_as_darknet_reads_them() -> None:
    # parse_yolo_mask looks for '#', which no other list of a section does
    cfg = "[net]\nchannels=12\nheight=2\nwidth=2\n[yolo]\nclasses=1\nnum=2\nmask=1,0#2,3\nanchors=1,1,2,2#,3\n"
    head = compile_cfg(cfg, as_darknet=True).check().graph.layers[-1].layer
    assert isinstance(head, Yolo)
    assert (head.mask, head.anchors) == ((1, 0), (1, 1, 2, 2))
