"""`darknet-py lint`: text as a compiler writes it, JSON, and the exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Run

HEAD = "[net]\nwidth=8\nheight=8\nchannels=3\n"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    path = tmp_path / "bad.cfg"
    path.write_text(HEAD + "[convolutional]\nfilters=2\nactivation=leeky\npadd=1\n")
    return path


def test_a_clean_file_is_silent(run: Run, cfg: Path) -> None:
    result = run("lint", cfg)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == "1 file: 0 errors, 0 warnings\n"


def test_errors_have_a_place_a_caret_and_a_hint(run: Run, bad: Path) -> None:
    result = run("lint", bad)
    assert result.exit_code == 1
    assert f"{bad}:7:" in result.stdout
    assert "^^^^^" in result.stdout
    assert "did you mean 'leaky'" in result.stdout
    assert "1 error, 1 warning" in result.stderr


def test_json_is_a_list_with_places(run: Run, bad: Path) -> None:
    result = run("lint", bad, "--json")
    error, warning = json.loads(result.stdout)
    assert (error["file"], error["line"], error["severity"]) == (str(bad), 7, "error")
    assert error["code"].startswith("DK")
    assert (warning["line"], warning["severity"]) == (8, "warning")
    assert result.exit_code == 1


def test_strict_makes_errors_of_warnings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "odd.cfg").write_text(HEAD + "[avgpool]\nfoo=1\n")
    assert run("lint", "odd.cfg").exit_code == 0
    assert run("lint", "odd.cfg", "--strict").exit_code == 1


def test_as_darknet_reads_an_unknown_activation(run: Run, bad: Path) -> None:
    assert run("lint", bad, "--as-darknet").exit_code == 0


def test_every_file_is_looked_at(run: Run, bad: Path, cfg: Path) -> None:
    result = run("lint", bad, cfg, "missing.cfg")
    assert result.exit_code == 1
    assert "missing.cfg: error[DK501]: cannot read missing.cfg" in result.stdout
    assert result.stderr == "3 files: 2 errors, 1 warning\n"


def test_a_folder_is_no_cfg(run: Run, tmp_path: Path) -> None:
    result = run("lint", tmp_path)
    assert result.exit_code == 1
    assert "cannot read" in result.stdout


def test_the_dialect_can_be_said(run: Run, cfg: Path) -> None:
    assert run("lint", cfg, "--dialect", "pytorch").exit_code == 0
    assert run("lint", cfg, "--dialect", "latin").exit_code == 2


def test_a_file_is_named_once_where_there_is_no_position(run: Run, tmp_path: Path) -> None:
    (tmp_path / "marked.cfg").write_text("\ufeff" + HEAD + "[avgpool]\n", "utf-8")
    result = run("lint", tmp_path / "marked.cfg")
    assert result.stdout.startswith(f"{tmp_path / 'marked.cfg'}: warning[DK101]: byte-order mark")
