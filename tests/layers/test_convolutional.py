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
