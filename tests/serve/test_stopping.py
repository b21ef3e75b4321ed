"""A server that is asked to stop: what was sent on an open connection is answered, and what is never sent is not waited
for."""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from networks import picture
from serving import PATIENCE, Live, encoded, limited

from tools.serve.started import Started
from tools.serve.stops import KINDS, stopped

PNG = encoded(picture((1, 2, "red")))
POST = b"POST /detect HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(PNG)
REFUSING = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux, whose sockets can drop requests to connect")


@contextlib.contextmanager
def connected(server: Live) -> Iterator[socket.socket]:
    with socket.create_connection(server.address, timeout=PATIENCE) as connection:
        yield connection


def asked(connection: socket.socket) -> str:
    """The head of the answer to a good request."""
    connection.sendall(POST + PNG)
    return answer(connection)


def answer(connection: socket.socket) -> str:
    """The head of an answer, in small letters, after all of its body was read; empty where there is none."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = connection.recv(65536)
        if not part:
            return ""
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(re.findall(rb"content-length: (\d+)", head.lower())[0])
    while len(body) < length:
        part = connection.recv(65536)
        assert part, "the answer is cut"
        body += part
    return head.decode().lower()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_sent_is_answered_when_the_server_is_stopped(detector_cfg: Path, live: Live, number: int) -> None:
    """Requests on new and on kept connections go on for as long as they are taken: each has an answer, whole."""
    answers: list[str] = []
    lost: list[str] = []

    def ask_on(server: Live, kept: bool) -> None:
        while True:
            try:
                connection = socket.create_connection(server.address, timeout=PATIENCE)
            except OSError:
                return  # it takes nobody any more, and says so
            with connection:
                last = False
                while not last:
                    try:
                        head = asked(connection)
                    except OSError as e:
                        lost.append(f"{'kept' if kept else 'new'}: {e!r}")
                        return
                    answers.append(head[9:12])
                    last = not kept or "connection: close" in head

    with limited(detector_cfg, delay=0.05, options={"batch": 2}, queue=64) as server:
        threads = [threading.Thread(target=ask_on, args=(server, i % 2 == 0)) for i in range(8)]
        for thread in threads:
            thread.start()
        while len(answers) < 20 and not lost:
            time.sleep(0.05)
        server.process.send_signal(number)
        for thread in threads:
            thread.join(PATIENCE)
        assert server.process.wait(PATIENCE) == 0
    assert set(answers) == {"200"}
    assert not lost


def test_no_busy_client_loses_a_request(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, delay=0.02, queue=64) as server:
        one = Started(server.process, server.address[1])
        found = asyncio.run(stopped(one, POST + PNG, 6 * len(KINDS), random.Random(1)))
    assert found["lost"] == found["hanging"] == found["exit status not 0"] == found["503"] == 0, found
    assert found["refused"] == 6 * len(KINDS)
    assert found["200"] > 0


def test_who_is_connected_by_the_system_is_answered_though_the_server_has_not_taken_him(
    detector_cfg: Path, live: Live
) -> None:
    with limited(detector_cfg, queue=64, options={"linger": 0.0}) as server, contextlib.ExitStack() as stack:
        stop_and_go = server.process.send_signal
        stop_and_go(signal.SIGSTOP)
        stop_and_go(signal.SIGTERM)
        connections = [stack.enter_context(connected(server)) for _ in range(20)]
        for connection in connections:
            connection.sendall(POST + PNG)
        stop_and_go(signal.SIGCONT)
        heads = [answer(connection) for connection in connections]
        assert {head[9:12] for head in heads} == {"200"}
        assert all("connection: close" in head for head in heads)
        assert server.process.wait(PATIENCE) == 0


def test_an_answer_says_that_its_connection_ends_though_its_request_came_before(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, delay=1.0) as server, connected(server) as connection:
        connection.sendall(POST + PNG)
        time.sleep(0.3)
        server.process.send_signal(signal.SIGTERM)
        assert "connection: close" in answer(connection)
        assert server.process.wait(PATIENCE) == 0


def test_a_kept_connection_is_taken_care_of_until_it_is_silent(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, options={"linger": 0.0}, silent_seconds=5.0) as server:
        with connected(server) as kept, connected(server) as silent, connected(server) as slow:
            assert "connection: close" not in asked(kept)
            assert "connection: close" not in asked(silent)
            slow.sendall(POST[:10])
            server.process.send_signal(signal.SIGTERM)
            time.sleep(1.0)
            slow.sendall(POST[10:] + PNG[:10])
            assert "connection: close" in asked(kept)
            assert silent.recv(1) == b"", "an end, and no reset"
            slow.sendall(PNG[10:])
            assert "connection: close" in answer(slow)
        assert server.process.wait(PATIENCE) == 0


def test_nothing_is_left_to_do_for_a_client_that_breaks_off(detector_cfg: Path) -> None:
    with limited(detector_cfg, idle_seconds=0.3) as server:
        with connected(server) as connection:
            assert " 200 " in asked(connection)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # its end is a reset
        time.sleep(0.6)
        assert server.ask("GET", "/v2/health/ready")[0] == 200


@REFUSING
def test_the_system_can_be_told_to_connect_nobody_new(server_extra: None) -> None:
    from darknet_py.apps.serve.leaving import is_waiting
    from darknet_py.apps.serve.stopping import refuse_new

    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = listening.getsockname()
        with socket.create_connection(address, timeout=PATIENCE) as before:
            assert is_waiting(listening)
            if not refuse_new(listening):
                pytest.skip("needs a kernel that filters packets for a socket")
            with pytest.raises(TimeoutError):
                socket.create_connection(address, timeout=0.3)
            taken, _ = listening.accept()
            with taken:
                assert not is_waiting(listening)
                before.sendall(b"more")
                assert taken.recv(4) == b"more"


def test_a_server_that_is_asked_to_stop_is_live_and_not_ready(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, options={"linger": 3.0}) as server:
        assert server.ask("GET", "/v2/health/ready")[0] == 200
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        status, headers, _ = server.ask("GET", "/v2/health/ready")
        assert (status, headers["connection"]) == (503, "close")
        assert server.ask("GET", "/v2/health/live")[0] == 200
        assert server.ask("POST", "/detect", PNG)[0] == 200
        assert server.process.wait(PATIENCE) == 0


def test_a_second_signal_does_not_wait(detector_cfg: Path, live: Live) -> None:
    with limited(detector_cfg, delay=3.0) as server, connected(server) as connection:
        connection.sendall(POST + PNG)
        time.sleep(0.3)
        for _ in range(2):
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
        assert connection.recv(65536).startswith(b"HTTP/1.1 503 "), "it would have been answered"
        server.process.wait(PATIENCE)
