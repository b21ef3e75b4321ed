"""Several models in one server: versions, and loading and unloading where that is permitted."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from networks import picture, write_classifier, write_detector
from serving import PATIENCE, ROOT, Live, encoded, serving, threat

from darknet_py import export_onnx, load
from darknet_py.errors import DataError
from darknet_py.model.formats import find_format

http = pytest.importorskip("tritonclient.http", reason="needs tritonclient: pip install 'tritonclient[http]'")
utils = pytest.importorskip("tritonclient.utils")

RED = picture((1, 2, "red"), (3, 0, "blue"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models: a detector in two versions (the second with one box at most), and a classifier."""
    path = tmp_path_factory.mktemp("repository")
    own = find_format(path, "triton")
    detector, classifier = load(write_detector(path)), load(write_classifier(path))
    assert detector.network
    assert classifier.network
    own.write(detector.network, path / "models")
    own.write(detector.network, path / "models", version=10, max_detections=1)
    own.write(classifier.network, path / "models")
    return path / "models"


@pytest.fixture(scope="module")
def server(folder: Path, live: Live) -> Iterator[Live]:
    """A server of both that loads and unloads."""
    with serving("--models", folder, "--allow-load") as made:
        yield made


@pytest.fixture
def client(server: Live) -> Iterator[Any]:
    with http.InferenceServerClient(server.url.removeprefix("http://"), network_timeout=300.0) as made:
        yield made


def counted(client: Any, version: str = "") -> int:
    tensor = http.InferInput("pictures", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([encoded(RED)], object))
    return int(client.infer("net", [tensor], model_version=version).as_numpy("num_dets")[0, 0])


def test_the_highest_version_answers_unless_another_is_asked_for(client: Any) -> None:
    assert client.get_model_metadata("net")["versions"] == ["1", "10"]
    assert (counted(client), counted(client, "10"), counted(client, "1")) == (1, 1, 2)
    with pytest.raises(utils.InferenceServerException, match="no version '2'; there are 1, 10"):
        counted(client, "2")


def test_a_model_that_suppresses_itself_cannot_be_asked_for_less(client: Any) -> None:
    tensor = http.InferInput("pictures", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([encoded(RED)], object))
    with pytest.raises(utils.InferenceServerException, match=r"export it again with --conf 0\.1"):
        client.infer("net", [tensor], parameters={"conf": 0.1})
    assert client.get_model_config("net")["parameters"]["least_conf"] == {"string_value": "0.25"}


def test_raw_outputs_of_it_are_those_of_the_file(client: Any, folder: Path) -> None:
    rows = np.random.default_rng(0).random((2, 3, 32, 32), np.float32)
    tensor = http.InferInput("images", rows.shape, "FP32")
    tensor.set_data_from_numpy(rows)
    answer = client.infer("net", [tensor], model_version="1")
    wanted = load(folder / "net/1/model.onnx").forward(rows)
    for name, array in zip(("num_dets", "boxes", "scores", "classes"), wanted, strict=True):
        np.testing.assert_allclose(answer.as_numpy(name), array, atol=1e-5)


def test_several_models_are_told_apart(server: Live) -> None:
    status, answer = server.json("POST", "/detect")
    assert status == 400
    assert "say which model: /detect?model=NAME, of colour, net" in answer["error"]
    assert server.ask("POST", "/detect?model=colour", encoded(RED))[0] == 200


@threat(12)
def test_models_are_loaded_and_unloaded_where_that_is_permitted(client: Any, folder: Path) -> None:
    def states() -> dict[tuple[str, str], str]:
        return {(m["name"], m["version"]): m["state"] for m in client.get_model_repository_index()}

    client.unload_model("net")
    assert states() == {("colour", "1"): "READY", ("net", "1"): "UNAVAILABLE", ("net", "10"): "UNAVAILABLE"}
    assert not client.is_model_ready("net")
    client.load_model("net")
    assert set(states().values()) == {"READY"}
    assert counted(client) == 1
    with pytest.raises(utils.InferenceServerException, match="no model 'none' lies in the folder"):
        client.load_model("none")
    with pytest.raises(utils.InferenceServerException, match="JSON object with nothing in it"):
        client.load_model("net", config="{}")
    with pytest.raises(utils.InferenceServerException, match="JSON object with nothing in it"):
        client.load_model("net", config="{}", files={"file:1/model.onnx": b"theirs"})
    (folder / "broken/1").mkdir(parents=True)
    (folder / "broken/1/model.onnx").write_bytes(b"no model")
    with pytest.raises(utils.InferenceServerException, match=r"broken cannot be loaded: .* is no ONNX file"):
        client.load_model("broken")


