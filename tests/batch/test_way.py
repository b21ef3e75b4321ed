"""How many processes, threads and pictures at a time: measured once, remembered, told, and nothing in the rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from networks import write_detector
from scenes import parts, write_pictures

from darknet_py import batch
from darknet_py.apps.batch import way as module
from darknet_py.apps.batch.job import Job, RowOptions
from darknet_py.apps.batch.way import ways_for
from darknet_py.apps.batch.worker import Died
from darknet_py.backends.auto import measurements
from darknet_py.model import throughput
from darknet_py.model.throughput import Way

USUAL = Way(2, 1, 1)


@pytest.fixture(autouse=True)
def two_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "cores", lambda: 2)
    monkeypatch.setattr(module, "MANY", 6)
    monkeypatch.setattr(throughput, "SECONDS", 0.001)
    monkeypatch.setattr(throughput, "ROUNDS", 1)


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    return write_detector(tmp_path / "net")


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "photos", 7)
    return tmp_path / "photos"


def job(**network: Any) -> Job:
    return Job({"backend": "onnxruntime", "threads": 1, **network}, RowOptions(), "jsonl", 0, "")


def run(cfg: Path, photos: Path, out: Path, **options: Any) -> list[str]:
    """What is said of ways."""
    told: list[str] = []
    assert batch(cfg, photos, out, shard_size=3, say=told.append, **options).complete
    return [line for line in told if "way" in line or "processes" in line]


def test_what_somebody_asked_for_is_not_tried_otherwise() -> None:
    assert ways_for(job(), None, None, None, True) == (USUAL, Way(2, 1, 4), Way(1, 2, 1), Way(1, 2, 4))
    assert ways_for(job(), None, None, 3, True) == (Way(2, 1, 3), Way(1, 2, 3))
    assert ways_for(job(), 5, None, None, True) == (Way(5, 1, 1), Way(5, 1, 4))
    assert ways_for(job(), None, 2, None, False) == (Way(1, 2, 1),)
    assert ways_for(job(device="cuda:0"), None, None, None, True) == (Way(1, 1, 1), Way(1, 1, 4))
    numpy = Job({"backend": "numpy"}, RowOptions(), "jsonl", 0, "")
    assert ways_for(numpy, None, None, None, False) == (USUAL,)


@pytest.mark.parametrize("way", [USUAL, Way(2, 1, 4), Way(1, 2, 1), Way(1, 2, 4), Way(3, 1, 2)], ids=str)
def test_the_same_bytes_come_out_whatever_the_way(
    cfg: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Way
) -> None:
    run(cfg, photos, tmp_path / "usual", processes=1, batch=1)
    monkeypatch.setattr("darknet_py.apps.batch.run.ways_for", lambda *_: (way,))
    run(cfg, photos, tmp_path / "out")
    assert parts(tmp_path / "out") == parts(tmp_path / "usual")


def test_the_way_is_measured_once_remembered_and_told(cfg: Path, photos: Path, tmp_path: Path) -> None:
    first = run(cfg, photos, tmp_path / "first")
    (kept,) = measurements().iterdir()
    assert first[0] == f"timing 4 ways of computing many pictures; remembered in {kept}"
    taken = Way(*json.loads(kept.read_text())["way"])
    assert first[1].startswith("processes x threads: pictures a second: ")
    assert first[1].endswith(f"; taken: {taken}")
    assert run(cfg, photos, tmp_path / "second") == first[1:]
    assert parts(tmp_path / "first") == parts(tmp_path / "second")


def test_a_work_begun_in_one_way_is_gone_on_with_in_another(cfg: Path, photos: Path, tmp_path: Path) -> None:
    assert not batch(cfg, photos, tmp_path / "out", shard_size=3, share="0/2", processes=1, batch=2).complete
    assert batch(cfg, photos, tmp_path / "out", shard_size=3, processes=2, batch=1).kept


def test_few_pictures_and_what_is_given_measure_nothing(
    cfg: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "quickest_way", None)
    assert run(cfg, photos, tmp_path / "given", processes=1, batch=2) == []
    monkeypatch.setattr(module, "MANY", 8)
    assert run(cfg, photos, tmp_path / "few") == []


def test_a_split_that_dies_is_left_out_and_the_usual_way_stays_where_all_do(
    cfg: Path, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dying = {2}

    def send(way: Way, crew: object, count: int) -> None:
        if way.runs in dying:
            raise Died("SIGKILL")

    monkeypatch.setattr(module._Crew, "send", staticmethod(send))
    told = run(cfg, photos, tmp_path / "out")
    assert " x 1 threads" not in told[-1]
    assert "taken: 1 x 2 threads" in told[-1]
    next(measurements().iterdir()).unlink()
    dying.add(1)
    assert len(run(cfg, photos, tmp_path / "again")) == 1
    assert not list(measurements().iterdir())
