"""[maxpool], [local_avgpool] and [avgpool]: windows, padding and Maxout, against answers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import compiled, counting, diagnosed, output

LOWEST = np.finfo(np.float32).min
GRID = [[[1, 2, 3], [4, 5, 6], [7, 8, 9]]]


def test_default_padding_of_an_even_window_goes_right_and_below() -> None:
    assert output("[maxpool]\nsize=2\nstride=1", GRID).tolist() == [[[5, 6, 6], [8, 9, 9], [8, 9, 9]]]


def test_default_padding_of_an_odd_window_is_symmetric() -> None:
    assert output("[maxpool]\nsize=3\nstride=1", GRID).tolist() == [[[5, 6, 6], [8, 9, 9], [8, 9, 9]]]


def test_odd_total_padding_begins_with_the_smaller_half() -> None:
    rows = np.array([[[-9, -8, -7, -6]] * 3])
    got = output("[maxpool]\nsize=3\nstride=1\npadding=3", rows)
    assert got.tolist() == [[[-8, -7, -6, -6, -6]] * 4]


def test_padding_is_the_total_of_both_sides() -> None:
    assert output("[maxpool]\nsize=3\nstride=1\npadding=1", GRID).tolist() == [[[9, 9], [9, 9]]]


def test_outside_never_wins() -> None:
    assert output("[maxpool]\nsize=3\nstride=3", [[[-5]]]).tolist() == [[[-5]]]


def test_a_window_wholly_outside_gives_the_lowest_number() -> None:
    got = output("[maxpool]\nsize=1\nstride=1\npadding=2", [[[7]]])
    assert got.tolist() == [[[LOWEST] * 3, [LOWEST, 7, LOWEST], [LOWEST] * 3]]


def test_size_defaults_to_stride() -> None:
    assert output("[max]\nstride=2", counting(1, 4, 4)).tolist() == [[[5, 7], [13, 15]]]


def test_strides_may_differ() -> None:
    got = output("[maxpool]\nsize=2\nstride_x=2\nstride_y=1", counting(1, 3, 4))
    assert got.tolist() == [[[5, 7], [9, 11], [9, 11]]]


def test_division_truncates_so_a_window_may_hang_over() -> None:
    assert output("[maxpool]\nsize=3\nstride=2\npadding=0", [[[1, 2], [3, 4]]]).tolist() == [[[4]]]


def test_a_window_that_does_not_fit_is_an_error() -> None:
    problem = diagnosed("[maxpool]\nsize=9\nstride=1\npadding=0")
    assert (problem.code, problem.severity) == ("DK305", "error")
    assert "a window of 9 does not fit into 4 + 0" in problem.message


def test_no_padding_is_emitted_where_no_window_needs_any() -> None:
    (op,) = compiled("[maxpool]\nsize=2\nstride=2", (1, 4, 6)).graph.ops
    assert op.attrs["pads"] == (0, 0, 0, 0)


def test_maxout_takes_strided_groups_not_blocks() -> None:
    x = np.array([1, 8, 3, 6, 5, 4, 7, 2]).reshape(8, 1, 1)
    assert output("[maxpool]\nmaxpool_depth=1\nout_channels=2", x).ravel().tolist() == [7, 8]


def test_maxout_with_a_rest_gives_it_to_the_first_channels() -> None:
    x = np.array([1, 5, 3, 4, 2, 0, 9, 1]).reshape(8, 1, 1)
    assert output("[maxpool]\nmaxpool_depth=1\nout_channels=3", x).ravel().tolist() == [9, 5, 3]


@pytest.mark.parametrize(
    ("channels", "kinds"),
    [
        (2, []),
        (4, ["slice", "slice", "maximum"]),
        (6, ["slice", "slice", "maximum", "slice", "maximum"]),
        (8, ["slice", "slice", "maximum"] * 2),
        (64, ["slice", "slice", "maximum"] * 5),
    ],
)
def test_maxout_is_maxima_of_slices_and_few_where_there_are_many_channels(channels: int, kinds: list[str]) -> None:
    ops = compiled("[maxout]\nout_channels=2", (channels, 2, 3)).check().graph.ops
    assert [op.kind for op in ops] == kinds


@pytest.mark.parametrize("channels", range(1, 24))
@pytest.mark.parametrize("out", [1, 2, 3])
def test_channel_k_of_maxout_is_the_largest_of_k_and_every_nth_after(channels: int, out: int) -> None:
    if channels < out:
        return
    x = np.random.default_rng(channels).permutation(channels).reshape(channels, 1, 1)
    wanted = [x[k::out].max() for k in range(out)]
    assert output(f"[maxout]\nout_channels={out}", x).ravel().tolist() == wanted


def test_maxout_keeps_places_apart_and_ignores_windows() -> None:
    x = np.array([[[1, 2], [3, 4]], [[4, 3], [2, 1]]])
    got = output("[maxpool]\nmaxpool_depth=1\nsize=2\nstride=2", x)
    assert got.tolist() == [[[4, 3], [3, 4]]]


@pytest.mark.parametrize("dialect", ["alexeyab", "pjreddie", "pytorch"])
@pytest.mark.parametrize("key", ["out_channels", "groups"])
def test_the_section_maxout_is_known_everywhere(dialect: str, key: str) -> None:
    x = np.array([1, 8, 3, 6]).reshape(4, 1, 1)
    assert output(f"[maxout]\n{key}=2", x, dialect=dialect).ravel().tolist() == [3, 8]


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ("", "DK209", "out_channels"),
        ("out_channels=2\ngroups=4", "DK210", "name the same thing"),
        ("out_channels=5", "DK305", "more than the 4 channels"),
        ("groups=0", "DK204", "at least 1"),
    ],
)
def test_impossible_maxouts_are_errors(options: str, code: str, text: str) -> None:
    problems = compiled(f"[maxout]\n{options}", (4, 2, 2)).errors
    assert (problems[0].code, text in problems[0].message) == (code, True)


def test_maxout_cannot_be_blurred() -> None:
    assert diagnosed("[maxpool]\nmaxpool_depth=1\nantialiasing=1").code == "DK309"


def test_antialiasing_pools_at_stride_1_and_blurs_at_the_stride() -> None:
    x = np.zeros((1, 4, 4))
    x[0, 1, 1] = 16
    # pooled 2x2 / 1: rows 0 and 1, columns 0 and 1 are 16; blurred at (0, 0): (4 + 2 + 2 + 1) / 16 of it
    assert output("[maxpool]\nsize=2\nstride=2\nantialiasing=1", x)[0].tolist() == [[9, 3], [3, 1]]
    assert output("[maxpool]\nsize=2\nstride=2\nantialiasing=2", x)[0].tolist() == [[16, 0], [0, 0]]


def test_local_avgpool_divides_by_what_is_inside() -> None:
    assert output("[local_avgpool]\nsize=2\nstride=2", GRID).tolist() == [[[3, 4.5], [7.5, 9]]]


def test_an_average_of_nothing_is_an_error() -> None:
    problem = diagnosed("[local_avg]\nsize=1\nstride=1\npadding=2")
    assert (problem.code, problem.span and problem.span.line) == ("DK309", 8)


def test_avgpool_is_the_mean_of_a_channel() -> None:
    assert output("[avgpool]", counting(2, 2, 2)).tolist() == [[[1.5]], [[5.5]]]


def test_pytorch_pads_half_on_each_side() -> None:
    assert output("[maxpool]\nsize=2\nstride=2", GRID, dialect="pytorch").tolist() == [[[5]]]
    assert output("[maxpool]\nsize=3\nstride=2", GRID, dialect="pytorch").tolist() == [[[5, 6], [8, 9]]]


def test_pytorch_pads_2x2_at_stride_1_with_zeros() -> None:
    got = output("[maxpool]\nsize=2\nstride=1", [[[-4, -3], [-2, -1]]], dialect="pytorch")
    assert got.tolist() == [[[-1, 0], [0, 0]]]


def test_pytorch_averages_count_the_zeros_outside() -> None:
    got = output("[local_avgpool]\nsize=3\nstride=3", [[[9, 9], [9, 18]]], dialect="pytorch")
    assert got.tolist() == [[[5]]]


def test_pjreddie_pools_as_alexeyab_does() -> None:
    assert output("[maxpool]\nsize=3\nstride=2", GRID, dialect="pjreddie").tolist() == [[[5, 6], [8, 9]]]


def test_only_images_can_be_pooled() -> None:
    assert compiled("[maxpool]", (1, 2, 2)).errors == ()
    flat = "[reorg]\nextra=1\n"
    assert diagnosed(flat + "[maxpool]", dialect="pjreddie").code == "DK307"
    assert diagnosed(flat + "[avgpool]", dialect="pjreddie").code == "DK307"
    assert diagnosed(flat + "[maxout]\ngroups=1", dialect="pjreddie").code == "DK307"


def test_maxpool_depth_gives_the_lowest_number_to_channels_without_any() -> None:
    got = output("[maxpool]\nmaxpool_depth=1\nout_channels=3", [[[1]], [[-2]]])
    assert got.ravel().tolist() == [1, -2, np.finfo(np.float32).min]
