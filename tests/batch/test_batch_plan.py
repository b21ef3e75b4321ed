"""The plan: some pictures are measured stage by stage, the rest is arithmetic, and nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest
from networks import write_detector
from scenes import BROKEN, write_pictures

from darknet_py import batch_plan
from darknet_py.apps.batch.plan import MEASURED, BatchPlan
from darknet_py.errors import DataError

STAGES = {"reading": 0.002, "decoding": 0.003, "input": 0.0, "network": 0.015, "rows": 0.0, "writing": 0.0}


def plan(pictures: int, cores: int, listing: float = 1e-5) -> BatchPlan:
    return BatchPlan(pictures, cores, 64, 0, 1.0, listing, STAGES, 100e3, 1e3)


def test_time_is_the_work_divided_by_the_cores() -> None:
    assert plan(1000, 4).seconds == pytest.approx(1 + 1000 * 0.02 / 4)
    assert plan(1000, 4).bottleneck == "network"


def test_many_cores_wait_for_the_listing() -> None:
    found = plan(10**9, 10_000)
    assert found.seconds == pytest.approx(1 + 1e4)
    assert found.bottleneck == "listing"
    assert "1,000,000,000 pictures on 10000 cores" in str(found)


def test_a_plan_measures_every_stage_and_writes_nothing(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 5)
    (tmp_path / "photos" / "0001.png").write_bytes(BROKEN)
    cfg = write_detector(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    found = batch_plan(cfg, tmp_path / "photos", cores=2)
    assert (found.pictures, found.measured, found.broken, found.cores) == (5, 5, 1, 2)
    assert found.stages.keys() == STAGES.keys()
    assert all(seconds > 0 for seconds in found.stages.values())
    assert found.input_bytes > 50
    assert sorted(tmp_path.rglob("*")) == before


def test_a_plan_measures_so_many_and_counts_all(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", MEASURED + 10)
    cfg = write_detector(tmp_path)
    found = batch_plan(cfg, tmp_path / "photos")
    assert (found.pictures, found.measured) == (MEASURED + 10, MEASURED)
    assert batch_plan(cfg, tmp_path / "photos", pictures=1000).pictures == 1000


def test_a_plan_of_nothing_readable_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(BROKEN)
    with pytest.raises(DataError, match="none of 1 pictures can be read"):
        batch_plan(write_detector(tmp_path), tmp_path / "a.png")
    with pytest.raises(DataError, match="cores is at least 1"):
        batch_plan(write_detector(tmp_path), tmp_path / "a.png", cores=0)