@threat(12)
def test_without_permission_nothing_changes(live: Live) -> None:
    for change in ("load", "unload"):
        assert live.ask("POST", f"/v2/repository/models/net/{change}", b"{}")[0] == 403
    assert live.ask("GET", "/v2/models/net/ready")[0] == 200


@pytest.mark.parametrize("boxes", ["raw", "decoded", "nms"])
@pytest.mark.parametrize("batch", [None, 2])
def test_any_file_that_was_exported_is_served(tmp_path: Path, live: Live, boxes: str, batch: int | None) -> None:
    from darknet_py.apps.serve.limits import Limits
    from darknet_py.apps.serve.served import Served, Workers

    export_onnx(write_detector(tmp_path), tmp_path / "a.onnx", boxes=boxes, batch=batch)
    workers = Workers.of(1, 1)
    try:
        served = Served("a", "1", load(tmp_path / "a.onnx"), workers, Limits(), batch=4, window=0.0)
        assert served.batch == (batch or 4)
        found = _detected(served, [encoded(RED), encoded(picture((0, 0, "red")))])
        assert [sorted(r.boxes.cls.tolist()) for r in found] == [[0, 1], [0]]
    finally:
        workers.close()


def _detected(served: Any, pictures: list[bytes]) -> Any:
    """What is found in pictures, asked for at once and each by itself."""
    import asyncio

    from darknet_py.apps.serve.question import question_of
    from darknet_py.apps.serve.served import Times

    async def run() -> Any:
        served.start(lambda *_: None)
        question = question_of(served.contract, {})
        found = await asyncio.gather(*(served.detect([p], question, Times()) for p in pictures))
        await served.close()
        return [results for (results,) in found]

    return asyncio.run(run())


def test_a_batch_that_no_queue_would_take_is_refused_whenever_it_is_loaded(tmp_path: Path, server_extra: None) -> None:
    from darknet_py.apps.serve.limits import Limits
    from darknet_py.apps.serve.served import Served, Workers

    network = load(write_detector(tmp_path)).network
    assert network
    export_onnx(network, tmp_path / "large.onnx", batch=5)
    workers = Workers.of(1, 1)
    try:
        with pytest.raises(DataError, match="a batch of large is larger than the queue"):
            Served("large", "1", load(tmp_path / "large.onnx"), workers, Limits(queue=4), batch=1, window=0.0)
    finally:
        workers.close()


def test_the_queue_of_a_model_is_that_of_all_its_versions(server_extra: None) -> None:
    from darknet_py.apps.serve.metrics import Metrics
    from darknet_py.apps.serve.repository import Repository

    def version(name: str, number: str, waiting: int) -> Any:
        return SimpleNamespace(name=name, version=number, queue=SimpleNamespace(admitted=waiting))

    repository = Repository()
    for served in (version("net", "1", 3), version("net", "2", 0), version("other", "1", 5)):
        repository.add(served)
    metrics = Metrics(repository)
    assert b'queue_size{model_name="net"} 3.0' in metrics.text()
    repository.replace("other", [])
    assert b"other" not in metrics.text()
    assert b'queue_size{model_name="net"} 3.0' in metrics.text()


def test_what_belongs_to_a_cfg_is_not_passed_over_for_a_folder(tmp_path: Path, live: Live) -> None:
    folder = _one(tmp_path)
    for option in (["--size", "64"], ["--names", "x.names"], ["--letterbox"], ["--name", "net"], ["--strict"]):
        assert f"{option[0]}: of a CFG" in _refused("--models", folder, *option)
    assert "no device 'abacus'" in _refused("--models", folder, "--device", "abacus"), "that one is for a folder too"


def test_a_file_that_others_exported_is_named(tmp_path: Path, live: Live) -> None:
    folder = _one(tmp_path)
    foreign = onnx.load(folder / "net/1/model.onnx")
    del foreign.metadata_props[:]
    (folder / "other/1").mkdir(parents=True)
    onnx.save(foreign, folder / "other/1/model.onnx")
    assert "other/1/model.onnx was not exported by darknet-py" in _refused("--models", folder)


def test_two_models_of_one_name_and_version_are_an_error(tmp_path: Path, live: Live) -> None:
    folder = _one(tmp_path)
    assert "two models net in version 1" in _refused(tmp_path / "net.cfg", "--models", folder)


def _one(path: Path) -> Path:
    """A folder of the detector alone, whose cfg lies beside it."""
    network = load(write_detector(path)).network
    assert network
    find_format(path, "triton").write(network, path / "models")
    return path / "models"


def _refused(*arguments: str | Path) -> str:
    command = [sys.executable, "-m", "darknet_py", "serve", *map(str, arguments), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False, env=environment)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())
