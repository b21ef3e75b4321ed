"""What OpenVINO needs told: float32, a fixed batch, and no word to its makers. Its numbers are in the other tests."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from agree import agree, network, random_inputs
from networks import picture, write_detector

from darknet_py import export_onnx, load
from darknet_py.backends.backend import available_backends
from darknet_py.backends.session import open_session
from darknet_py.errors import BackendError
from darknet_py.ir import Graph
from darknet_py.onnx import stream as onnx_stream

CFG = "[net]\nwidth=8\nheight=6\nchannels=3\n[convolutional]\nfilters=4\nsize=3\npad=1\nactivation=mish\n"
needs_openvino = pytest.mark.skipif(
    "openvino" not in available_backends(), reason="OpenVINO is not installed: pip install 'openvino>=2024'"
)


@pytest.fixture
def graph() -> Graph:
    return network(CFG)


def test_without_the_package_the_error_says_which_extra_has_it(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "darknet_py.backends.openvino.session", raising=False)
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr("darknet_py.version._checkout", lambda: "")
    with pytest.raises(BackendError, match=r"darknet-compiler\[openvino\]"):
        open_session(graph, "openvino")


@needs_openvino
def test_nothing_is_reported_to_the_makers_of_openvino() -> None:
    script = (
        "import sys, darknet_py.backends.openvino.session; print([m for m in sys.modules if 'openvino_telemetry' in m])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@needs_openvino
def test_inputs_may_lie_in_memory_as_they_like_and_results_are_the_callers_own(graph: Graph) -> None:
    session = open_session(graph, "openvino")
    images = np.random.default_rng(0).random((2, 1, 3, 6, 8), np.float32)
    first = session.run([images[0]])[0]
    kept = first.copy()
    (locked := images[0].copy()).flags.writeable = False
    for other in (images[0].astype(np.float64), np.asfortranarray(images[0]), images[::-1][1], locked):
        assert np.array_equal(session.run([other])[0], kept)
    assert not np.array_equal(session.run([images[1]])[0], kept)
    assert np.array_equal(first, kept)


@needs_openvino
def test_it_computes_in_float32_with_the_threads_given(graph: Graph) -> None:
    from darknet_py.backends.openvino.session import GraphSession

    session = open_session(graph, "openvino", threads=1)
    assert isinstance(session, GraphSession)
    compiled = session._free.get().get_compiled_model()
    assert compiled.get_property("INFERENCE_PRECISION_HINT").get_type_name() == "f32"
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1


@needs_openvino
def test_any_batch_and_models_of_any_size_are_taken(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    agree(graph, batches=(1, 3, 2, 1), runtimes=("openvino",))
    monkeypatch.setattr(onnx_stream, "PROTOBUF_LIMIT", 100)
    agree(graph, runtimes=("openvino",))


@needs_openvino
def test_each_stream_has_its_threads_and_takes_runs_of_its_own(graph: Graph) -> None:
    from darknet_py.backends.openvino.session import GraphSession

    session = open_session(graph, "openvino", threads=1, streams=2)
    assert isinstance(session, GraphSession)
    request = session._free.get()
    assert request.get_compiled_model().get_property("NUM_STREAMS") == 2
    assert request.get_compiled_model().get_property("INFERENCE_NUM_THREADS") == 2
    session._free.put(request)
    inputs = [random_inputs(graph, 1 + i % 2, seed=i) for i in range(12)]
    wanted = [open_session(graph, "openvino").run(one)[0] for one in inputs]
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(session.run, inputs), wanted, strict=True):
            np.testing.assert_allclose(found[0], expected, rtol=1e-5, atol=1e-6)


@needs_openvino
def test_results_stay_when_the_session_runs_again(graph: Graph) -> None:
    session = open_session(graph, "openvino")
    (first,) = session.run(random_inputs(graph, 1))
    before = first.copy()
    session.run(random_inputs(graph, 1, seed=1))
    assert np.array_equal(first, before)


@needs_openvino
def test_what_is_compiled_is_kept_in_a_folder_that_is_given(graph: Graph, tmp_path: Path) -> None:
    open_session(graph, "openvino", cache=tmp_path)
    assert list(tmp_path.iterdir())


@needs_openvino
@pytest.mark.parametrize("batch", [None, 2])
def test_onnx_files_run_in_it(batch: int | None, tmp_path: Path) -> None:
    export_onnx(write_detector(tmp_path), tmp_path / "net.onnx", batch=batch)
    results = load(tmp_path / "net.onnx", backend="openvino")(
        [picture((1, 1, "red")), picture(), picture((2, 2, "blue"))]
    )
    assert [len(r) for r in results] == [1, 0, 1]
