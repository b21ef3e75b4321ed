"""Anchors: k-means by 1 - IoU as good as Darknet's best runs, masks by stride, and cfgs that keep their comments."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from darknet_py.analysis.anchors import fit_anchors, mean_iou, propose_masks
from darknet_py.apps.datasets.anchors import anchors
from darknet_py.cli import main
from darknet_py.darknet.compile import compile_cfg, compile_file
from darknet_py.errors import DataError

CFG = """[net]
width=64   # narrow
height=64
channels=3

[convolutional]
filters=18
size=1
stride=16
activation=linear

# the coarse head
[yolo]
mask = 1,2  ; two of them
anchors = 4,4, 8,8, 16,16
classes=4
num=3
"""


def labelled(folder: Path, sizes: list[tuple[float, float]]) -> Path:
    for i, (w, h) in enumerate(sizes):
        (folder / f"{i}.jpg").write_bytes(b"")
        (folder / f"{i}.txt").write_text(f"{i % 4} 0.5 0.5 {w / 64} {h / 64}\n")
    return folder


def test_the_best_of_many_seeds_is_as_good_as_darknets_best(shared: Path) -> None:
    cfg = shared / "weights/yolov4-tiny/yolov4-tiny.cfg"
    six = anchors(shared / "images/coco64", cfg)
    assert len(six.fit.anchors) == 6
    assert six.fit.iou > 0.5457  # one run of `detector calc_anchors -num_of_clusters 6` at 416
    assert anchors(shared / "images/coco64", cfg, count=9).fit.iou > 0.5963  # the same with 9
    assert six.own == pytest.approx(0.49, abs=0.01)
    assert [len(m) for m in six.masks] == [3, 3]  # as many as the heads have: filters stay


def test_a_seed_gives_the_same_anchors() -> None:
    sizes = np.random.default_rng(0).uniform(4, 60, (200, 2))
    first, second = (fit_anchors(sizes, 4, seeds=3) for _ in range(2))
    assert first.anchors.tolist() == second.anchors.tolist()
    assert first.iou <= first.spread[2] + 0.01  # whole pixels cost a little


def test_clusters_that_are_apart_are_found() -> None:
    sizes = np.repeat([[10.0, 20], [30, 30], [50, 8]], 20, axis=0)
    fit = fit_anchors(sizes, 3)
    assert sorted(map(tuple, fit.anchors.tolist())) == [(10, 20), (30, 30), (50, 8)]
    assert fit.iou == mean_iou(sizes, fit.anchors) == 1


def test_too_few_boxes_are_an_error() -> None:
    with pytest.raises(DataError, match="1 different box cannot make 2 anchors"):
        fit_anchors(np.ones((5, 2)), 2)


def test_the_best_of_all_seeds_is_never_worse_than_the_one_that_is_taken() -> None:
    sizes = np.random.default_rng(3).uniform(2, 9, (60, 2))
    fit = fit_anchors(sizes, 4, seeds=5)
    assert fit.iou == fit.spread[2] == mean_iou(sizes, fit.anchors)


def test_masks_by_size_follow_darknets_readme() -> None:
    sizes = np.array([[10.0, 10], [29, 29], [31, 31], [59, 59], [61, 61], [200, 200]])
    assert propose_masks(sizes, [8, 16, 32], by_size=True) == [(0, 1), (2, 3), (4, 5)]
    with pytest.raises(DataError, match="would get no anchor"):
        propose_masks(sizes[:2], [8, 16], by_size=True)


def test_the_cfg_that_is_written_keeps_its_comments_and_layout(tmp_path: Path) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text(CFG)
    data = labelled(tmp_path, [(10, 12), (11, 12), (30, 28), (31, 30), (50, 60), (52, 60)])
    found = anchors(data, cfg, count=3)
    text = found.cfg_text()
    changed = [(a, b) for a, b in zip(CFG.splitlines(), text.splitlines(), strict=True) if a != b]
    assert changed[0] == ("filters=18", "filters=27")
    assert changed[1] == ("mask = 1,2  ; two of them", "mask = 0,1,2  ; two of them")
    assert not compile_cfg(text).errors
    assert found.counters == (2, 2, 1, 1)


def test_anchors_of_a_region_are_in_cells(tmp_path: Path) -> None:
    cfg = tmp_path / "net.cfg"
    head = "[region]\nanchors=1,1, 2,2\nclasses=4\nnum=2\n"
    cfg.write_text(CFG[: CFG.index("# the coarse")] + head)
    found = anchors(labelled(tmp_path, [(16, 16), (32, 32), (16, 16)]), cfg)
    assert "anchors=1,1,  2,2" in found.cfg_text()
    assert found.own == 1


def test_a_cfg_without_anchors_is_an_error(tmp_path: Path) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text(CFG[: CFG.index("# the coarse")])
    with pytest.raises(DataError, match="no head with anchors"):
        anchors(labelled(tmp_path, [(1, 1)]), cfg)


def test_the_command_writes_a_cfg_beside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cfg = tmp_path / "net.cfg"
    cfg.write_text(CFG)
    data = labelled(tmp_path, [(10, 12), (30, 28), (50, 60)])
    output = tmp_path / "new.cfg"
    result = CliRunner().invoke(main, ["anchors", str(data), str(cfg), "--write", str(output), "--json"])
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["schema"] == "darknet-py/anchors/1"
    assert not compile_file(output).errors
    output.write_text("mine")
    monkeypatch.setattr("darknet_py.apps.datasets.anchors.anchors", lambda *_, **__: pytest.fail("fitted"))
    again = CliRunner().invoke(main, ["anchors", str(data), str(cfg), "--write", str(output)])
    assert again.exit_code == 1
    assert "new.cfg exists, and is not known to be written by darknet-py" in again.stderr
