"""Networks that the fuzzer found: a runtime refused them, computed something else, or ended the process."""

from __future__ import annotations

import tracemalloc
from contextlib import suppress

import numpy as np
import onnxruntime
import pytest
from agree import agree, network, random_inputs
from goldens import error

from darknet_py.backends.backend import backends
from darknet_py.backends.session import open_session
from darknet_py.contract.form import Form
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.program import program_of
from darknet_py.darknet.weights import random_weights
from darknet_py.errors import BackendError, DataError
from darknet_py.onnx.export import to_exported

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


def test_boxes_of_an_input_that_is_no_picture_are_refused() -> None:
    text = "[net]\ninputs=27\n[connected]\n[convolutional]\nfilters=30\n[Gaussian_yolo]\nclasses=1\nnum=3\n"
    compilation = compile_cfg(text).check()
    graph = compilation.graph.with_data(random_weights(compilation.graph, 1).arrays)
    with pytest.raises(DataError, match="takes 27 numbers, no picture"):
        to_exported(program_of(compilation, graph), Form(boxes="decoded"))


@pytest.mark.parametrize("size", [(-1, 1 << 40), (0, 4), (4, 65537), (4,)])
def test_a_size_that_no_picture_has_is_refused_itself(size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match=r"size is \(height, width\)"):
        compile_cfg("[net]\nchannels=8\n[cost]", size=size)


def test_a_negative_objectness_times_a_negative_score_is_no_box() -> None:
    head = "[convolutional]\nfilters=18\nactivation=linear\n[yolo]\nnum=3\nclasses=1\nmask=0,1,2\nnew_coords=1\n"
    compilation = compile_cfg(f"[net]\nwidth=4\nheight=4\nchannels=3\n{head}").check()
    arrays = {p.value: np.full(p.value.shape, -1, np.float32) for p in compilation.graph.params}
    program = program_of(compilation, compilation.graph.with_data(arrays))
    exported = to_exported(program, Form(boxes="decoded")).whole().SerializeToString()
    session = onnxruntime.InferenceSession(exported, providers=["CPUExecutionProvider"])
    _, scores = session.run(None, {"images": np.ones((1, 3, 4, 4), np.float32)})
    assert scores.max() <= 0


@pytest.mark.fault("reference-pool")
def test_a_window_of_nan_alone_is_no_error_of_a_library_inside() -> None:
    layers = "[convolutional]\nfilters=2\nactivation=linear\n[maxpool]\nsize=2\nstride=2\n"
    graph = compile_cfg(f"[net]\nwidth=4\nheight=4\nchannels=1\n{layers}").check().graph
    graph = graph.with_data({p.value: np.full(p.value.shape, np.nan, np.float32) for p in graph.params})
    feed = [np.ones((1, 1, 4, 4), np.float32)]
    assert np.isnan(open_session(graph, "numpy").run(feed)[0]).all()
    with suppress(BackendError):
        (found,) = open_session(graph, "onnx.reference").run(feed)
        assert np.isnan(found).all()
