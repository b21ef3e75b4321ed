"""What tools/docs/video.md shows runs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scratch import needs_shared, run_line, write_scratch

PAGE = (Path(__file__).parents[1] / "tools/docs/video.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PYTHON = [text for language, text in BLOCKS if language == "python"]
LINES = [line.split("  #")[0].strip() for language, text in BLOCKS if not language for line in text.splitlines()]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where the reader stands."""
    write_scratch(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_page_has_examples() -> None:
    assert len(LINES) >= 5
    assert len(PYTHON) == 2


@pytest.mark.parametrize("line", LINES)
def test_its_commands_run(here: Path, line: str) -> None:
    needs_shared(line, here)
    assert run_line(line).exit_code == 0


@pytest.mark.parametrize("text", PYTHON)
def test_its_python_runs(here: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(text, "video.md", "exec"), {})
    assert "Traceback" not in capsys.readouterr().out
