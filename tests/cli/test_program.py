"""The program as a shell sees it: what is printed arrives whole, and the status says how it went."""

from __future__ import annotations

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
