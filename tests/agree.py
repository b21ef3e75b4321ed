"""Agreement: a network gives the same numbers in the NumPy reference, onnxruntime, OpenCV and onnx.reference.

Agreement cannot see a mistake of a lowering, which all share; the hand-written answers and Darknet's goldens do that.
"""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from goldens import error

from darknet_py.backends.backend import available_backends
from darknet_py.backends.session import open_session
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.weights import random_weights
from darknet_py.ir import Graph

only_opencv_5 = pytest.mark.skipif(
    int(cv2.__version__.split(".")[0]) < 5, reason="OpenCV 4 has kernels of its own, and gets no such pass"
)
RUNTIMES = tuple(b for b in available_backends() if b != "numpy")
TOLERANCE = 1e-5  # of the largest number of a layer
# OpenCV 4 and ncnn multiply 3x3 kernels by Winograd's method, which costs a digit; the tests are about meaning.
OPTIONS: dict[str, dict[str, object]] = {"opencv": {"winograd": False}, "ncnn": {"winograd": False}}


def network(text: str, seed: int = 0) -> Graph:
    """A cfg with random weights, returning the output of every layer."""
    graph = compile_cfg(text).check().graph
    graph = graph.with_data(random_weights(graph, seed).arrays)
    return graph.with_outputs(dict.fromkeys(info.output for info in graph.layers))


def random_inputs(graph: Graph, batch: int, seed: int = 0) -> list[np.ndarray]:
    """An image in [0, 1) and states around 0."""
    rng = np.random.default_rng(seed)
    image = rng.random((batch, *graph.image.shape), np.float32)
    return [image, *(rng.standard_normal((batch, *s.input.shape), np.float32) for s in graph.states)]


def agree(
    source: str | Graph,
    inputs: list[np.ndarray] | None = None,
    *,
    batches: tuple[int, ...] = (1, 3),
    runtimes: tuple[str, ...] = RUNTIMES,
    tolerance: float = TOLERANCE,
) -> None:
    """Assert that every runtime gives what NumPy gives for each output of a graph, or each layer of a cfg."""
    graph = network(source) if isinstance(source, str) else source
    feeds = [inputs] if inputs else [random_inputs(graph, n) for n in batches]
    reference = open_session(graph, "numpy")
    expected = [reference.run(feed) for feed in feeds]
    for runtime in runtimes:
        session = open_session(graph, runtime, **OPTIONS.get(runtime, {}))
        for feed, wanted in zip(feeds, expected, strict=True):
            compare(graph, session.run(feed), wanted, runtime, tolerance)


def compare(
    graph: Graph, got: list[np.ndarray], wanted: list[np.ndarray], runtime: str, tolerance: float = TOLERANCE
) -> None:
    """Assert that two runs of a graph agree, output by output."""
    for value, a, b in zip(graph.roots, got, wanted, strict=True):
        assert a.dtype == np.float32, f"{value} in {runtime} is {a.dtype}"
        assert a.shape == b.shape, f"{value} in {runtime} has shape {a.shape}, not {b.shape}"
        off = error(a, b)
        assert off < tolerance, f"{value} in {runtime}: {off:.2g} of its scale"
