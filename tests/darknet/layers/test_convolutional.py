"""[convolutional] by hand: sides, strides, groups, defaults, and what Darknet's CPU code gets wrong."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import compiled, diagnosed, output

LINEAR = "[convolutional]\nactivation=linear\n"


def counting(*shape: int) -> np.ndarray:
    return np.arange(1, 1 + np.prod(shape), dtype=np.float32).reshape(shape)


def test_a_kernel_is_not_flipped() -> None:
    got = output(f"{LINEAR}size=3\npad=1", [[[0, 0, 0], [0, 1, 0], [0, 0, 0]]], [[0], list(range(1, 10))])
    assert got[0].tolist() == [[9, 8, 7], [6, 5, 4], [3, 2, 1]]


def test_an_even_kernel_pads_size_over_2_on_each_side() -> None:
    got = output(f"{LINEAR}size=2\npad=1", [[[1, 2], [3, 4]]], [[0], [1, 0, 0, 0]])
    assert got[0].tolist() == [[0, 0, 0], [0, 1, 2], [0, 3, 4]]


def test_pad_is_a_switch_and_beats_padding() -> None:
    assert compiled(f"{LINEAR}size=3\npad=1\npadding=5", (1, 4, 4)).graph.layer_output(0).shape == (1, 4, 4)
    assert compiled(f"{LINEAR}size=3\npadding=2", (1, 4, 4)).graph.layer_output(0).shape == (1, 6, 6)


def test_padding_grows_with_dilation() -> None:
    assert compiled(f"{LINEAR}size=3\npad=1\ndilation=3", (1, 9, 9)).graph.layer_output(0).shape == (1, 9, 9)


def test_dilation_skips_cells() -> None:
    got = output(f"{LINEAR}size=3\npad=1\ndilation=2", counting(1, 3, 3), [[0], list(range(1, 10))])
    assert got[0, 0, 0] == 5 * 1 + 6 * 3 + 8 * 7 + 9 * 9


def test_strides_may_differ_across_and_down() -> None:
    got = output(f"{LINEAR}size=2\nstride_x=2\nstride_y=1", counting(1, 3, 4), [[0], [1, 0, 0, 0]])
    assert got[0].tolist() == [[1, 3], [5, 7]]


def test_a_1x1_kernel_takes_every_second_row_although_the_cpu_code_takes_none() -> None:
    # forward_convolutional_layer skips im2col where size and stride_x are 1, and forgets stride_y
    got = output(f"{LINEAR}stride_x=1\nstride_y=2", counting(1, 4, 2), [[0], [10]])
    assert got[0].tolist() == [[10, 20], [50, 60]]


def test_a_strided_1x1_kernel_skips_cells_in_pjreddies_dialect_too() -> None:
    # pjreddie's forward_convolutional_layer skips im2col where size is 1, whatever the stride
    got = output(f"{LINEAR}stride=2", counting(1, 4, 4), [[0], [10]], "pjreddie")
    assert got[0].tolist() == [[10, 30], [90, 110]]


def test_groups_do_not_see_each_other() -> None:
    got = output(f"{LINEAR}filters=2\ngroups=2", [[[3]], [[5]]], [[1, 2], [10, 100]])
    assert got.ravel().tolist() == [31, 502]


def test_parameters_are_biases_scales_mean_variance_weights() -> None:
    roles = [p.role for p in compiled(f"{LINEAR}batch_normalize=1", (1, 1, 1)).graph.params]
    assert roles == ["biases", "scales", "mean", "variance", "weights"]
    got = output(f"{LINEAR}batch_normalize=1", [[[3]]], [[1], [2], [4], [16], [8]])
    assert got.item() == pytest.approx((3 * 8 - 4) / 4 * 2 + 1, rel=1e-5)


def test_the_default_activation_is_logistic() -> None:
    assert output("[convolutional]", [[[0]]], [[0], [1]]).item() == 0.5


def test_antialiasing_1_blurs_with_a_binomial_and_zeros_outside() -> None:
    got = output(f"{LINEAR}stride=2\nantialiasing=1", np.full((1, 3, 3), 16.0), [[0], [1]])
    assert got[0].tolist() == [[9, 9], [9, 9]]


def test_antialiasing_2_averages_squares() -> None:
    got = output(f"{LINEAR}stride=2\nantialiasing=2", counting(1, 4, 4), [[0], [1]])
    assert got[0].tolist() == [[3.5, 5.5], [11.5, 13.5]]


def test_shared_layers_own_nothing() -> None:
    cfg = f"{LINEAR}filters=2\n{LINEAR}filters=2\nshare_index=0"
    assert [p.layer for p in compiled(cfg, (2, 1, 1)).graph.params] == [0, 0]


@pytest.mark.parametrize(
    ("cfg", "code"),
    [
        (f"{LINEAR}groups=2", "DK305"), (f"{LINEAR}size=9", "DK305"), (f"{LINEAR}padding=1", "DK309"),
        (f"{LINEAR}share_index=3", "DK304"), (f"{LINEAR}share_index=-1", "DK304"),
    ],
)  # fmt: skip
def test_impossible_convolutions_are_errors(cfg: str, code: str) -> None:
    assert diagnosed(cfg).code == code


def test_a_padded_1x1_kernel_needs_a_stride_across() -> None:
    # forward_convolutional_layer skips im2col, and so the padding, where size and stride_x are 1
    got = output(f"{LINEAR}padding=1\nstride=2", counting(1, 2, 2), [[0], [10]])
    assert got[0].tolist() == [[0, 0], [0, 40]]
    assert diagnosed(f"{LINEAR}padding=1\nstride_x=1\nstride_y=2").code == "DK309"
    assert diagnosed(f"{LINEAR}padding=1\nstride=2", dialect="pjreddie").code == "DK309"


def test_a_dilated_even_kernel_is_an_error_only_where_darknet_miscounts_its_windows() -> None:
    even = f"{LINEAR}size=2\npad=1\ndilation=2\n"
    assert diagnosed(even).code == "DK309"
    got = output(f"{even}stride=2", [[[1, 2], [3, 4]]], [[0], [1, 10, 100, 1000]])
    assert got[0].tolist() == [[1000, 100], [10, 1]]


def test_flipped_weights_may_be_grouped_but_not_in_pjreddies_dialect() -> None:
    flipped = f"{LINEAR}flipped=1\nfilters=2\ngroups=2"
    _, weights = compiled(flipped, (4, 1, 1)).check().graph.params
    assert (weights.layout, weights.value.shape) == ("columns", (2, 2, 1, 1))
    assert diagnosed(flipped, dialect="pjreddie").code == "DK309"


def test_the_parameters_of_a_layer_that_shares_are_those_of_its_source() -> None:
    chain = f"{LINEAR}\n{LINEAR}share_index=0\n{LINEAR}share_index=-1"
    assert output(chain, [[[1]]], [[1], [2]]).item() == 15


@pytest.mark.parametrize(("source", "own"), [(1, 0), (0, 1)])
def test_shared_numbers_come_with_the_normalization_of_their_source(source: int, own: int) -> None:
    # fuse_conv_batchnorm folds it into the numbers, and skips the layer that shares
    cfg = f"{LINEAR}batch_normalize={source}\n{LINEAR}share_index=0\nbatch_normalize={own}"
    assert diagnosed(cfg, (1, 1, 1)).code == "DK311"
    normalized = [[1], [2], [4], [16], [8]]  # y = (8 x - 4) / 4 * 2 + 1
    assert output(cfg, [[[1]]], normalized if source else [[1], [4]]).item() == pytest.approx(
        11 if source else 21, rel=1e-5
    )


def test_a_shared_layer_must_exist_and_have_weights() -> None:
    assert diagnosed(f"{LINEAR}\n{LINEAR}share_index=1").code == "DK304"
    assert diagnosed(f"[avgpool]\n{LINEAR}share_index=0").code == "DK305"


@pytest.mark.parametrize("options", ["size=3\nsway=1\nrotate=1", "size=3\nstretch=2", "rotate=1", "stretch_sway=1"])
def test_turned_kernels_that_darknet_refuses_are_errors(options: str) -> None:
    assert diagnosed(LINEAR + options).severity == "error"


def test_a_turned_kernel_is_as_any_other_outside_training() -> None:
    got = output(f"{LINEAR}size=3\npad=1\nstretch_sway=1", [[[2]]], [[0], list(range(9))])
    assert got.item() == 8


def test_any_antialiasing_but_2_is_the_binomial() -> None:
    got = output(f"{LINEAR}stride=2\nantialiasing=3", np.full((1, 3, 3), 16.0), [[0], [1]])
    assert got[0].tolist() == [[9, 9], [9, 9]]


def test_fewer_than_one_group_is_one() -> None:
    assert diagnosed(f"{LINEAR}groups=0").code == "DK203"
    assert output(f"{LINEAR}groups=-2", [[[3]], [[5]]], [[1], [10, 100]]).item() == 531
