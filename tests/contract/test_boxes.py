"""Boxes go from the network's input back to the picture: letterboxes are undone, pixels may lie outside."""

from __future__ import annotations

import numpy as np
import pytest

from darknet_py.contract.boxes import letterbox_size, to_xyxy, undo_letterbox


@pytest.mark.parametrize(("image", "net", "wanted"), [
    ((100, 200), (50, 50), (25, 50)),  # wide
    ((200, 100), (50, 50), (50, 25)),  # tall
    ((100, 200), (50, 100), (50, 100)),  # the same shape
    ((333, 500), (416, 416), (277, 416)),  # the division cuts off
    ((1, 5000), (32, 32), (1, 32)),  # never nothing
])  # fmt: skip
def test_a_letterboxed_image_keeps_its_shape(
    image: tuple[int, int], net: tuple[int, int], wanted: tuple[int, int]
) -> None:
    assert letterbox_size(image, net) == wanted


def test_undoing_a_letterbox_takes_the_border_away() -> None:
    whole = np.float32([[0.5, 0.5, 1, 0.5], [0, 0.25, 1, 0.25]])
    got = undo_letterbox(whole, (100, 200), (50, 50))
    np.testing.assert_allclose(got, [[0.5, 0.5, 1, 1], [0, 0, 1, 0.5]], atol=1e-6)


def test_an_odd_border_is_halved_exactly_though_the_image_lies_on_a_pixel() -> None:
    # yolo_layer.c halves 25 to 12.5, image.c pastes at 12
    got = undo_letterbox(np.float32([[0.5, 12 / 50, 1, 1]]), (100, 200), (50, 50))
    np.testing.assert_allclose(got[0, 1], -0.5 / 25, atol=1e-6)


def test_pixels_may_lie_outside_the_image() -> None:
    assert to_xyxy(np.float32([[0, 0.5, 1, 2]]), (10, 100)).tolist() == [[-50, -5, 50, 15]]
