"""Costs against answers worked out by hand."""

from __future__ import annotations

import pytest

from darknet_py.analysis.cost import NetworkCost, cost
from darknet_py.darknet.compile import compile_cfg

NET = "[net]\nwidth=8\nheight=8\nchannels=3\n"
CONV = "[convolutional]\nbatch_normalize=1\nfilters=4\nsize=3\npad=1\nactivation=leaky\n"


def of(text: str) -> NetworkCost:
    return cost(compile_cfg(NET + text).check().graph)


def test_a_convolution_has_weights_a_bias_and_three_vectors_of_normalization() -> None:
    total = of(CONV)
    assert total.params_conv == 4 * 3 * 9
    assert total.params_file == 4 * 3 * 9 + 4 * 4
    assert total.params_trained == 4 * 3 * 9 + 2 * 4


def test_a_convolution_costs_two_operations_per_multiply_accumulate() -> None:
    total = of(CONV)
    assert total.macs == 8 * 8 * 4 * 3 * 9
    assert total.bflops_paper * 1e9 == pytest.approx(2 * total.macs)


def test_groups_divide_the_cost() -> None:
    first, second = of(CONV + CONV), of(CONV + CONV.replace("size", "groups=2\nsize"))
    assert second.layers[1].params_conv * 2 == first.layers[1].params_conv
    assert second.layers[1].macs * 2 == first.layers[1].macs


def test_a_max_pool_costs_its_window_for_each_output() -> None:
    assert of("[maxpool]\nsize=2\nstride=2").bflops_paper * 1e9 == pytest.approx(2 * 2 * 3 * 4 * 4)


def test_a_maxout_costs_an_operation_for_each_input() -> None:
    total = of(CONV + "[maxout]\nout_channels=2")
    assert total.layers[1].bflops_paper * 1e9 == pytest.approx(4 * 8 * 8)
    assert of(CONV + "[maxpool]\nsize=1\nstride=1\nmaxpool_depth=1\nout_channels=2").bflops_paper == total.bflops_paper


def test_shortcuts_are_free_in_the_paper_and_not_in_darknet_today() -> None:
    total = of(CONV + CONV + "[shortcut]\nfrom=-2\nactivation=linear")
    assert total.layers[2].bflops_paper == 0
    assert total.layers[2].bflops_darknet * 1e9 == pytest.approx(4 * 8 * 8)


def test_cio_is_what_convolutions_and_pools_read_and_write() -> None:
    total = of(CONV + "[maxpool]\nsize=2\nstride=2\n[shortcut]\nfrom=-1\nactivation=linear\n[avgpool]")
    assert [c.cio for c in total.layers] == [192 + 256, 256 + 64, 0, 64 + 4]
    assert total.cio == 836


def test_the_memory_of_weights_is_four_bytes_a_parameter() -> None:
    assert of(CONV).weights_bytes == 4 * (4 * 3 * 9 + 4 * 4)


def test_a_route_of_one_layer_needs_no_memory() -> None:
    total = of(CONV + "[route]\nlayers=-1")
    assert [c.output for c in total.layers] == [256, 0]
    assert total.activation_bytes == 4 * 256


def test_the_peak_is_where_a_shortcut_still_needs_what_came_before() -> None:
    total = of(CONV + CONV + "[shortcut]\nfrom=-2\nactivation=linear")
    assert (total.peak_bytes, total.peak_layer) == (4 * 3 * 256, "2_shortcut")


def test_an_output_that_nobody_reads_again_is_dropped() -> None:
    total = of(CONV + CONV + CONV)
    assert (total.peak_bytes, total.peak_layer) == (4 * 2 * 256, "1_convolutional")


def test_a_head_is_kept_to_the_end() -> None:
    yolo = (
        "[convolutional]\nfilters=18\nactivation=linear\n[yolo]\nmask=0,1,2\nanchors=1,1, 2,2, 3,3\nclasses=1\nnum=3\n"
    )
    total = of(yolo + "[route]\nlayers=0\n" + CONV + yolo)
    assert total.peak_bytes == 4 * 64 * (18 + 18 + 18)  # the first head, the second convolution, the second head
    assert total.peak_layer == "5_yolo"
