"""A server of a small network as people start it, for tests: a process of the command line on a free port."""

from __future__ import annotations

import contextlib
import http.client
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

PATIENCE = 120.0  # seconds, for a machine that is busy
ROOT = Path(__file__).parents[1]


@dataclass(eq=False)
class Live:
    """A server that runs: where it is, and the lines of its log so far."""

    process: subprocess.Popen[str]
    url: str
    lines: list[str] = field(default_factory=list)

    @property
    def address(self) -> tuple[str, int]:
        """Its host and port."""
        host, _, port = self.url.partition("://")[2].rpartition(":")
        return host.strip("[]"), int(port)

    @property
    def log(self) -> list[dict[str, Any]]:
        """What it has written down of requests."""
        return [json.loads(line) for line in self.lines if line.startswith("{")]

    def logged(self, identity: str) -> dict[str, Any]:
        """The line of a request, when it is there."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            if found := [line for line in self.log if line["id"] == identity]:
                return found[0]
            time.sleep(0.02)
        raise AssertionError(f"no line of {identity}")

    def ask(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own: status, headers and body of the answer."""
        connection = http.client.HTTPConnection(*self.address, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers or {}))
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()

    def json(self, method: str, path: str, data: Any = None, **headers: str) -> tuple[int, Any]:
        """One request with JSON, and the JSON of its answer."""
        body = None if data is None else json.dumps(data).encode()
        status, _, answer = self.ask(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        return status, json.loads(answer)

    def raw(self, data: bytes, wait: float = PATIENCE) -> bytes:
        """What comes back for some bytes on a connection, until the server closes it."""
        with socket.create_connection(self.address, timeout=wait) as connection:
            connection.sendall(data)
            parts = []
            with contextlib.suppress(ConnectionError):
                while part := connection.recv(65536):
                    parts.append(part)
            return b"".join(parts)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to end, and wait until it has; its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)


@contextlib.contextmanager
def serving(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> Iterator[Live]:
    """`darknet-py serve ARGUMENTS` on a free port, until the block ends."""
    command = [sys.executable, "-m", "darknet_py", "serve", *map(str, arguments)]
    if "--port" not in command:
        command += ["--port", "0"]
    with _running(command, environment or {}) as live:
        yield live


SCRIPT = """
import json, sys, time
from darknet_py import load
from darknet_py.apps.serve.limits import Limits
from darknet_py.apps.serve.run import ServerOptions, run_server

cfg, delay, options, limits = sys.argv[1], float(sys.argv[2]), json.loads(sys.argv[3]), json.loads(sys.argv[4])


def opened(threads):
    model = load(cfg, threads=threads, quiet=True)
    run = model.run
    model.run = lambda rows: (time.sleep(delay), run(rows))[1]
    return model


def tell(text):
    print(text, file=sys.stderr, flush=True)


run_server([("net", opened)], None, ServerOptions(port=0, limits=Limits(**limits), **options), say=tell, log=tell,
           ready=lambda url: print(url, flush=True))
"""


@contextlib.contextmanager
def limited(cfg: Path, delay: float = 0.0, options: Mapping[str, Any] | None = None, **limits: float) -> Iterator[Live]:
    """A server of `cfg` with other limits than a command line can set, whose network takes `delay` seconds more."""
    command = [sys.executable, "-c", SCRIPT, str(cfg), str(delay), json.dumps(dict(options or {})), json.dumps(limits)]
    with _running(command, {}) as live:
        yield live


def refused(*arguments: str | Path, environment: Mapping[str, str] | None = None) -> str:
    """What a command that does not serve says."""
    done = subprocess.run(
        [sys.executable, "-m", "darknet_py", "serve", "--port", "0", *map(str, arguments)], capture_output=True,
        text=True, timeout=PATIENCE, check=False, env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
    )  # fmt: skip
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stderr
    return done.stderr


def threat(number: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Marks a test with the number of its line in the threat model of `tools/docs/serve.md`."""
    assert number
    return lambda test: test


@contextlib.contextmanager
def _running(command: list[str], environment: Mapping[str, str]) -> Iterator[Live]:
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    assert process.stdout
    assert process.stderr
    live = Live(process, "")
    reader = threading.Thread(target=_drain, args=(process.stderr, live.lines), daemon=True)
    reader.start()
    try:
        live.url = process.stdout.readline().strip()
        if not live.url:
            process.wait(PATIENCE)
            reader.join(PATIENCE)
            raise AssertionError("\n".join(live.lines))
        yield live
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        reader.join(PATIENCE)
        process.stdout.close()
        process.stderr.close()
    faults = [i for i, line in enumerate(live.lines) if line.startswith("Traceback")]
    assert not faults, "\n".join(live.lines[faults[0] - 2 :])  # whatever the test was about, and the answers were


def _drain(stream: Any, lines: list[str]) -> None:
    with contextlib.suppress(ValueError):
        for line in stream:
            lines.append(line.rstrip("\n"))


def encoded(pixels: np.ndarray, suffix: str = ".png") -> bytes:
    """A picture as the bytes of a file."""
    return cv2.imencode(suffix, pixels)[1].tobytes()


def triton_config() -> Any:
    """The class of Triton's model configuration, from the client's own protobuf, which needs no gRPC."""
    spec = importlib.util.find_spec("tritonclient")
    if spec is None or not spec.submodule_search_locations or not importlib.util.find_spec("google.protobuf"):
        pytest.skip("needs the client's protobuf: pip install 'tritonclient[http]' protobuf")
    path = Path(spec.submodule_search_locations[0], "grpc", "model_config_pb2.py")
    own = importlib.util.spec_from_file_location("model_config_pb2", path)
    assert own
    assert own.loader
    module = importlib.util.module_from_spec(own)
    own.loader.exec_module(module)
    return module.ModelConfig
