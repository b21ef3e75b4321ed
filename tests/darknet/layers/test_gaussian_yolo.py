"""[Gaussian_yolo]: means and deviations of a box, and what they make of its probability."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import compiled, output

from darknet_py.contract.candidates import Candidates

LOG2, LOG3 = np.log(2), np.log(3)
ONE = "[Gaussian_yolo]\nclasses=1\nnum=1\nanchors=10,20\n"
# x, σx, y, σy, w, σw, h, σh, objectness, class
IMAGE = np.array([0, LOG3, 0, 0, LOG2, 0, LOG3, -LOG3, LOG3, LOG3], np.float32).reshape(10, 1, 1)


def decoded(cfg: str) -> Candidates:
    """The candidates of the one cell, for a network input of 100 x 100."""
    return compiled(cfg, IMAGE.shape).check().decoders[-1].decode(output(cfg, IMAGE), (100, 100), 0.25)


def test_all_is_logistic_but_width_and_height() -> None:
    got = output(ONE, IMAGE).ravel()
    np.testing.assert_allclose(got, [0.5, 0.75, 0.5, 0.5, LOG2, 0.5, LOG3, 0.25, 0.75, 0.75], rtol=1e-6)


def test_scale_x_y_leaves_the_deviations_alone() -> None:
    got = output(ONE + "scale_x_y=3\n", IMAGE + np.float32(LOG3)).ravel()
    np.testing.assert_allclose(got[:4], [1.25, 0.9, 1.25, 0.75], rtol=1e-6)


def test_a_probability_is_less_the_mean_deviation() -> None:
    found = decoded(ONE)
    assert found.sigmas is not None
    np.testing.assert_allclose(found.sigmas, [[0.75, 0.5, 0.5, 0.25]], rtol=1e-6)
    np.testing.assert_allclose(found.probabilities, [[0.75 * 0.75 * 0.5]], rtol=1e-6)


@pytest.mark.parametrize(("point", "center"), [
    ("center", (0.5, 0.5)), ("left_top", (0.6, 0.8)), ("right_bottom", (0.4, 0.2)),
])  # fmt: skip
def test_x_and_y_are_the_point_that_yolo_point_names(point: str, center: tuple[float, float]) -> None:
    boxes = decoded(ONE + f"yolo_point={point}\n").boxes
    np.testing.assert_allclose(boxes, [[*center, 0.2, 0.6]], rtol=1e-6)
