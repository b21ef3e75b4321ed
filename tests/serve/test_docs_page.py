"""What `tools/docs/serve.md` shows: its lines run, its container file and its manifest say what the command takes."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import cv2
import pytest
from networks import picture, write_detector
from serving import ROOT, Live, encoded, serving

from darknet_py.cli.serve import command

from .test_page import FILES

PAGE = (ROOT / "tools/docs/serve.md").read_text("utf-8")


def file(name: str) -> str:
    """A file that the page shows."""
    return re.findall(rf"<!-- file: {re.escape(name)} -->\n```text\n(.*?)```", PAGE, re.DOTALL)[0]


def parsed(arguments: list[str]) -> dict[str, Any]:
    """What the command makes of some arguments; raises where it takes them not."""
    with click.Context(command) as context:
        options, _, _ = command.make_parser(context).parse_args(arguments)
    return options


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl: apt install curl")
def test_the_curl_lines_run(tmp_path: Path, live: Live) -> None:
    cfg = write_detector(tmp_path, "yolov4-tiny")
    cfg.with_suffix(".names").write_text("dog\ncar\n")
    (tmp_path / "dog.jpg").write_bytes(encoded(picture((1, 2, "red")).repeat(8, 0).repeat(8, 1), ".jpg"))
    lines = re.findall(r"^curl .+$", PAGE, re.MULTILINE)
    assert len(lines) > 3
    with serving(cfg) as server:
        for line in lines:
            words = [word.replace("http://127.0.0.1:8000", server.url) for word in shlex.split(line)]
            done = subprocess.run([*words, "-sS", "--fail"], cwd=tmp_path, capture_output=True, timeout=60, check=False)
            assert done.returncode == 0, (line, done.stderr)
            if "format=image" in line:
                assert cv2.imread(str(tmp_path / "seen.jpg")).shape == (256, 256, 3)
            elif "detect" in line:
                assert json.loads(done.stdout)["objects"][0]["name"] == "dog"


def test_the_python_of_the_page_runs(tmp_path: Path, live: Live) -> None:
    pytest.importorskip("tritonclient", reason="needs tritonclient: pip install 'tritonclient[http]'")
    write_detector(tmp_path, "yolov4-tiny")
    (tmp_path / "dog.jpg").write_bytes(encoded(picture((1, 2, "red")).repeat(8, 0).repeat(8, 1), ".jpg"))
    with serving(tmp_path / "yolov4-tiny.cfg") as server:
        (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
        block = block.replace("127.0.0.1:8000", server.url.partition("//")[2])
        done = subprocess.run([sys.executable, "-c", block], cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.stdout.startswith("[[1]]"), done.stderr


def test_the_container_file_starts_a_server_that_is_not_root_and_not_open() -> None:
    lines = [line.partition(" ") for line in file("Dockerfile").splitlines()]
    said = {word: rest for word, _, rest in lines}
    words = ["FROM", "COPY", "RUN", "COPY", "USER", "ENV", "EXPOSE", "ENTRYPOINT", "CMD"]
    assert [word for word, _, _ in lines] == words
    assert said["USER"] == "serve"
    assert f"useradd --system --no-create-home {said['USER']}" in said["RUN"]
    entry, rest = json.loads(said["ENTRYPOINT"]), json.loads(said["CMD"])
    assert entry[:2] == ["darknet-py", "serve"]
    options = parsed([*entry[2:], *rest])
    assert str(options["models"]) == said["COPY"].split()[-1]
    assert options["token_file"]


def test_the_manifest_asks_for_what_the_server_has(live: Live) -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML: pip install pyyaml")
    manifest = yaml.safe_load(file("darknet.yaml"))
    assert (manifest["apiVersion"], manifest["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    (container,) = manifest["spec"]["predictor"]["containers"]
    port = int(parsed(container["args"])["port"])
    assert [p["containerPort"] for p in container["ports"]] == [port]
    for probe in ("readinessProbe", "livenessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == port
        assert live.ask("GET", asked["path"])[0] == 200
    assert [e["name"] for e in container["env"]] == ["DARKNET_PY_TOKEN"]
    assert container["securityContext"]["runAsNonRoot"] is True


def test_the_numbers_of_the_page_are_the_defaults() -> None:
    from darknet_py.apps.serve.limits import MEBI, Limits

    own = Limits()
    told = PAGE.replace(",", "")
    for text in (f"at most {own.body // MEBI} MB", f"{own.pixels // 10**6} million pixels", f"JPEGs {own.scans} scans",
                 f"{own.queue} pictures of a model", f"{own.memory // MEBI} MB of bodies",
                 f"{own.connections} connections", f"{own.head_seconds:g} seconds for a head",
                 f"at most {own.head >> 10} kB", f"{own.body_seconds:g} for a body",
                 f"for at most {own.stop_seconds:g} seconds", f"{own.answer_seconds:g} for an answer",
                 f"{own.memory // MEBI} MB of answers"):  # fmt: skip
        assert text in told, text
    size = sum(path.stat().st_size for path in FILES)
    assert f"is {round(size / 1000)} kB" in told
