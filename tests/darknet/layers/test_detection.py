"""[detection], YOLOv1's head: its output, its boxes, and lengths that do not fit."""

from __future__ import annotations

import numpy as np
from tiny import compiled, diagnosed, output

from darknet_py.contract.decoders import Decoder

# 1 x 1 cells: 2 class scores, 2 objectness, 2 boxes
NUMBERS = np.array([0, np.log(3), 0.5, 2, 0.5, 0.25, 0.3, 0.4, 0.75, 1, 0.1, 0.2], np.float32)
ONE = "[detection]\nclasses=2\ncoords=4\nside=1\nnum=2\n"


def decoder_of(cfg: str, shape: tuple[int, ...]) -> Decoder:
    """The decoder of the last layer of a cfg."""
    return compiled(cfg, shape).check().decoders[-1]


def test_the_output_is_the_input_as_a_vector() -> None:
    got = output(ONE, NUMBERS.reshape(12, 1, 1))
    assert got.tolist() == NUMBERS.tolist()


def test_a_softmax_is_over_the_classes_of_a_cell() -> None:
    got = output(ONE + "softmax=1\n", NUMBERS.reshape(12, 1, 1))
    np.testing.assert_allclose(got, [0.25, 0.75, *NUMBERS[2:]], rtol=1e-6)


def test_all_boxes_of_a_cell_share_its_classes() -> None:
    found = decoder_of(ONE, (12, 1, 1)).decode(NUMBERS, (32, 32), 0.6)
    np.testing.assert_allclose(found.boxes, [[0.5, 0.25, 0.3, 0.4], [0.75, 1, 0.1, 0.2]])
    np.testing.assert_allclose(found.objectness, [0.5, 2])
    np.testing.assert_allclose(found.probabilities, [[0, 0], [0, 2 * np.log(3)]], rtol=1e-6)


def test_centres_count_from_their_cell() -> None:
    cfg = "[detection]\nclasses=1\ncoords=4\nside=2\nnum=1\n"
    numbers = np.zeros(4 * 6, np.float32)
    numbers[8:] = 0.5
    boxes = decoder_of(cfg, (6, 2, 2)).decode(numbers, (32, 32), 0.25).boxes
    np.testing.assert_allclose(boxes[:, :2], [[0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75]])


def test_sqrt_squares_the_sizes() -> None:
    boxes = decoder_of(ONE + "sqrt=1\n", (12, 1, 1)).decode(NUMBERS, (32, 32), 0.25).boxes
    np.testing.assert_allclose(boxes[:, 2:], [[0.09, 0.16], [0.01, 0.04]], rtol=1e-6)


def test_a_wrong_number_of_inputs_is_an_error_that_names_the_right_one() -> None:
    problem = diagnosed("[connected]\noutput=13\nactivation=linear\n" + ONE)
    assert problem.code == "DK308"
    assert "output=12" in (problem.hint or "")


def test_fewer_than_four_coordinates_are_read_out_of_bounds() -> None:
    assert diagnosed("[detection]\nclasses=2\ncoords=3\nside=1\nnum=2\n", (10, 1, 1)).code == "DK309"


def test_more_than_four_coordinates_are_suspicious() -> None:
    problem = diagnosed("[detection]\nclasses=2\ncoords=5\nside=1\nnum=2\n", (14, 1, 1))
    assert (problem.code, problem.severity) == ("DK311", "warning")
