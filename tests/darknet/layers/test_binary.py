"""Convolutions with xnor=1 and bin_output=1: signs for weights and inputs, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from tiny import compiled, diagnosed, output

XNOR = "[convolutional]\nxnor=1\nactivation=linear\n"


def test_signs_times_the_mean_magnitude_of_the_filter() -> None:
    got = output(XNOR, [[[5]], [[-0.1]], [[0]]], [[100], [1, 2, -6]])
    # signs of the input + - -, of the weights + + -, mean magnitude 3
    assert got.item() == 100 + 3 * (1 - 1 + 1)


def test_padding_counts_as_minus_one() -> None:
    got = output(XNOR + "size=3\npad=1", [[[1]]], [[0], np.ones(9)])
    assert got.item() == 1 - 8


def test_stride_two_on_three_channels_although_the_cpu_code_gives_up() -> None:
    signs = np.where(np.arange(48) % 5 < 2, 1.0, -1.0).reshape(3, 4, 4)
    padded = np.pad(signs, ((0, 0), (1, 1), (1, 1)), constant_values=-1)
    wanted = [[padded[:, i : i + 3, j : j + 3].sum() * 0.5 for j in (0, 2)] for i in (0, 2)]
    got = output(XNOR + "size=3\nstride=2\npad=1", signs * 7, [[0], np.full(27, 0.5)])
    assert got.tolist() == [pytest.approx(np.array(wanted))]


def test_batch_normalization_is_folded_before_the_signs_are_taken() -> None:
    weights = [[1], [-4], [10], [4], [3]]  # biases, scales, mean, variance, weights
    got = output(XNOR + "batch_normalize=1", [[[9]]], weights)
    # the folded weight is 3 * -4 / 2 = -6, the folded bias 1 - 10 * -4 / 2 = 21
    assert got.item() == pytest.approx(21 - 6, rel=1e-5)


def test_pjreddie_folds_later_and_pads_with_zeros() -> None:
    got = output(XNOR + "batch_normalize=1", [[[9]]], [[1], [-4], [10], [4], [3]], "pjreddie")
    assert got.item() == pytest.approx((3 - 10) / 2 * -4 + 1, rel=1e-5)
    assert output(XNOR + "size=3\npad=1", [[[1]]], [[0], np.ones(9)], "pjreddie").item() == 1


def test_bin_output_takes_the_activation_off() -> None:
    cfg = "[convolutional]\nxnor=1\nbin_output=1\nactivation=relu"
    assert output(cfg, [[[-1]]], [[0], [2]]).item() == -2
    assert output("[convolutional]\nbin_output=1\nactivation=relu", [[[-1]]], [[0], [2]]).item() == 0


def test_unequal_strides_leave_numbers_as_they_are() -> None:
    compilation = compiled(XNOR + "stride_x=1\nstride_y=2", (1, 2, 2))
    assert [d.code for d in compilation.diagnostics] == ["DK312"]
    got = output(XNOR + "stride_x=1\nstride_y=2", [[[3, 4], [5, 6]]], [[0], [2]])
    assert got.tolist() == [[[6, 8]]]


def test_what_the_bits_cannot_hold_is_an_error() -> None:
    assert diagnosed(XNOR + "antialiasing=1\nsize=3\npad=1").code == "DK309"
    assert diagnosed(XNOR + "size=3\npad=1\ndilation=2", (1, 8, 8)).code == "DK312"


@pytest.mark.parametrize(
    ("reader", "answer"), [("[route]\nlayers=0", -0.2), ("[shortcut]\nfrom=0", -0.4), ("[sam]\nfrom=0", 0.04)]
)
def test_bin_output_has_no_effect_on_what_is_read_as_numbers(reader: str, answer: float) -> None:
    # parser.c withdraws it, as from layer 8 of yolov3-tiny_xnor.cfg
    cfg = f"[convolutional]\nxnor=1\nbin_output=1\nactivation=leaky\n[avgpool]\n{reader}"
    assert output(cfg, [[[-1]]], [[0], [2]]).item() == pytest.approx(answer)


def test_groups_are_one_where_weights_are_bits_and_stay_in_pjreddies_dialect() -> None:
    # make_convolutional_layer sets them before it counts the weights
    assert diagnosed(XNOR + "groups=2", (2, 1, 1)).code == "DK312"
    assert output(XNOR + "groups=2", [[[5]], [[-1]]], [[0], [1, -3]]).item() == 4
    (_, weights) = compiled(XNOR + "groups=2\nfilters=2", (2, 1, 1), "pjreddie").check().graph.params
    assert weights.value.shape == (2, 1, 1, 1)


def test_bits_of_a_1x1_kernel_may_be_padded_and_an_even_one_dilated_in_vain() -> None:
    # the packed path calls im2col_cpu for every size, and without dilation
    assert output(XNOR + "padding=1", [[[5]]], [[0], [2]])[0].tolist() == [[-2, -2, -2], [-2, 2, -2], [-2, -2, -2]]
    assert diagnosed(XNOR + "size=2\npad=1\ndilation=2").code == "DK312"
