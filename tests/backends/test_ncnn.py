"""What is ncnn's own: parts that NumPy computes, float32, inputs left alone, and releases that are refused.

Its numbers are in the other tests, which take every back end that is installed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from agree import TOLERANCE, agree, compare, network, random_inputs
from networks import picture, write_detector

from darknet_py import load
from darknet_py.backends.backend import available_backends
from darknet_py.backends.ncnn.writer import Writer, has_layer
from darknet_py.backends.session import open_session
from darknet_py.errors import BackendError
from darknet_py.ir import Graph
from darknet_py.passes import optimize

CFG = """
[net]
width=16
height=8
channels=4
[convolutional]
filters=16
size=3
pad=1
activation=leaky
[reorg]
stride=2
[convolutional]
filters=64
size=3
pad=1
activation=mish
[shortcut]
from=-2
"""
needs_ncnn = pytest.mark.skipif(
    "ncnn" not in available_backends(), reason="ncnn is not installed: pip install 'ncnn>=1.0.20261020'"
)


@pytest.fixture
def graph() -> Graph:
    return network(CFG)


def test_without_the_package_the_error_says_which_extra_has_it(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "darknet_py.backends.ncnn.session", raising=False)
    monkeypatch.setitem(sys.modules, "ncnn", None)
    monkeypatch.setattr("darknet_py.version._checkout", lambda: "")
    with pytest.raises(BackendError, match=r"darknet-compiler\[ncnn\]"):
        open_session(graph, "ncnn")


def test_convolutions_compute_their_activations_and_values_with_two_readers_are_split(graph: Graph) -> None:
    graph = optimize(graph.with_outputs([graph.layer_output(3)]))
    ops = [op for op in graph.ops if has_layer(op)]
    first = ops.index(next(op for op in ops if op.layer == 2))
    text = Writer(ops[first:], [graph.outputs[0]], graph.data).text()
    assert [line.split()[0] for line in text.splitlines()[2:]] == ["Input", "Split", "Convolution", "BinaryOp"]
    assert " 9=5" in next(line for line in text.splitlines() if line.startswith("Convolution"))  # Mish


@needs_ncnn
def test_numpy_computes_what_ncnn_has_no_layer_for(graph: Graph) -> None:
    assert not all(map(has_layer, graph.ops))
    agree(graph, batches=(1, 3), runtimes=("ncnn",))
    agree(graph.with_outputs([graph.layer_output(3)]), runtimes=("ncnn",))


@needs_ncnn
def test_winograds_method_costs_little(graph: Graph) -> None:
    inputs = random_inputs(graph, 2)
    wanted = open_session(graph, "numpy").run(inputs)
    compare(graph, open_session(graph, "ncnn").run(inputs), wanted, "ncnn", 5 * TOLERANCE)


@needs_ncnn
def test_inputs_are_left_alone() -> None:
    graph = network("[net]\nwidth=4\nheight=4\nchannels=4\n[activation]\nactivation=relu\n")
    (image,) = random_inputs(graph, 1)
    image -= 0.5
    before = image.copy()
    open_session(graph, "ncnn").run([image])
    assert np.array_equal(image, before)


@needs_ncnn
def test_a_release_that_computes_something_else_is_refused(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    import ncnn

    monkeypatch.setattr(ncnn, "__version__", "1.0.20260526")
    with pytest.raises(BackendError, match=r"1\.0\.20260526 clips wrongly"):
        open_session(graph, "ncnn")


@needs_ncnn
def test_a_detector_finds_the_same(tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    image = picture((1, 2, "red"))
    found, wanted = (load(cfg, backend=b)(image)[0].boxes for b in ("ncnn", "numpy"))
    assert len(found) == len(wanted) > 0
    assert np.allclose(found.xyxy, wanted.xyxy, atol=1e-3)
