"""One session, many threads and inputs: every back end gives each caller the answer to its own question."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from agree import RUNTIMES, network

from darknet_py import export_onnx
from darknet_py.backends.session import Session, open_file, open_session
from darknet_py.darknet.network import open_network

THREADS, CALLS = 16, 240
NETWORK = """
[net]
width=24
height=16
channels=3
[convolutional]
filters=16
size=3
pad=1
stride=2
batch_normalize=1
activation=leaky
[convolutional]
filters=8
size=3
pad=1
activation=mish
[maxpool]
size=2
stride=2
"""
FILES = ("onnxruntime", "opencv", "openvino", "onnx.reference", "auto")


def check(session: Session, batches: tuple[int, ...]) -> None:
    """Sixteen threads ask for 240 answers, of different inputs and batch sizes; each is as asked alone."""
    rng = np.random.default_rng(0)
    inputs = [rng.random((batch, 3, 16, 24), np.float32) for batch in batches for _ in range(6)]
    wanted = [session.run([x])[-1] for x in inputs]
    with ThreadPoolExecutor(THREADS) as pool:
        found = list(pool.map(lambda i: session.run([inputs[i % len(inputs)]])[-1], range(CALLS)))
    for i, y in enumerate(found):
        np.testing.assert_allclose(y, wanted[i % len(inputs)], rtol=1e-5, atol=1e-5)


@pytest.mark.fault("model-shared-by-threads")
@pytest.mark.parametrize("backend", ["numpy", *RUNTIMES])
def test_a_session_is_right_for_many_threads(backend: str) -> None:
    check(open_session(network(NETWORK), backend), (1, 2))


@pytest.mark.parametrize("backend", ["numpy", *RUNTIMES])
def test_inputs_are_not_written_to_and_may_be_read_only(backend: str) -> None:
    session = open_session(network(NETWORK), backend)
    image = np.random.default_rng(0).random((1, 3, 16, 24), np.float32)
    wanted = session.run([image])[-1]
    before = image.copy()
    image.flags.writeable = False
    found = session.run([image])[-1]
    assert np.array_equal(found, wanted)
    assert np.array_equal(image, before)


@pytest.mark.fault("opencv-threads")
@pytest.mark.parametrize("backend", FILES)
def test_a_file_is_right_for_many_threads(tmp_path: Path, backend: str) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino", reason="needs openvino: pip install 'darknet-compiler[openvino]'")
    cfg = tmp_path / "net.cfg"
    cfg.write_text(NETWORK)
    export_onnx(open_network(cfg, random=0), tmp_path / "net.onnx")
    options = {"remember": False} if backend == "auto" else {}
    check(open_file(tmp_path / "net.onnx", backend, **options), (1,) if backend == "opencv" else (1, 2))
