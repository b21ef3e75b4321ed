"""The pools of a spatial pyramid computed from one another."""

from __future__ import annotations

import pytest
from graphs import computes_the_same, graph_of, kinds

from darknet_py.ir import Graph, Value
from darknet_py.ir.builder import Builder
from darknet_py.passes import optimize
from darknet_py.passes.cascade_pools import cascade_pools


def pool(b: Builder, x: Value, size: int, stride: int = 1, before: int | None = None) -> Value:
    half = size // 2 if before is None else before
    return b.op("max_pool", x, kernel=(size,) * 2, strides=(stride,) * 2, pads=(half, half, size // 2, size // 2))


def pyramid(*sizes: int, side: int = 11) -> Graph:
    return graph_of(lambda b, x: b.concat([*(pool(b, x, n) for n in sizes), x]), (2, side, side))


@pytest.mark.parametrize("sizes", [(5, 9, 13), (13, 9, 5), (9, 5, 13)])
@pytest.mark.parametrize("side", [3, 7, 19])
def test_five_nine_and_thirteen_are_three_fives(sizes: tuple[int, ...], side: int) -> None:
    before = pyramid(*sizes, side=side)
    after = optimize(before, (cascade_pools,))
    pools = [op for op in after.ops if op.kind == "max_pool"]
    assert [op.attrs["kernel"] for op in pools] == [(5, 5)] * 3
    assert [op.attrs["pads"] for op in pools] == [(2,) * 4] * 3
    assert sum(op.inputs[0] is before.image for op in pools) == 1
    computes_the_same(before, after)


def test_pools_of_one_size_do_not_read_one_another() -> None:
    before = pyramid(3, 3, 5)
    after = optimize(before, (cascade_pools,))
    assert sum(op.inputs[0] is before.image for op in after.ops[:-1]) == 2
    computes_the_same(before, after)


def test_strides_and_uneven_padding_are_left_alone() -> None:
    before = graph_of(lambda b, x: [pool(b, x, 3), pool(b, x, 5, stride=2), pool(b, x, 5, before=1)], (2, 9, 9))
    after = optimize(before, (cascade_pools,))
    assert [op.attrs for op in after.ops] == [op.attrs for op in before.ops]
    assert kinds(after) == kinds(before)
