"""Maxout as the maximum of slices."""

from __future__ import annotations

import numpy as np
from agree import network
from graphs import computes_the_same, graph_of, kinds

from darknet_py.backends.session import open_session
from darknet_py.ir import Graph
from darknet_py.passes import maxout_of_slices, optimize


def maxout(channels: int, out: int) -> Graph:
    text = f"[net]\nwidth=3\nheight=2\nchannels={channels}\n[maxpool]\nmaxpool_depth=1\nout_channels={out}\n"
    return network(text)


def test_three_rounds_are_two_maxima_of_three_slices() -> None:
    before = maxout(6, 2)
    after = optimize(before, (maxout_of_slices,))
    assert kinds(before) == ["reshape", "reduce_max", "reshape"]
    assert kinds(after) == ["slice", "slice", "slice", "maximum", "maximum"]
    assert [op.attrs["starts"] for op in after.ops[:3]] == [(0,), (2,), (4,)]
    computes_the_same(before, after)


def test_channel_k_is_the_largest_of_k_and_every_nth_after() -> None:
    after = optimize(maxout(4, 2), (maxout_of_slices,))
    x = np.arange(4, dtype=np.float32).reshape(1, 4, 1, 1) * np.ones((1, 4, 2, 3), np.float32)
    x[0, 0] = 9
    assert open_session(after, "numpy").run([x])[0][0, :, 0, 0].tolist() == [9, 3]


def test_channels_that_do_not_fill_a_round_stay_as_they_are() -> None:
    before = maxout(7, 3)
    computes_the_same(before, optimize(before, (maxout_of_slices,)))


def test_a_table_that_something_else_reads_is_left_alone() -> None:
    def body(b, x):  # type: ignore[no-untyped-def]
        table = b.reshape(x, 2, 6, 3)
        return [b.reshape(b.op("reduce_max", table, axes=(0,)), 2, 3, 3), table]

    before = graph_of(body, (4, 3, 3))
    assert kinds(optimize(before, (maxout_of_slices,))) == kinds(before)


def test_other_maxima_are_left_alone() -> None:
    def body(b, x):  # type: ignore[no-untyped-def]
        return b.reshape(b.op("reduce_max", b.reshape(x, 4, 3, 3), axes=(1,)), 4, 1, 3)

    before = graph_of(body, (2, 6, 3))
    assert kinds(optimize(before, (maxout_of_slices,))) == kinds(before)
