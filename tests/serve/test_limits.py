"""Limits on how much and how long, on who may do what, and what is no server before anybody can connect."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from networks import picture, write_recurrent
from serving import PATIENCE, ROOT, Live, encoded, limited, refused, serving, threat

PNG = encoded(picture((1, 2, "red")))
POST = b"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(PNG)


@threat(7)
def test_a_full_queue_refuses_at_once_and_says_when_to_come_again(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, delay=0.5, options={"batch": 2}, queue=4) as server, ThreadPoolExecutor(16) as pool:
        start = time.monotonic()
        answers = list(pool.map(lambda _: (server.ask("POST", "/detect", PNG), time.monotonic()), range(16)))
        statuses = sorted(answer[0] for answer, _ in answers)
        assert set(statuses) == {200, 503}
        assert statuses.count(200) >= 4
        refused = [(answer, at) for answer, at in answers if answer[0] == 503]
        assert all(int(answer[1]["retry-after"]) >= 1 for answer, _ in refused)
        assert b"the queue is full" in refused[0][0][2]
        first = min(at for answer, at in answers if answer[0] == 200)
        assert min(at for _, at in refused) < first, "they did not wait for those who are computed"
        assert start < first
        assert server.ask("POST", "/detect", PNG)[0] == 200


@threat(7)
def test_requests_hold_only_so_many_bytes_together(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, delay=1.0, memory=3 * len(PNG) // 2) as server:
        with ThreadPoolExecutor(4) as pool:
            statuses = sorted(a[0] for a in pool.map(lambda _: server.ask("POST", "/detect", PNG), range(4)))
        assert set(statuses) == {200, 503}
        assert server.ask("POST", "/detect", PNG)[0] == 200, "what was held is given back"


@threat(7)
def test_there_are_only_so_many_connections(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, connections=3) as server, contextlib.ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection(server.address, timeout=PATIENCE))
        time.sleep(0.2)
        assert server.raw(b"").startswith(b"HTTP/1.1 503 ")
        stack.close()
        time.sleep(0.2)
        assert server.ask("GET", "/v2")[0] == 200


@threat(8)
def test_who_leaves_is_not_computed_for(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, delay=1.0, options={"batch": 1, "window": 0.0}) as server:
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(server.ask, "POST", "/detect", PNG)
            time.sleep(0.3)
            gone = [socket.create_connection(server.address, timeout=PATIENCE) for _ in range(5)]
            for connection in gone:
                connection.sendall(POST + PNG)
            time.sleep(0.3)
            for connection in gone:
                connection.close()
            assert first.result()[0] == 200
        assert server.ask("POST", "/detect", PNG)[0] == 200
        (stats,) = server.json("GET", "/v2/models/net/stats")[1]["model_stats"]
        assert stats["inference_count"] == 2
        assert [line["status"] for line in server.log].count(499) == 5


@threat(9)
def test_a_head_that_comes_too_slowly_is_refused(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, head_seconds=0.5) as server:
        with socket.create_connection(server.address, timeout=PATIENCE) as connection:
            with contextlib.suppress(OSError):
                for byte in POST:
                    connection.sendall(bytes([byte]))
                    time.sleep(0.05)
            assert connection.recv(65536).startswith(b"HTTP/1.1 408 ")
        assert server.raw(b"") == b"", "who says nothing is told nothing"
        assert server.ask("POST", "/detect", PNG)[0] == 200


@threat(9)
def test_a_body_that_comes_too_slowly_is_refused(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, body_seconds=0.5) as server:
        answer = server.raw(POST + PNG[:-1])
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"the body was not here after 0.5 seconds" in answer


@threat(9)
def test_a_body_that_nobody_reads_any_more_is_not_waited_for(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, head_seconds=0.5, idle_seconds=0.5) as server:
        head = b"POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        start = time.monotonic()
        with socket.create_connection(server.address, timeout=PATIENCE) as connection:
            connection.sendall(head)
            with contextlib.suppress(OSError):
                while time.monotonic() < start + PATIENCE:
                    connection.sendall(b"1\r\na\r\n")
                    time.sleep(0.05)
        assert time.monotonic() < start + PATIENCE


@threat(9)
def test_why_a_body_is_refused_is_read_by_who_is_still_sending_it(live: Live) -> None:
    """No reset overtakes the answer: the client gets rid of all its bytes first, as simple ones do."""
    size = 33 << 20
    with socket.create_connection(live.address, timeout=PATIENCE) as connection:
        connection.sendall(b"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % size)
        connection.sendall(bytes(size))
        assert connection.recv(65536).startswith(b"HTTP/1.1 413 ")


LARGE = encoded(np.random.default_rng(1).integers(0, 256, (2500, 2500, 3), np.uint8), ".jpg")
DRAWN = b"POST /detect?format=image HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(LARGE)


@threat(9)
def test_who_takes_no_answer_does_not_stay(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, answer_seconds=0.5) as server, socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        connection.settimeout(PATIENCE)
        connection.connect(server.address)
        connection.sendall(DRAWN + LARGE)
        while not server.log:
            time.sleep(0.02)
        time.sleep(1.0)
        data = bytearray()
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(1 << 16):
                data += part
        head, _, body = bytes(data).partition(b"\r\n\r\n")
        assert len(body) < int(re.findall(rb"content-length: (\d+)", head.lower())[0])
        assert server.ask("POST", "/detect", PNG)[0] == 200


class Full:
    """A transport whose client takes nothing of so many bytes."""

    def __init__(self, size: int) -> None:
        self.size, self.aborted = size, False

    def get_write_buffer_size(self) -> int:
        return self.size

    def get_extra_info(self, name: str) -> None:
        pass

    def abort(self) -> None:
        self.aborted = True


@threat(7)
def test_answers_that_nobody_takes_hold_only_so_many_bytes(server_extra: None) -> None:
    import uvicorn
    from uvicorn.server import ServerState

    from darknet_py.apps.serve.connection import connection_class
    from darknet_py.apps.serve.limits import Limits

    async def run() -> list[bool]:
        config, state = uvicorn.Config(lambda *_: None, ws="none", log_config=None), ServerState()
        config.load()
        made = connection_class(Limits(memory=100))
        transports = [Full(60), Full(60), Full(40)]
        connections = [made(config=config, server_state=state, app_state={}) for _ in transports]
        for connection, transport in zip(connections, transports, strict=True):
            connection.connection_made(transport)
            connection.pause_writing()
        connections[0].resume_writing()
        connections[1].pause_writing()
        aborted = [transport.aborted for transport in transports]
        for connection in connections:
            connection.connection_lost(OSError())
        assert made.untaken.held == 0, "what was held is given back"
        return aborted

    assert asyncio.run(run()) == [False, True, False]


@threat(10)
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_the_process_has_given_up_what_it_does_not_need(live: Live) -> None:
    status = Path(f"/proc/{live.process.pid}/status").read_text()
    assert re.search(r"NoNewPrivs:\s+1", status)
    limits = Path(f"/proc/{live.process.pid}/limits").read_text()
    assert re.search(r"Max core file size\s+0\s+0", limits)


LANDLOCKED = """
import subprocess, sys, threading
from darknet_py.apps.serve.confine import confine
told = confine()
if "writes and runs no files" not in told:
    sys.exit(77)
