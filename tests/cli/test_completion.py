"""What shells complete: commands, options and their values, names of networks, and files."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from darknet_py.cli.completion import SHELLS, VARIABLE, script

from .conftest import Run

ASKED = [sys.executable, "-c", "from darknet_py.cli import main; main(prog_name='darknet-py')"]


def completed(*words: str) -> list[str]:
    """What fish is told of a line whose last word is not finished: `type,value` and a description."""
    environment = {**os.environ, VARIABLE: "fish_complete", "COMP_WORDS": " ".join(words), "COMP_CWORD": words[-1]}
    done = subprocess.run(ASKED, capture_output=True, text=True, env=environment, check=True)
    return [line.partition("\t")[0] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_a_shell_asks_the_program(run: Run, shell: str) -> None:
    result = run("completion", shell)
    assert result.exit_code == 0
    assert result.stdout == script(shell)
    assert VARIABLE in result.stdout
    assert "darknet-py" in result.stdout


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_one_of_that_shell(shell: str, tmp_path: Path) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    path = tmp_path / "script"
    path.write_text(script(shell))
    subprocess.run([shell, "-n", path], check=True)


def test_another_shell_is_refused_with_those_there_are(run: Run) -> None:
    result = run("completion", "tcsh")
    assert result.exit_code == 2
    assert "'bash', 'zsh', 'fish'" in result.stderr


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("darknet-py", "ex"), "plain,explain"),
        (("darknet-py", "run", "--ba"), "plain,--backend"),
        (("darknet-py", "run", "--backend", "open"), "plain,opencv"),
        (("darknet-py", "run", "yolov4-t"), "plain,yolov4-tiny"),
        (("darknet-py", "run", "my.c"), "file,my.c"),
        (("darknet-py", "run", "my.cfg", "dog"), "file,dog"),
        (("darknet-py", "weights", "in"), "plain,inspect"),
        (("darknet-py", "weights", "inspect", "cspp"), "plain,csppelee"),
        (("darknet-py", "explain", "maxp"), "plain,maxpool"),
        (("darknet-py", "cache", "net"), "plain,networks"),
        (("darknet-py", "download", "yolov4-t"), "plain,yolov4-tiny"),
    ],
)
def test_a_line_goes_on_with_what_fits(words: tuple[str, ...], found: str) -> None:
    assert found in completed(*words)


def test_what_can_only_be_a_name_offers_no_files() -> None:
    assert not [item for item in completed("darknet-py", "explain", "m") if item.startswith("file")]


def test_bash_completes_a_file_where_no_name_fits(tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("needs bash")
    program = tmp_path / "darknet-py"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m darknet_py "$@"\n')
    program.chmod(0o755)
    lines = (
        "compopt() { echo told $@; }", "source <(darknet-py completion bash)", "COMP_WORDS=(darknet-py run my.c)",
        "COMP_CWORD=2", "_darknet_py_completion darknet-py", 'echo "${#COMPREPLY[@]} names"',
    )  # fmt: skip
    environment = {**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([bash, "-c", "\n".join(lines)], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines() == ["told -o default", "0 names"], done.stderr
