"""Every example in a command's `--help` runs, in a folder with the files that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from scratch import needs_shared, run_line, show_nothing, write_scratch

from darknet_py.cli import main, words

HELP = {name: command.help or "" for name, command in words._leaves()}
EXAMPLES = {name: re.findall(r"^ *(darknet-py .+)$", text, re.MULTILINE) for name, text in HELP.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the examples."""
    path = tmp_path_factory.mktemp("examples")
    write_scratch(path)
    return path


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, as where the shell stands; trained models come from the material outside the repository."""
    from conftest import SHARED

    monkeypatch.chdir(folder)
    monkeypatch.setenv("DARKNET_PY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DARKNET_PY_MIRROR", str(SHARED / "weights"))
    show_nothing(monkeypatch)
    return SHARED


def test_every_command_has_an_example() -> None:
    assert len(EXAMPLES) > 20
    assert not [name for name, lines in EXAMPLES.items() if not lines]


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of_a_command_run_in_turn(here: Path, name: str) -> None:
    for line in EXAMPLES[name]:
        needs_shared(line, here)
        if line.startswith("darknet-py plot"):
            pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'darknet-compiler[plot]'")
        if name.split()[-1] == "train":
            pytest.importorskip("torch", reason="needs torch: pip install 'darknet-compiler[torch]'")
        run_line(line)


def test_the_examples_of_the_program_run(here: Path) -> None:
    text = CliRunner().invoke(main, ["--help"], prog_name="darknet-py").output
    lines = re.findall(r"^ *(darknet-py .+)$", text, re.MULTILINE)
    assert len(lines) >= 3
    for line in lines:
        needs_shared(line, here)
        run_line(line)