def tries():
    for work in (lambda: open(sys.argv[1] + "/new", "w"), lambda: open(sys.argv[1] + "/old", "a"),
                 lambda: subprocess.run(["/bin/true"]), lambda: __import__("os").remove(sys.argv[1] + "/old"),
                 lambda: __import__("os").mkdir(sys.argv[1] + "/folder")):
        try:
            work()
        except PermissionError:
            print("refused")
print(open(sys.argv[1] + "/old").read())
thread = threading.Thread(target=tries)
thread.start()
thread.join()
"""


@threat(10)
@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux")
def test_files_can_be_read_and_not_written_or_run(tmp_path: Path) -> None:
    (tmp_path / "old").write_text("readable")
    done = subprocess.run(
        [sys.executable, "-c", LANDLOCKED, str(tmp_path)], capture_output=True, text=True, timeout=PATIENCE,
        env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False,
    )  # fmt: skip
    if done.returncode == 77:
        pytest.skip("needs a kernel with Landlock")
    assert done.stdout.split() == ["readable", *["refused"] * 5], done.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["old"]


@threat(10)
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root, to become somebody else")
def test_root_becomes_whom_it_is_told(detector_cfg: Path, live: Live) -> None:
    with serving(detector_cfg, "--user", "nobody") as server:
        assert server.ask("POST", "/detect", PNG)[0] == 200
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        assert "0" not in re.findall(r"Uid:\s+(.+)", status)[0].split()
        assert re.search(r"CapEff:\s+0+\n", status)


@threat(11)
def test_a_line_says_what_was_done_and_no_secret(detector_cfg: Path, live: Live) -> None:
    secret = "a-token-that-is-not-to-be-seen"
    with serving(detector_cfg, environment={"DARKNET_PY_TOKEN": secret}) as server:
        headers = {"Authorization": f"Bearer {secret}", "X-Request-Id": "mine-1"}
        status, answered, _ = server.ask("POST", "/detect?classes=red&conf=0.3", PNG, headers)
        line = server.logged("mine-1")
        assert (status, answered["x-request-id"]) == (200, "mine-1")
        assert (line["method"], line["path"], line["status"], line["model"]) == ("POST", "/detect", 200, "net")
        assert line["received"] == len(PNG)
        assert line["pictures"] == 1
        assert 0 < line["network_seconds"] < line["seconds"]
        server.ask(
            "POST", "/detect", PNG, {"Authorization": "Bearer wrong-token-wrong-token", "X-Request-Id": "mine-2"}
        )
        assert server.logged("mine-2")["status"] == 401
        text = "\n".join(server.lines)
        assert secret not in text
        assert "wrong-token" not in text
        assert "classes" not in text
        assert "127.0.0.1" not in text


@threat(11)
def test_a_client_cannot_write_lines_of_its_own(live: Live) -> None:
    status, headers, _ = live.ask("GET", "/a%0a%7b%22id%22%3a1%7d%1b[31m%e2%80%ae", None, {"X-Request-Id": "x" * 65})
    assert status == 404
    line = live.logged(headers["x-request-id"])
    assert line["path"] == '/a\n{"id":1}\x1b[31m\u202e'
    assert re.fullmatch("[0-9a-f]{16}", line["id"])
    assert all(text.isascii() and text.isprintable() for text in live.lines)


def test_prometheus_reads_kserves_names(live: Live) -> None:
    parser = pytest.importorskip("prometheus_client.parser")
    live.ask("POST", "/detect", PNG)
    live.ask("GET", "/v2/models/made-up-by-a-client")
    status, headers, text = live.ask("GET", "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=0.0.4")
    families = {family.name: family for family in parser.text_string_to_metric_families(text.decode())}
    for name in ("request_preprocess_seconds", "request_predict_seconds", "request_postprocess_seconds",
                 "request_seconds", "batch_size", "queue_size", "request_count"):  # fmt: skip
        assert name in families, name
    models = {s.labels["model_name"] for family in families.values() for s in family.samples}
    assert models <= {"", "net"}, "a name that a client made up is no label"
    assert {s.value for s in families["queue_size"].samples} == {0}


# -- the beginning -----------------------------------------------------------------------------------------------------


def test_what_cannot_be_served_is_an_error_before_anybody_can_connect(
    detector_cfg: Path, tmp_path: Path, live: Live
) -> None:
    assert "name a CFG, or a folder with --models" in refused()
    assert "recurrent network" in refused(write_recurrent(tmp_path))
    taken = refused(detector_cfg, "--port", str(live.address[1]))
    assert f"cannot serve at 127.0.0.1:{live.address[1]}" in taken
    assert "hint: --port takes another one" in taken
    assert "is no folder of models" in refused("--models", tmp_path / "none")
    (tmp_path / "empty").mkdir()
    assert "nothing to serve" in refused("--models", tmp_path / "empty")
    assert "--models DIR" in refused(detector_cfg, "--allow-load")
    assert "is larger than the queue" in refused(detector_cfg, "--queue", "4")
    assert "is no name for a model" in refused(detector_cfg, "--name", "a/b")
    assert "there is no user" in refused(detector_cfg, "--user", "nobody-of-that-name")
    (tmp_path / "broken/net/1").mkdir(parents=True)
    (tmp_path / "broken/net/1/model.onnx").write_bytes(b"no model")
    assert "is no ONNX file" in refused("--models", tmp_path / "broken")


SLOW_TO_OPEN = """
import socket, sys
from darknet_py import load
from darknet_py.apps.serve.run import ServerOptions, run_server

first = socket.socket()
first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
first.bind(("127.0.0.1", 0))


def opened(threads):
    first.listen()
    return load(sys.argv[1], threads=threads, quiet=True)


try:
    run_server([("net", opened)], None, ServerOptions(port=first.getsockname()[1]), say=len, log=len, ready=print)
except Exception as e:
    print(type(e).__name__, e)
"""


def test_two_that_start_at_once_on_one_port_are_told_apart(detector_cfg: Path, live: Live) -> None:
    """Before either listens both have the port: who comes second says so, and with the address."""
    done = subprocess.run(
        [sys.executable, "-c", SLOW_TO_OPEN, detector_cfg], capture_output=True, text=True, timeout=PATIENCE,
        check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert done.stdout.startswith("DataError cannot serve at 127.0.0.1:"), done.stdout + done.stderr
