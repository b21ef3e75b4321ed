"""The examples of `tools/docs/contributing.md` work, each as one new file in an otherwise unchanged package."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import darknet_py

PACKAGE = Path(darknet_py.__file__).parent
PAGE = PACKAGE.parent / "tools" / "docs" / "contributing.md"
EXAMPLE = re.compile(
    r"^## (?P<title>[^\n]+)\n(?:(?!^## ).)*?^`(?P<file>darknet_py/[\w/]+\.py)`\n\n```python\n(?P<code>.*?)^```\n\n"
    r"Then this holds:\n\n```python\n(?P<check>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
EXAMPLES = {m["title"]: (m["file"], m["code"], m["check"]) for m in EXAMPLE.finditer(PAGE.read_text("utf-8"))}


def test_every_kind_has_an_example() -> None:
    assert list(EXAMPLES) == ["A layer of Darknet", "A back end", "An output format", "A command", "A pass"]


@pytest.mark.parametrize("title", EXAMPLES)
def test_an_example_is_one_new_file(tmp_path: Path, title: str) -> None:
    file, code, check = EXAMPLES[title]
    shutil.copytree(PACKAGE, tmp_path / "darknet_py", ignore=shutil.ignore_patterns("__pycache__"))
    assert not (tmp_path / file).exists()
    (tmp_path / file).write_text(code)
    run = [sys.executable, "-c", f"import darknet_py; print(darknet_py.__file__)\n{check}"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "DARKNET_PY_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(run, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith(str(tmp_path))
