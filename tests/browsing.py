"""Chromium without a window for tests of pages: where it is, a static host for a folder, and what a script saw."""

from __future__ import annotations

import contextlib
import functools
import http.server
import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
NPM = Path(os.environ.get("DARKNET_PY_NPM") or ROOT / ".web-npm") / "node_modules"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PATIENCE = 480.0  # seconds, for a machine that is busy


def package(name: str) -> Path:
    """The folder of an npm package; skips the test where it is missing."""
    folder = NPM / name
    if not folder.is_dir():
        pytest.skip(f"needs the npm package {name}: make web-test, or npm install --prefix {NPM.parent.name} {name}")
    return folder


def node() -> str:
    """Node; skips the test where it is missing."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("needs Node: apt install nodejs")
    return found


@contextlib.contextmanager
def hosted(folder: Path) -> Iterator[str]:
    """The address of a static host of a folder on this machine, until the block ends."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            """Nothing: the test says what went wrong."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def browse(script: Path, *arguments: str | Path) -> dict[str, Any]:
    """What a script for Chromium prints; skips the test where the browser or what drives it is missing."""
    command = [node(), str(script)]
    if CHROMIUM is None:
        pytest.skip("needs Chromium: apt install chromium")
    command += [CHROMIUM, str(package("playwright-core")), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    return seen
