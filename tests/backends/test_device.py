"""Devices: which back end computes there, what is missing where it cannot, and never the processor instead."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from agree import network, random_inputs
from click.testing import CliRunner

from darknet_py.backends.backend import backends
from darknet_py.backends.device import Device, choose, kinds
from darknet_py.backends.onnxruntime import file
from darknet_py.backends.session import open_session
from darknet_py.cli import main
from darknet_py.errors import BackendError
from darknet_py.ir import Graph
from darknet_py.model.opening import load

CFG = "[net]\nwidth=4\nheight=4\nchannels=1\n[convolutional]\nfilters=2\nsize=1\nactivation=linear\n"


@pytest.fixture
def graph() -> Graph:
    return network(CFG)


def test_the_processor_is_every_back_ends(graph: Graph) -> None:
    feed = random_inputs(graph, 1)
    for backend in (b.name for b in backends().values() if b.installed):
        assert open_session(graph, backend, device="cpu").run(feed)[0].shape == (1, 2, 4, 4)


@pytest.mark.parametrize(
    ("device", "backend", "chosen"),
    [("cuda", "onnxruntime", "onnxruntime"), ("cuda:1", "auto", "onnxruntime"),
     ("openvino:GPU", "onnxruntime", "openvino"),
     ("OpenVINO:GPU.1", "openvino", "openvino"), ("coreml", "onnxruntime", "onnxruntime")],
)  # fmt: skip
def test_the_back_end_that_computes_there_is_chosen(device: str, backend: str, chosen: str) -> None:
    name, options = choose(backend, {"device": device, "threads": 1})
    assert name == chosen
    assert options == {"device": Device.of(device), "threads": 1}


def test_another_back_end_that_was_asked_for_is_an_error(graph: Graph) -> None:
    with pytest.raises(BackendError, match="'opencv' computes on the processor; cuda is for onnxruntime"):
        open_session(graph, "opencv", device="cuda")


@pytest.mark.parametrize(("text", "hint"), [("cudaa", "did you mean 'cuda'"), ("0", "one of"), ("cuda:;", "cuda")])
def test_an_unknown_device_gets_a_hint(graph: Graph, text: str, hint: str) -> None:
    with pytest.raises(BackendError, match=hint):
        open_session(graph, device=text)


def test_a_number_is_wanted_where_devices_are_numbered() -> None:
    assert Device.of("cuda:1").number == 1
    assert Device.of("cuda").number == 0
    with pytest.raises(BackendError, match="as in cuda:0"):
        _ = Device.of("cuda:first").number


def test_a_provider_that_is_not_there_names_what_to_install(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    for device, package in (
        ("cuda", "onnxruntime-gpu"),
        ("tensorrt:0", "onnxruntime-gpu"),
        ("directml", "onnxruntime-directml"),
    ):
        with pytest.raises(BackendError, match=f"pip install {package}"):
            open_session(graph, device=device)


def test_the_provider_of_the_device_is_asked_for_with_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*file.PROVIDERS.values()])
    assert file.providers_of(Device.of("cuda:2")) == [("CUDAExecutionProvider", {"device_id": "2"})]
    assert file.providers_of(Device.of("coreml")) == ["CoreMLExecutionProvider"]
    assert file.providers_of(None) == ["CPUExecutionProvider"]


def test_a_provider_that_does_not_start_is_no_reason_to_go_on_without_it(
    graph: Graph, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Quiet(onnxruntime.InferenceSession):  # what onnxruntime does where the driver is missing
        def __init__(self, model: bytes, options: object, **_: object) -> None:
            super().__init__(model, options, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [*file.PROVIDERS.values()])
    monkeypatch.setattr(onnxruntime, "InferenceSession", Quiet)
    with pytest.raises(BackendError, match="cannot start it"):
        open_session(graph, device="cuda")


def test_openvinos_own_devices_are_looked_up(graph: Graph) -> None:
    pytest.importorskip("openvino", reason="needs openvino: the extra [openvino]")
    feed = random_inputs(graph, 2)
    wanted = open_session(graph, "numpy").run(feed)[0]
    np.testing.assert_allclose(open_session(graph, device="openvino:CPU").run(feed)[0], wanted, atol=1e-5)
    with pytest.raises(BackendError, match="OpenVINO has CPU"):
        open_session(graph, device="openvino:NPU.7")


def test_every_kind_names_a_distribution() -> None:
    assert {"cpu", "cuda", "tensorrt", "directml", "coreml", "openvino"} <= set(kinds())
    assert all(b.devices[kind] for kind, able in kinds().items() if kind != "cpu" for b in able)


def test_run_refuses_a_device_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "net.cfg").write_text(CFG)
    (tmp_path / "a.pgm").write_bytes(b"P5 4 4 255 " + bytes(16))
    line = ["run", str(tmp_path / "net.cfg"), str(tmp_path / "a.pgm"), "--random-weights", "1", "--device", "directml"]
    result = CliRunner().invoke(main, line)
    assert result.exit_code == 1
    assert "onnxruntime-directml" in result.stderr


def test_of_auto_and_a_device_the_device_decides(tmp_path: Path) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[softmax]\n")
    with pytest.raises(BackendError, match="cuda:99"):
        load(cfg, backend="auto", device="cuda:99", quiet=True)
