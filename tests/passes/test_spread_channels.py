"""One number for each channel, spread before it meets an image."""

from __future__ import annotations

import pytest
from graphs import computes_the_same, graph_of, kinds, numbers

from darknet_py.passes import optimize
from darknet_py.passes.spread_channels import spread_channels


@pytest.mark.parametrize("kind", ["add", "mul", "sub"])
@pytest.mark.parametrize("first", [False, True])
def test_a_number_for_each_channel_is_spread_over_the_image(kind: str, first: bool) -> None:
    def body(b, x):  # type: ignore[no-untyped-def]
        mean = b.op("reduce_mean", x, axes=(1, 2))
        return b.op(kind, mean, x) if first else b.op(kind, x, mean)

    before = graph_of(body, (4, 3, 5))
    after = optimize(before, (spread_channels,))
    assert kinds(after) == ["reduce_mean", "upsample", kind]
    assert after.ops[1].attrs == {"scale": (3, 5)}
    computes_the_same(before, after)


def test_constants_numbers_and_equal_shapes_are_left_alone() -> None:
    def body(b, x):  # type: ignore[no-untyped-def]
        return b.mul(b.add(b.mul(x, b.const(numbers(4, 1, 1))), 2.0), x)

    before = graph_of(body, (4, 3, 5))
    assert kinds(optimize(before, (spread_channels,))) == kinds(before)


def test_two_numbers_for_each_channel_meet_as_they_are() -> None:
    def body(b, x):  # type: ignore[no-untyped-def]
        mean = b.op("reduce_mean", x, axes=(1, 2))
        return b.mul(mean, mean)

    before = graph_of(body, (4, 3, 5))
    assert kinds(optimize(before, (spread_channels,))) == kinds(before)
