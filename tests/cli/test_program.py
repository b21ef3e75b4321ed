"""The program as a shell sees it: what is printed arrives whole, and the status says how it went."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = [sys.executable, "-m", "darknet_py"]


def test_what_is_printed_arrives_whole(cfg: Path) -> None:
    done = subprocess.run([*PROGRAM, "summary", cfg], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.endswith("\n")
    assert "BFLOPs" in done.stdout


@pytest.mark.parametrize(("arguments", "status"), [(["lint", "missing.cfg"], 1), (["nonsense"], 2), (["--version"], 0)])
def test_the_status_is_that_of_the_command(arguments: list[str], status: int) -> None:
    assert subprocess.run([*PROGRAM, *arguments], capture_output=True, check=False).returncode == status


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full, which is always full, on this system")
def test_output_that_cannot_be_written_is_an_error(cfg: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([*PROGRAM, "summary", cfg], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "error: No space left on device"


def test_a_closed_output_is_no_error(cfg: Path) -> None:
    command = f"{sys.executable} -m darknet_py lint {cfg} >&-"
    assert subprocess.run(command, shell=True, check=False).returncode == 0


@pytest.mark.skipif(os.name != "posix", reason="needs the signals of Unix")
@pytest.mark.parametrize("workers", ["0", "2", "auto"])
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_ends_it_and_what_was_found_is_kept(cfg: Path, photos: Path, name: str, workers: str) -> None:
    number = getattr(signal, name)
    command = [*PROGRAM, "run", cfg, *[photos / "a.png"] * 2000, "--json", "--workers", workers, "-o", photos / "out"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as process:
        assert process.stdout
        assert process.stderr
        first = process.stdout.read(60)
        process.send_signal(number)
        rest, told = process.communicate()
    assert process.returncode == 128 + number
    found = json.loads(first + rest)
    assert 1 <= len(found) < 2000
    assert found[0]["objects"][0]["name"] == "red"
    assert told.endswith(b"stopped\n")
    assert b"Traceback" not in told
    assert not list(photos.rglob(".darknet-py.*.*"))


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
def test_a_reader_that_has_enough_is_no_error(cfg: Path) -> None:
    for arguments in (f"summary {cfg}", "models", f"lint {cfg} {cfg}x", f"graph {cfg}"):
        command = f"{sys.executable} -m darknet_py {arguments} | (exec 0<&-; sleep 1)"
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        assert "rror: " not in done.stderr.replace("1 error", "")
        assert "Traceback" not in done.stderr
