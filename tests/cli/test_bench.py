"""`darknet-py bench`: one short race, and its messages."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from networks import write_detector

from .conftest import Run


def test_back_ends_are_timed_beside_each_other(run: Run, tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    result = run("bench", cfg, "--rounds", 1, "--threads", 1, "--backend", "onnxruntime", "--layers", "--json")
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)["rows"]
    assert row["backend"] == "onnxruntime"
    assert row["detect"]["median"] > 0 < row["network"]["median"]
    assert any(layer["name"] == "1_convolutional" for layer in row["layers"])


def test_a_back_end_that_fails_is_told_and_the_others_are_timed(run: Run, tmp_path: Path) -> None:
    cfg = write_detector(tmp_path)
    result = run("bench", cfg, "--rounds", 1, "--threads", 1, "--backend", "onnxruntime", "--backend", "tensorflow")
    assert result.exit_code == 1
    assert "tensorflow: not timed: BackendError: no back end 'tensorflow'" in result.stdout


def test_no_cfg_is_an_error_and_no_race(run: Run) -> None:
    result = run("bench", "no-such-network")
    assert result.exit_code == 1
    assert "no-such-network" in result.stderr


def test_what_a_precision_lacks_or_does_not_take_is_told_before_the_race(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("darknet_py.apps.bench.run._open", lambda *_: pytest.fail("opened"))
    cfg = write_detector(tmp_path)
    for words, said in (
        (["--precision", "int8"], "int8 is calibrated on pictures"),
        (["--data", "photos"], "f32 is not calibrated"),
        (["--precision", "f16", "--max-loss", 0.1], "f16 is not calibrated"),
    ):
        result = run("bench", cfg, *words)
        assert result.exit_code == 1
        assert said in result.stderr
