"""Every network of `cfgs/` with random weights: onnxruntime and OpenCV compute what the NumPy reference does.

Only the ends of stages and the outputs are read, so that a runtime fuses what it fuses for users. Where a difference
begins, `darknet-py verify NAME --random-weights 0 --size 64 --all` says layer by layer.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from darknet_py.analysis.verify import TOLERANCE
from darknet_py.backends.session import open_session
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import random_weights
from darknet_py.ir import Graph, Value
from darknet_py.ir.compare import difference

CFGS = sorted((Path(__file__).parents[2] / "cfgs").glob("*.cfg"))
SIZE = 64  # the smallest that the elastic networks compile at
RUNTIMES = ("onnxruntime", "opencv")


def small(path: Path) -> Graph:
    """A network at a small input size, with random weights."""
    graph = compile_file(path, size=(SIZE, SIZE)).check().graph
    return graph.with_data(random_weights(graph, 0).arrays)


def stage_ends(graph: Graph) -> list[Value]:
    """The outputs of the layers before each change of height and width."""
    outputs = [info.output for info in graph.layers]
    return [a for a, b in pairwise(outputs) if a.shape[1:] != b.shape[1:]]


def test_there_are_networks() -> None:
    assert len(CFGS) >= 88


@pytest.mark.parametrize("path", CFGS, ids=lambda p: p.stem)
def test_a_network_is_the_same_in_every_runtime(path: Path) -> None:
    graph = small(path)
    graph = graph.with_outputs(dict.fromkeys([*stage_ends(graph), *graph.outputs]))
    image = np.random.default_rng(0).random((1, *graph.image.shape), np.float32)
    wanted = open_session(graph, "numpy").run([image])
    assert all(np.isfinite(w).all() and w.any() for w in wanted)
    for runtime in RUNTIMES:
        got = open_session(graph, runtime).run([image])
        off = {str(v): difference(a, b) for v, a, b in zip(graph.outputs, got, wanted, strict=True)}
        assert max(off.values()) < TOLERANCE, f"{runtime}: {off}"
