"""Memory access cost against answers worked out by hand, and against every other split of the same arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from darknet_py.analysis.access import Access, memory_access
from darknet_py.analysis.cost import cost
from darknet_py.darknet.compile import compile_cfg
from darknet_py.ir import Op


def conv(channels: int, filters: int, size: int = 1, stride: int = 1, groups: int = 1, side: int = 8) -> Op:
    """A padded convolution of a map of side x side."""
    net = f"[net]\nwidth={side}\nheight={side}\nchannels={channels}\n[convolutional]\npad=1\nactivation=linear\n"
    options = f"filters={filters}\nsize={size}\nstride={stride}\ngroups={groups}"
    return compile_cfg(net + options).check().graph.ops[0]


def test_equal_channels_in_a_1x1_convolution_reach_the_bound() -> None:
    # h w (c1 + c2) + c1 c2, and 2 sqrt(h w B) + B / (h w) with B = h w c1 c2
    assert memory_access(conv(16, 16)) == Access(64 * 32 + 256, 2 * 64 * 16 + 256)


def test_a_bottleneck_is_above_the_bound() -> None:
    # 64 (4 + 64) + 256, and 2 sqrt(64 * 16384) + 256
    assert memory_access(conv(4, 64)) == Access(64 * 68 + 256, 2048 + 256)


def test_groups_divide_the_weights_alone() -> None:
    assert memory_access(conv(16, 16, groups=4)) == Access(64 * 32 + 64, 64 * 32 + 64)


def test_a_kernel_has_all_its_taps_for_weights_and_reads_its_input_once() -> None:
    assert memory_access(conv(16, 16, 3)) == Access(64 * 32 + 9 * 256, 64 * 32 + 9 * 256)


def test_a_stride_of_2_is_at_the_bound_with_four_times_as_many_channels_after_it() -> None:
    assert memory_access(conv(4, 16, 3, stride=2)) == Access(2 * 256 + 9 * 64, 2 * 256 + 9 * 64)
    moved = memory_access(conv(8, 8, 3, stride=2))  # 64 * 8 + 16 * 8 = 640 instead of 512
    assert (moved.moved, moved.least) == (640 + 576, 512 + 576)


def test_a_bound_between_two_numbers_is_rounded_up() -> None:
    assert memory_access(conv(1, 2, side=1)) == Access(1 + 2 + 2, 3 + 2)  # 2 sqrt(2) = 2.83


def test_a_connected_layer_is_a_convolution_of_one_pixel() -> None:
    net = "[net]\nwidth=2\nheight=2\nchannels=3\n[connected]\noutput=12\nactivation=linear"
    total = cost(compile_cfg(net).check().graph)
    assert (total.access, total.access_bound) == (12 + 12 + 144, 24 + 144)


def test_what_has_no_weights_is_not_counted() -> None:
    net = "[net]\nwidth=8\nheight=8\nchannels=3\n[maxpool]\nsize=2\nstride=2\n[upsample]\n[shortcut]\nfrom=-1\n"
    total = cost(compile_cfg(net).check().graph)
    assert (total.access, total.access_bound) == (0, 0)
    assert "at least" not in total.text()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    st.integers(0, 5),
    st.integers(0, 5),
    st.sampled_from([1, 3, 5]),
    st.sampled_from([1, 2]),
    st.sampled_from([1, 2, 4]),
)
def test_no_other_split_of_the_same_arithmetic_goes_below_the_bound(
    a: int, b: int, size: int, stride: int, groups: int
) -> None:
    """Of all channels with the same product the bound is that of each, and none moves less."""
    least = set()
    for c1 in (1 << i for i in range(a + b + 1)):
        c1, c2 = 4 * c1, 4 * ((1 << (a + b)) * 4 // (4 * c1))
        if c2 % groups:
            continue
        op = conv(c1, c2, size, stride, groups)
        access = memory_access(op)
        assert access.moved >= access.least
        least.add((op.macs, access.least))
    assert len(least) == 1


@pytest.mark.parametrize("layers", ["[deconvolutional]\nfilters=3\nsize=2\nstride=2\nactivation=linear"])
def test_a_transposed_convolution_counts_as_the_convolution_that_it_turns_round(layers: str) -> None:
    graph = compile_cfg(f"[net]\nwidth=4\nheight=4\nchannels=3\n{layers}").check().graph
    (op,) = [op for op in graph.ops if op.kind == "conv_transpose"]
    assert memory_access(op) == Access(48 + 192 + 36, 2 * 96 + 36)
