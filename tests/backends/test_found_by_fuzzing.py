"""Networks that the fuzzer found: a runtime refused them, computed something else, or ended the process."""

from __future__ import annotations

import tracemalloc

import pytest
from agree import agree, network, random_inputs
from goldens import error

from darknet_py.backends.backend import backends
from darknet_py.backends.session import open_session

NET = "[net]\nwidth={}\nheight={}\nchannels=4\n"
DEPTHWISE = "[convolutional]\ngroups=4\nfilters=4\nsize=3\npad=1\nstride={}\nactivation=linear\n"


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2), (2, 1), (1, 5), (5, 1)])
def test_a_depthwise_convolution_of_one_row_or_column_is_the_same_everywhere(
    height: int, width: int, stride: int
) -> None:
    agree(NET.format(width, height) + DEPTHWISE.format(stride))


@pytest.mark.parametrize(
    "layers", ["[cost]\n[rnn]\n", "[cost]\n[gru]\noutput=3\n", "[cost]\n", "[cost]\n[connected]\n"]
)
def test_an_image_that_nothing_reads_is_no_input(layers: str) -> None:
    agree(NET.format(3, 5) + layers)


@pytest.mark.parametrize("layers", ["[gru]\n", "[rnn]\n[gru]\n", "[rnn]\n[cost]\n[gru]\n", "[connected]\noutput=1\n"])
@pytest.mark.parametrize("batch", [1, 2])
def test_a_layer_of_one_number_runs_in_one_thread(layers: str, batch: int) -> None:
    graph = network(NET.format(3, 5) + layers)
    feed = random_inputs(graph, batch)
    wanted = open_session(graph, "numpy").run(feed)
    for backend in backends().values():
        if backend.installed and backend.threads == "session":
            got = open_session(graph, backend.name, threads=1).run(feed)
            assert max(error(a, b) for a, b in zip(got, wanted, strict=True)) < 1e-5, backend.name


def test_a_window_much_larger_than_its_image_needs_no_image_of_its_size() -> None:
    graph = network(NET.format(32, 24) + "[maxpool]\nstride=4096\n")
    session, feed = open_session(graph, "numpy"), random_inputs(graph, 1)
    tracemalloc.start()
    (got,) = session.run(feed)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (got == feed[0].max((2, 3), keepdims=True)).all()
    assert peak < 16 << 20
