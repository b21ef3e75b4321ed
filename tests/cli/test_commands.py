"""The smaller commands: summary, verify, weights, models, download."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from darknet_py.zoo import models as zoo
from darknet_py.zoo.checkpoints import trained_networks
from darknet_py.zoo.shipped import ready_networks

from .conftest import Run


def test_summary_is_darknets_table_or_json(run: Run, cfg: Path) -> None:
    assert "Parameters 28 " in run("summary", cfg).stdout
    data = json.loads(run("summary", cfg, "--json").stdout)
    conv = data["layers"][1]
    assert (conv["index"], conv["type"], conv["out"], conv["params"]) == (1, "convolutional", [7, 4, 4], 28)
    assert conv["line"] == 10


def test_summary_can_be_sorted_by_every_cost(run: Run, cfg: Path) -> None:
    from darknet_py.analysis.cost import COLUMNS
    from darknet_py.cli.summary import SORTABLE

    assert tuple(SORTABLE) == COLUMNS
    for column in SORTABLE:
        assert column in run("summary", cfg, "--sort", column).stdout.splitlines()[0]
        rows = run("summary", cfg, "--sort", column, "--csv").stdout.splitlines()[1:]
        values = [float(row.split(",")[1 + SORTABLE.index(column)]) for row in rows]
        assert len(values) == 3
        assert values == sorted(values, reverse=True)


def test_summary_says_what_heads_see_and_what_memory_costs(run: Run, cfg: Path) -> None:
    text = run("summary", cfg).stdout
    assert "2_yolo, 4x4 cells, sees 8x8 pixels; anchors 16x16" in text
    assert "Memory access of convolutions 0.0 M numbers with weights; as much arithmetic takes 0.0 M at least" in text
    data = json.loads(run("summary", cfg, "--json").stdout)
    assert data["fields"] == [
        {"layer": "2_yolo", "cells": [4, 4], "height": 8, "width": 8, "whole": False, "anchors": [[16, 16]]}
    ]
    assert (data["access"], data["access_bound"]) == (48 + 112 + 21, 147 + 21)  # 2 sqrt(48 * 112) = 146.6
    assert data["layers"][1]["live"] == 48 + 112
    header, *rows = run("summary", cfg, "--csv").stdout.splitlines()
    assert [line.rpartition(",")[2] for line in (header, *rows)] == ["field", "", "", "8x8"]


def test_summary_of_a_broken_cfg_shows_what_could_be_built(run: Run, tmp_path: Path) -> None:
    broken = tmp_path / "broken.cfg"
    broken.write_text("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]\n[shortcut]\nfrom=-9\n")
    result = run("summary", broken)
    assert result.exit_code == 1
    assert "0 avg" in result.stdout
    assert "DK304" in result.stderr


def test_verify_compares_the_runtimes(run: Run, cfg: Path) -> None:
    result = run("verify", cfg, "--all")
    assert result.exit_code == 0
    assert "onnxruntime" in result.stdout
    assert "2_yolo" in result.stdout


def test_what_verify_would_pass_over_beside_files_is_refused(run: Run, cfg: Path) -> None:
    result = run("verify", cfg, "--exported", "net.onnx", "--all", "--backend", "numpy")
    assert result.exit_code == 2
    assert "leave out --backend, --all" in result.stderr


def test_verify_fails_over_the_tolerance(run: Run, cfg: Path) -> None:
    np.save("x.npy", np.random.default_rng(0).random((2, 3, 32, 32), np.float32))
    result = run("verify", cfg, "--input", "x.npy", "--backend", "opencv", "--tolerance", 0, "--json")
    data = json.loads(result.stdout)
    assert data["backends"] == ["opencv"]
    assert result.exit_code == (0 if data["passed"] else 1)


def test_inspect_shows_header_and_ledger(run: Run, cfg: Path) -> None:
    text = run("weights", "inspect", cfg).stdout
    assert "version 0.2.5" in text
    assert "1_convolutional" in text
    assert "fits: 132 bytes" in text
    data = json.loads(run("weights", "inspect", cfg, "--json").stdout)
    assert data["layers"][0]["parts"] == {"biases": 7, "weights": 21}
    assert data["layers"][0]["offset"] == 20


@pytest.mark.parametrize(("change", "verdict"), [(-8, "too short"), (4, "too long")])
def test_inspect_says_what_does_not_fit(run: Run, cfg: Path, change: int, verdict: str) -> None:
    path = cfg.with_suffix(".weights")
    path.write_bytes((path.read_bytes() + bytes(8))[: 132 + change])
    result = run("weights", "inspect", cfg)
    assert result.exit_code == 1
    assert verdict in result.stdout


def test_inspect_of_no_weights_file_is_one_message(run: Run, cfg: Path) -> None:
    Path("w").write_bytes(b"tiny")
    for path in ("w", "missing"):
        result = run("weights", "inspect", cfg, path)
        assert result.exit_code == 1
        assert result.stderr.startswith("error[DK40")


def test_cut_writes_the_first_layers(run: Run, cfg: Path) -> None:
    whole = cfg.with_suffix(".weights").read_bytes()
    run("weights", "cut", cfg, cfg.with_suffix(".weights"), "a.conv.1", 1)
    run("weights", "cut", cfg, cfg.with_suffix(".weights"), "a.conv.2", 2)
    assert Path("a.conv.1").read_bytes() == whole[:20]
    assert Path("a.conv.2").read_bytes() == whole
    assert run("weights", "cut", cfg, "a.conv.1", "b", 2).exit_code == 1


def test_models_lists_the_zoo(run: Run) -> None:
    assert "yolov4-tiny" in run("models").stdout
    trained = {m["name"] for m in json.loads(run("models", "--json").stdout) if m["trained"]}
    assert trained == {*zoo.models(), *trained_networks(), *ready_networks()}


def test_download_takes_files_from_a_mirror(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def file(name: str, data: bytes) -> zoo.File:
        (tmp_path / name).write_bytes(data)
        return zoo.File(name, len(data), hashlib.sha256(data).hexdigest(), ())

    model = zoo.ZooModel("m", "M", "MIT", "", "coco", file("m.cfg", b"[net]\n"), file("m.weights", b"1234"), None)
    monkeypatch.setattr(zoo, "models", lambda: {"m": model})
    monkeypatch.setenv("DARKNET_PY_MIRROR", str(tmp_path))
    result = run("download", "m")
    assert result.exit_code == 0
    cfg, weights, names = result.stdout.splitlines()
    assert Path(weights).read_bytes() == b"1234"
    assert Path(cfg).parent == Path(names).parent == tmp_path / "cache" / "m"
    assert run("download", "m", "n").exit_code == 1


def test_cache_shows_what_is_kept_and_removes_it(run: Run, cfg: Path, photos: Path, tmp_path: Path) -> None:
    run("run", cfg, photos / "a.png", "--no-save")
    shown = run("cache")
    assert f"kept in {tmp_path / 'cache'}:" in shown.stderr
    assert "     1 " in shown.stdout.splitlines()[0]
    assert shown.stdout.splitlines()[0].startswith("networks ")
    assert shown.stdout.splitlines()[0].endswith(" MB  compiled networks")
    held = json.loads(run("cache", "networks", "--json").stdout)
    assert held["folder"] == str(tmp_path / "cache")
    assert [(h["kind"], h["entries"]) for h in held["held"]] == [("networks", 1)]
    removed = json.loads(run("cache", "--clear", "--json").stdout)["removed"]
    assert removed[0] == held["held"][0]
    assert run("cache", "networks").stdout.split()[:2] == ["networks", "0"]


def test_cache_knows_its_kinds(run: Run) -> None:
    result = run("cache", "netwrks")
    assert result.exit_code == 1
    assert "did you mean 'networks'" in result.stderr
