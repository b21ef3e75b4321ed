"""`darknet-py batch`: what it prints, its exit status, and what it says of words that go together or do not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from networks import write_detector
from scenes import BROKEN, write_pictures

from darknet_py.cli import main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_detector(tmp_path, "my")
    write_pictures(tmp_path / "photos", 3)
    (tmp_path / "photos" / "0001.png").write_bytes(BROKEN)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["batch", *arguments])


def test_a_work_is_told_in_a_line_and_broken_pictures_are_no_failure(here: Path) -> None:
    done = said("my.cfg", "photos", "-o", "out", "--processes", "1")
    assert done.exit_code == 0
    assert done.stdout == ""
    assert "3 pictures in" in done.stderr
    assert "1 of them broken, as `error` of their rows says: out/manifest.json" in done.stderr


def test_json_is_for_programs(here: Path) -> None:
    data = json.loads(said("my.cfg", "photos", "-o", "out", "--processes", "1", "--json").stdout)
    assert (data["pictures"], data["errors"], data["complete"]) == (3, 1, True)
    data = json.loads(said("--status", "out", "--json").stdout)
    assert (data["done_pictures"], data["complete"]) == (3, True)
    data = json.loads(said("my.cfg", "photos", "--plan", "--cores", "4", "--json").stdout)
    assert (data["pictures"], data["cores"]) == (3, 4)
    assert data["bottleneck"] in (*data["stages"], "listing")


def test_other_options_are_one_message(here: Path) -> None:
    said("my.cfg", "photos", "-o", "out", "--processes", "1")
    done = said("my.cfg", "photos", "-o", "out", "--conf", "red=0.5")
    assert done.exit_code == 1
    assert "conf is" in done.stderr
    assert "--no-resume" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["my.cfg"], "say which network and pictures"),
        (["my.cfg", "photos"], "say which network and pictures"),
        (["my.cfg", "photos", "-o", "out", "--cores", "3"], "are for --plan"),
    ],
)
def test_what_lacks_is_told(here: Path, arguments: list[str], message: str) -> None:
    done = said(*arguments)
    assert done.exit_code == 2
    assert message in done.stderr


def test_a_shard_that_failed_is_exit_status_1(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from darknet_py.apps.batch import worker

    monkeypatch.setattr(worker, "PATIENCE", 1)
    monkeypatch.setattr(worker, "COMMAND", ("false",))
    done = said("my.cfg", "photos", "-o", "out", "--processes", "1")
    assert done.exit_code == 1
    assert done.stderr.startswith("error: the process that computes dies")
    assert "still to be done: 1 shard" in done.stderr


def test_elsewhere_than_on_a_terminal_progress_is_a_line_now_and_then(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from darknet_py.cli import batch as module

    monkeypatch.setattr(module, "LOG_SECONDS", 0.0)
    monkeypatch.setattr(module, "FIRST_SECONDS", 0.0)
    done = said("my.cfg", "photos", "-o", "out", "--processes", "1", "--shard-size", "1")
    lines = done.stderr.splitlines()
    assert [line.split(",")[0] for line in lines[:3]] == ["1 picture", "2 pictures", "3 pictures"]
    assert "\x1b" not in done.stderr
    again = said("my.cfg", "photos", "-o", "out", "--processes", "1", "--shard-size", "1")
    assert len(again.stderr.splitlines()) == 1, "nothing was computed"


def test_to_begin_anew_and_from_another_folder_is_possible_in_one_process(here: Path) -> None:
    command = [sys.executable, "-m", "darknet_py", "batch"]
    root = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}

    def batch(*words: str, folder: Path = here) -> None:
        done = subprocess.run([*command, *words], cwd=folder, env=root, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    batch("my.cfg", "photos", "-o", "out", "--processes", "1")
    batch("my.cfg", "photos", "-o", "out", "--processes", "1", "--no-resume")
    batch("my.cfg", "photos", "-o", "out", "--processes", "1", "--no-resume", "--conf", "0.5")
    assert json.loads((here / "out" / "manifest.json").read_text())["job"]["options"]["conf"] == 0.5
    shutil.copytree(here, here / "other", ignore=shutil.ignore_patterns("out", "other"))
    batch("my.cfg", "photos", "-o", "../out", "--processes", "1", "--conf", "0.5", folder=here / "other")


def test_an_exported_file_says_which_thresholds_count(here: Path) -> None:
    from darknet_py import batch, export_onnx

    export_onnx("my.cfg", "my.onnx", threshold=0.99999)
    batch("my.onnx", "photos", "out", processes=1)
    batch("my.onnx", "photos", "asked", processes=1, conf=0.25)
    found = {
        name: sum(
            len(json.loads(line)["boxes"] or ())
            for part in Path(name).glob("part-*")
            for line in part.read_text("utf-8").splitlines()
        )
        for name in ("out", "asked")
    }
    assert found["out"] == 0 < found["asked"]
