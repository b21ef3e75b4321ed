"""The padding of a depthwise convolution of one row or column is made before it."""

from __future__ import annotations

import pytest
from graphs import computes_the_same, graph_of, kinds, numbers

from darknet_py.passes import optimize
from darknet_py.passes.pad_narrow import pad_narrow


@pytest.mark.parametrize("shape", [(4, 1, 1), (4, 1, 5), (4, 5, 1)])
def test_a_row_or_column_is_padded_before_the_convolution(shape: tuple[int, ...]) -> None:
    def body(b, x):  # type: ignore[no-untyped-def]
        return b.op("conv", x, b.const(numbers(4, 1, 3, 3)), pads=(1, 1, 1, 1), groups=4)

    before = graph_of(body, shape)
    after = optimize(before, (pad_narrow,))
    assert kinds(after) == ["pad", "conv"]
    computes_the_same(before, after)


@pytest.mark.parametrize(("shape", "groups"), [((4, 2, 2), 4), ((4, 1, 5), 2), ((4, 1, 5), 1)])
def test_images_and_other_groups_are_left_alone(shape: tuple[int, ...], groups: int) -> None:
    def body(b, x):  # type: ignore[no-untyped-def]
        return b.op("conv", x, b.const(numbers(4, 4 // groups, 3, 3)), pads=(1, 1, 1, 1), groups=groups)

    assert kinds(optimize(graph_of(body, shape), (pad_narrow,))) == ["conv"]
