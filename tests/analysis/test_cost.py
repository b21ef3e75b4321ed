"""Costs against answers worked out by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def test_each_layer_says_what_lives_while_it_runs() -> None:
    total = of(CONV + CONV + "[shortcut]\nfrom=-2\nactivation=linear")
    assert [c.live for c in total.layers] == [192 + 256, 2 * 256, 3 * 256]


def test_the_order_in_which_layers_run_changes_the_peak_and_nothing_else() -> None:
    """A narrow map that is made as soon as it can be lets go of the wide one."""
    wide, narrow = CONV.replace("filters=4", "filters=16"), CONV.replace("filters=4", "filters=1")
    aside = "[route]\nlayers=0\n" + 3 * wide
    late = of(wide + aside + "[route]\nlayers=0\n" + narrow + "[route]\nlayers=-1,-3\n")
    early = of(wide + narrow + aside + "[route]\nlayers=-1,1\n")
    assert (late.macs, late.access) == (early.macs, early.access)
    assert late.peak_bytes == 4 * 64 * (16 + 16 + 16)  # the first, and two of the three
    assert early.peak_bytes == 4 * 64 * (16 + 1 + 17)  # the last of the three, the narrow one, and both in one


PIECES = st.one_of(
    st.just(CONV), st.just("[maxpool]\nsize=3\nstride=1\n"),
    st.integers(1, 3).map("[shortcut]\nfrom=-{}\nactivation=linear\n".format),
    st.integers(1, 3).map("[route]\nlayers=-{}\n".format), st.integers(2, 3).map("[route]\nlayers=-1,-{}\n".format),
)  # fmt: skip


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(PIECES, max_size=8).map("".join))
def test_what_lives_at_a_layer_is_what_was_computed_and_is_still_read(layers: str) -> None:
    """The same by its definition: a value lives from its first layer to its last reader."""
    graph = compile_cfg(NET + 3 * CONV + layers).check().graph
    lives = []
    for at, _ in enumerate(graph.layers):
        known = {graph.image, *(info.output for info in graph.layers[: at + 1])}
        read = {v for info in graph.layers[at:] for v in graph.layer_inputs(info)} | {*graph.outputs}
        kept = known & (read | {graph.layers[at].output})
        lives.append(sum(math.prod(v.shape) for v in kept))
    assert [c.live for c in cost(graph).layers] == lives
