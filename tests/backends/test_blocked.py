"""onnxruntime's blocked layout: that we write it as the runtime means it, and that nothing leaves it without need."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from agree import agree, network, random_inputs
from blocks import in_blocks
from goldens import error

from darknet_py.backends.onnxruntime import session as backend
from darknet_py.backends.onnxruntime.blocked import MICROSOFT, NCHWC, block_size
from darknet_py.backends.session import open_session
from darknet_py.ir import Graph

NET = "[net]\nwidth=12\nheight=9\nchannels=3\n"
CONV = "[convolutional]\nfilters={}\nsize={}\npad=1\nbatch_normalize=1\nactivation={}\n"
STEM = NET + CONV.format(32, 3, "leaky")
ONNXRUNTIME = ("onnxruntime",)

needs_blocks = pytest.mark.skipif(block_size() is None, reason="onnxruntime has no blocked layout on this processor")


def last_layer(text: str) -> Graph:
    """A network that returns its last layer only, so that the others may be fused."""
    graph = network(text)
    return graph.with_outputs([graph.layers[-1].output])


def nodes(graph: Graph, block: int = 16) -> Counter[str]:
    """How many nodes of each kind the model has."""
    return Counter(n.op_type for n in in_blocks(graph, block).nodes)


def test_an_addition_and_its_activation_are_part_of_the_convolution() -> None:
    shortcut = "[shortcut]\nfrom=-3\nactivation=leaky\n"
    graph = last_layer(STEM + CONV.format(32, 1, "leaky") + CONV.format(32, 3, "linear") + shortcut)
    assert nodes(graph) == {"Conv": 3, "ReorderOutput": 1}


@pytest.mark.parametrize("activation", ["mish", "swish", "hard_mish", "elu", "tanh", "relu6", "logistic"])
def test_no_activation_leaves_the_layout(activation: str) -> None:
    found = nodes(last_layer(STEM + CONV.format(16, 1, activation) + CONV.format(16, 3, "leaky")))
    assert found["ReorderOutput"] == 1  # the result
    assert not found["ReorderInput"]  # the first convolution reads the image as it is


def test_squeeze_and_excitation_stays_in_the_layout() -> None:
    scale = "[avgpool]\n" + CONV.format(32, 1, "logistic") + "[scale_channels]\nfrom=-3\n"
    found = nodes(last_layer(STEM + scale + CONV.format(16, 1, "leaky")))
    assert (found["ReorderOutput"], found["ReorderInput"]) == (1, 0)


def test_routes_pools_and_maxout_of_whole_blocks_stay_in_the_layout() -> None:
    text = STEM + "[route]\nlayers=-1\ngroups=2\ngroup_id=1\n[maxpool]\nsize=3\nstride=1\n[route]\nlayers=-1,0\n"
    text += "[upsample]\nstride=2\n[maxpool]\nmaxpool_depth=1\nout_channels=16\n" + CONV.format(16, 1, "leaky")
    found = nodes(last_layer(text))
    assert (found["ReorderOutput"], found["ReorderInput"]) == (1, 0)


def test_what_something_else_reads_is_not_swallowed() -> None:
    graph = network(STEM + CONV.format(32, 1, "mish") + "[shortcut]\nfrom=-2\nactivation=mish\n")
    found = nodes(graph)  # returns every layer
    assert found["Add"] == 1
    agree(graph, runtimes=ONNXRUNTIME)


def test_the_model_says_that_it_is_for_onnxruntime_alone() -> None:
    model = in_blocks(last_layer(STEM), 8).model()
    assert {NCHWC, MICROSOFT} < {o.domain for o in model.opset_import}


@needs_blocks
@pytest.mark.parametrize("filters", [4, 8, 15, 16, 24, 40, 255])
def test_any_number_of_filters_fills_blocks_with_zeros(filters: int) -> None:
    """The lanes that fill the last block must not reach what reads them."""
    text = STEM + CONV.format(filters, 3, "mish") + CONV.format(filters, 1, "logistic") + "[shortcut]\nfrom=-2\n"
    agree(text + "[route]\nlayers=-1,0\n" + CONV.format(7, 3, "swish"), runtimes=ONNXRUNTIME)


@needs_blocks
@pytest.mark.parametrize("channels", [1, 3])
def test_one_filter_on_one_channel_is_not_taken_for_a_depthwise_convolution(channels: int) -> None:
    net = NET.replace("channels=3", f"channels={channels}")
    agree(last_layer(net + 2 * CONV.format(1, 3, "leaky")), runtimes=ONNXRUNTIME)


@needs_blocks
@pytest.mark.parametrize("groups", [1, 2, 4, 8, 16, 32, 64])
@pytest.mark.parametrize("stride", [1, 2])
def test_groups_of_any_size_are_computed(groups: int, stride: int) -> None:
    text = STEM + CONV.format(64, 1, "leaky")
    text += f"[convolutional]\nfilters=64\nsize=3\npad=1\nstride={stride}\ngroups={groups}\nactivation=leaky\n"
    agree(text + CONV.format(32, 1, "linear"), runtimes=ONNXRUNTIME)


@needs_blocks
@pytest.mark.parametrize("x", [0.0, 1e-30, 1.0, -1.0, 20.0, -20.0, 100.0, -100.0, 1e38, -1e38])
def test_mish_is_right_from_end_to_end(x: float) -> None:
    """One convolution that copies its input, so that the argument of Mish is known."""
    graph = last_layer("[net]\nwidth=1\nheight=1\nchannels=1\n[convolutional]\nfilters=16\nactivation=mish\n")
    ones = {p.value: np.full(p.value.shape, p.role == "weights", np.float32) for p in graph.params}
    y = open_session(graph.with_data(ones), "onnxruntime").run([np.full((1, 1, 1, 1), x, np.float32)])[0]
    wanted = x * np.tanh(np.logaddexp(0.0, np.float64(x)))
    assert np.abs(y - wanted).max() <= 2.5e-7 * abs(x)  # two roundings of x


@needs_blocks
def test_the_two_layouts_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    text = STEM + CONV.format(64, 3, "mish") + "[maxpool]\nsize=2\nstride=2\n" + CONV.format(24, 1, "swish")
    graph = last_layer(text + "[avgpool]\n[softmax]\n")
    inputs = random_inputs(graph, 2)
    blocked = open_session(graph, "onnxruntime")
    monkeypatch.setattr(backend, "block_size", lambda: None)
    plain = open_session(graph, "onnxruntime")
    for a, b in zip(blocked.run(inputs), plain.run(inputs), strict=True):
        assert error(a, b) < 1e-5


@needs_blocks
def test_the_block_is_one_that_a_register_holds() -> None:
    assert block_size() in (4, 8, 16)
