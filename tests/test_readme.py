"""Every block of code in the README runs, or says what it needs; what it prints of messages is what is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import SHARED
from scratch import needs_shared, run_line, show_nothing, write_scratch

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
SHELL = [text for language, text in BLOCKS if not language and re.match(r"darknet-py|pip|make", text)]
MESSAGES = [text for language, text in BLOCKS if not language and text.startswith("my.cfg:")]
LINES = [line.split("  #")[0].strip() for text in SHELL for line in text.splitlines() if line.strip()]

# The cfg that the README shows the messages about.
MISTAKES = """[net]
width=32
height=32
channels=3

[convolutional]
batch_normalise=1
filters=8
size=3
stride=1
pad=1
activation=leeky
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the examples."""
    path = tmp_path_factory.mktemp("readme")
    write_scratch(path)
    return path


@pytest.fixture
def here(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder, as where the reader stands; trained models come from the material outside the repository."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("DARKNET_PY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("DARKNET_PY_MIRROR", str(SHARED / "weights"))
    show_nothing(monkeypatch)
    return SHARED


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    assert len(PYTHON) + len(SHELL) + len(MESSAGES) == len(BLOCKS)
    assert len(PYTHON) >= 3
    assert len(MESSAGES) == 1


@pytest.mark.parametrize("line", LINES)
def test_a_command_runs(here: Path, line: str) -> None:
    if line.startswith("make "):
        assert re.search(rf"(?m)^{line.split()[1]}:", (ROOT / "Makefile").read_text())
        return
    if line.startswith("pip install"):
        assert line.split()[2] == "."
        return
    needs_shared(line, here)
    if line.startswith("darknet-py plot"):
        pytest.importorskip("matplotlib", reason="needs matplotlib: pip install 'darknet-compiler[plot]'")
    run_line(line)


@pytest.mark.parametrize("text", PYTHON)
def test_a_block_of_python_runs(here: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    if "_3rdparty_" in text:
        pytest.skip("needs a trained classifier of mmpretrain's, which cannot be had everywhere")
    if '"yolov4-tiny"' in text:
        needs_shared("darknet-py run yolov4-tiny", here)
    exec(compile(text, "README.md", "exec"), {})  # the README is ours


def test_extras_that_are_named_exist() -> None:
    extras = {name for group in re.findall(r"\[([a-z,]+)\]'", README) for name in group.split(",")}
    setup = (ROOT / "setup.cfg").read_text()
    assert {"view", "plot"} <= extras
    assert not [name for name in extras if not re.search(rf"(?m)^{name} = ", setup)]


def test_the_messages_shown_are_the_messages(
    here: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from click.testing import CliRunner

    from darknet_py.cli import main

    monkeypatch.chdir(tmp_path)
    Path("my.cfg").write_text(MISTAKES)
    assert CliRunner().invoke(main, ["lint", "my.cfg"]).stdout == MESSAGES[0]
