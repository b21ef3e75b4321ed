"""[upsample], [reorg] and [reorg3d]: pixels repeated, and the permutations that Darknet's loops make."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import compiled, counting, diagnosed, output

Shape = tuple[int, int, int]


def reorg_cpu(x: np.ndarray, packed: Shape, out: Shape, s: int, forward: int) -> np.ndarray:
    """The meaning of blas.c's loop, index by index: `packed` cells against a spread image, both flat memory."""
    c, h, w = packed
    inner = c // (s * s)
    source, result = x.ravel(), np.zeros(int(np.prod(out)), np.float32)
    for k, j, i in np.ndindex(c, h, w):
        offset, plane = divmod(k, inner)
        here = i + w * (j + h * k)
        there = i * s + offset % s + w * s * (j * s + offset // s + h * s * plane)
        if forward:
            result[there] = source[here]
        else:
            result[here] = source[there]
    return result.reshape(out)


def test_upsampling_repeats_pixels() -> None:
    got = output("[upsample]", [[[1, 2]]])
    assert got.tolist() == [[[1, 1, 2, 2], [1, 1, 2, 2]]]


def test_scale_multiplies() -> None:
    assert output("[upsample]\nstride=1\nscale=.5", [[[4]]]).tolist() == [[[2]]]


def test_a_negative_stride_sums_squares() -> None:
    assert output("[upsample]\nstride=-2", counting(1, 2, 4)).tolist() == [[[10, 18]]]
    assert output("[upsample]\nstride=-2\nscale=0.25", counting(1, 2, 4)).tolist() == [[[2.5, 4.5]]]


def test_odd_sizes_are_read_as_a_smaller_image_in_memory() -> None:
    # upsample_cpu knows only the size of the result: 3x3 numbers are read as 2x2, row after row
    assert output("[upsample]\nstride=-2", counting(1, 3, 3)).tolist() == [[[0 + 1 + 2 + 3]]]


def test_impossible_strides_are_errors() -> None:
    assert diagnosed("[upsample]\nstride=0").code == "DK204"
    assert diagnosed("[upsample]\nstride=-5").code == "DK305"


def test_reorg3d_stacks_offsets_row_by_row() -> None:
    got = output("[reorg3d]\nstride=2", [[[0, 1], [2, 3]], [[4, 5], [6, 7]]])
    assert got.ravel().tolist() == [0, 4, 1, 5, 2, 6, 3, 7]


def test_reorg3d_of_odd_sizes_reads_a_smaller_image_in_memory() -> None:
    assert output("[reorg3d]\nstride=2", counting(1, 3, 3)).ravel().tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("shape", [(4, 2, 2), (8, 4, 6), (6, 4, 4), (5, 2, 4), (7, 6, 2), (16, 2, 2)])
def test_reorg_is_the_historical_permutation(shape: Shape) -> None:
    c, h, w = shape
    x = counting(c, h, w)
    wanted = reorg_cpu(x, shape, (4 * c, h // 2, w // 2), 2, 0)
    assert np.array_equal(output("[reorg]\nstride=2", x), wanted)


@pytest.mark.parametrize("shape", [(4, 2, 2), (16, 3, 5), (17, 2, 2)])
def test_reverse_is_the_other_way_round(shape: Shape) -> None:
    c, h, w = shape
    x = counting(c, h, w)
    wanted = reorg_cpu(x, shape, (c // 4, h * 2, w * 2), 2, 1)
    assert np.array_equal(output("[reorg]\nstride=2\nreverse=1", x), wanted)


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 5, 7), (4, 6, 9)])
def test_reorg3d_has_the_loop_of_darknet(shape: Shape) -> None:
    c, h, w = shape
    out = (9 * c, h // 3, w // 3)
    x = counting(c, h, w)
    assert np.array_equal(output("[reorg3d]\nstride=3", x), reorg_cpu(x, out, out, 3, 0))


@pytest.mark.parametrize("shape", [(16, 2, 3), (32, 1, 1), (20, 2, 2), (24, 2, 2)])
def test_reorg3d_reversed_has_the_loop_of_darknet(shape: Shape) -> None:
    c, h, w = shape
    out = (c // 4, 2 * h, 2 * w)
    x = counting(c, h, w) + 1
    assert np.array_equal(output("[reorg3d]\nstride=2\nreverse=1", x), reorg_cpu(x, out, out, 2, 1))


def test_channels_that_get_mixed_are_a_warning() -> None:
    problem = diagnosed("[reorg]\nstride=2", (6, 4, 4))
    assert (problem.code, problem.severity) == ("DK311", "warning")


@pytest.mark.parametrize(
    ("cfg", "shape", "code"),
    [
        ("[reorg]\nstride=2", (3, 4, 4), "DK305"),  # division by 0
        ("[reorg]\nstride=2\nreverse=1", (3, 4, 4), "DK305"),
        ("[reorg]\nstride=2", (4, 5, 4), "DK309"),
        ("[reorg]\nstride=2", (4, 4, 5), "DK309"),
        ("[reorg]\nstride=2\nreverse=1", (6, 4, 4), "DK309"),
        ("[reorg]\nstride=8", (64, 4, 4), "DK305"),
        ("[reorg]\nstride=0", (4, 4, 4), "DK204"),
        ("[reorg3d]\nstride=8", (4, 4, 4), "DK305"),
        ("[reorg3d]\nstride=2\nreverse=1", (8, 4, 4), "DK305"),  # 2 channels are left, and divided by 4
    ],
)
def test_what_darknet_crashes_on_is_an_error(cfg: str, shape: Shape, code: str) -> None:
    assert compiled(cfg, shape).errors[0].code == code


def test_stride_1_changes_nothing() -> None:
    x = counting(3, 2, 2)
    assert np.array_equal(output("[reorg]", x), x)
    assert np.array_equal(output("[reorg3d]", x), x)


def test_regular_reorgs_are_one_transposition() -> None:
    kinds = [op.kind for op in compiled("[reorg]\nstride=2\n[reorg3d]\nstride=2", (8, 8, 8)).graph.ops]
    assert kinds == ["reshape", "transpose", "reshape"] * 2


def test_pjreddie_flattens_to_channels_last() -> None:
    x = counting(2, 2, 2)
    got = output("[reorg]\nstride=2\nflatten=1", x, dialect="pjreddie")
    assert got.shape == (8, 1, 1)
    assert got.ravel().tolist() == [0, 4, 1, 5, 2, 6, 3, 7]
    back = output("[reorg]\nstride=1\nflatten=1\nreverse=1", x, dialect="pjreddie")
    assert back.ravel().tolist() == [0, 2, 4, 6, 1, 3, 5, 7]


def test_pjreddie_appends_extra_zeros() -> None:
    assert output("[reorg]\nextra=2", [[[1, 2]]], dialect="pjreddie").tolist() == [1, 2, 0, 0]


@pytest.mark.parametrize("options", ["extra=1\nflatten=1", "stride=2\nflatten=1"])
def test_pjreddies_overruns_are_errors(options: str) -> None:
    assert diagnosed(f"[reorg]\n{options}", (4, 5, 5), "pjreddie").code == "DK309"


def test_pjreddie_reorganizes_as_alexeyab_does() -> None:
    x = counting(4, 2, 2)
    assert np.array_equal(output("[reorg]\nstride=2", x, dialect="pjreddie"), output("[reorg]\nstride=2", x))


def test_pytorch_takes_the_lower_pixel_second() -> None:
    got = output("[reorg]", [[[0, 1], [2, 3]], [[4, 5], [6, 7]]], dialect="pytorch")
    assert got.ravel().tolist() == [0, 4, 2, 6, 1, 5, 3, 7]
    assert diagnosed("[reorg]", (1, 3, 4), "pytorch").code == "DK305"
