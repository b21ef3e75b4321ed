"""Groups joined until they fill blocks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from graphs import ROUNDING, computes_the_same, graph_of, numbers

from darknet_py.ir import Graph
from darknet_py.passes import optimize
from darknet_py.passes.widen_groups import join_groups, widen_groups


def grouped(channels: int, filters: int, groups: int) -> Graph:
    def body(b, x):  # type: ignore[no-untyped-def]
        weights = b.const(numbers(filters, channels // groups, 3, 3))
        return b.op("conv", x, weights, b.const(numbers(filters)), groups=groups, pads=(1, 1, 1, 1))

    return graph_of(body, (channels, 5, 4))


def test_two_groups_become_one_with_zeros_where_they_do_not_meet() -> None:
    weights = np.arange(1, 5, dtype=np.float32).reshape(2, 2, 1, 1)
    assert join_groups(weights, 2, 2).reshape(2, 4).tolist() == [[1, 2, 0, 0], [0, 0, 3, 4]]


@pytest.mark.parametrize(
    ("channels", "filters", "groups", "left"),
    [(32, 32, 8, 2), (32, 64, 8, 2), (64, 64, 4, 4), (24, 24, 6, 6), (48, 32, 16, 1), (16, 16, 16, 16)],
    ids=["4 by 4", "4 to 8", "whole already", "never whole", "3 to 2", "depthwise"],
)
def test_groups_fill_blocks_of_sixteen_where_they_can(channels: int, filters: int, groups: int, left: int) -> None:
    before = grouped(channels, filters, groups)
    after = optimize(before, (widen_groups(16),))
    assert after.ops[0].attrs["groups"] == left
    computes_the_same(before, after, ROUNDING)


def test_weights_that_are_not_loaded_are_left_alone() -> None:
    before = grouped(32, 32, 8)
    assert widen_groups(16)(replace(before, data={})).ops == before.ops
