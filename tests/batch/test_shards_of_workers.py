"""Processes that die: of a picture, which is found, or by chance, which costs time and nothing else."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from networks import write_detector
from scenes import encoded, results, write_pictures

from darknet_py import batch
from darknet_py.apps.batch import worker
from darknet_py.apps.batch.listing import list_items
from darknet_py.apps.batch.run import job_of
from darknet_py.apps.batch.shards import Shard
from darknet_py.errors import DataError

# A process that dies as one does in which a decoder writes where it should not: at once, without a word.
DEADLY = """
import os, signal, sys
from pathlib import Path
from darknet_py.apps.batch import child
from darknet_py.vision import opening

plain = opening.decode

def decode(data, channels, limit, where, say):
    {when}
        os.kill(os.getpid(), signal.SIGSEGV)
    return plain(data, channels, limit, where, say)

opening.decode = decode
child.run_child()
"""


@pytest.fixture
def cfg(tmp_path: Path) -> Path:
    (tmp_path / "net").mkdir()
    return write_detector(tmp_path / "net")


def deadly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    script = tmp_path / "deadly.py"
    script.write_text(DEADLY.format(when=when))
    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", root)
    monkeypatch.setattr(worker, "COMMAND", (sys.executable, str(script)))


def test_pictures_that_kill_are_found_recorded_and_passed_by(
    cfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = write_pictures(tmp_path / "photos", 12)
    for path in (paths[3], paths[10]):
        path.write_bytes(encoded() + b"poison")
    deadly(tmp_path, monkeypatch, 'if data.endswith(b"poison"):')
    found = batch(cfg, tmp_path / "photos", tmp_path / "out", shard_size=6, processes=1)
    assert (found.complete, found.errors) == (True, 2)
    rows = results(tmp_path / "out")
    assert [row["position"] for row in rows if row["error"]] == [3, 10]
    assert rows[3]["error"] == f"{paths[3]}: it kills the process that reads it (SIGSEGV); passed by"
    assert [row["position"] for row in rows] == list(range(12))
    assert all(row["boxes"] for row in rows if not row["error"])


def test_a_shard_of_one_picture_that_kills_is_done_too(
    cfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pictures(tmp_path / "photos", 2)
    deadly(tmp_path, monkeypatch, 'if "0001" in where:')
    assert batch(cfg, tmp_path / "photos", tmp_path / "out", shard_size=1, processes=2).complete
    assert [bool(row["error"]) for row in results(tmp_path / "out")] == [False, True]


def test_a_death_by_chance_blames_no_picture(cfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "photos", 8)
    left = tmp_path / "left"
    left.write_text("5")
    when = f"""count = int(Path({str(left)!r}).read_text())
    if count:
        Path({str(left)!r}).write_text(str(count - 1))"""
    deadly(tmp_path, monkeypatch, when)
    found = batch(cfg, tmp_path / "photos", tmp_path / "out", shard_size=4, processes=1)
    assert (found.complete, found.errors) == (True, 0)
    assert left.read_text() == "0"


def test_a_process_that_always_dies_fails_its_shard_and_not_the_others(
    cfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PATIENCE", 4)
    write_pictures(tmp_path / "photos", 6)
    # Two pictures that kill only together: what runs out of memory does so.
    seen = tmp_path / "seen"
    when = f"""if "0002" in where:
        Path({str(seen)!r}).write_text(str(os.getpid()))
    if "0003" in where and Path({str(seen)!r}).exists() and Path({str(seen)!r}).read_text() == str(os.getpid()):"""
    deadly(tmp_path, monkeypatch, when)
    found = batch(cfg, tmp_path / "photos", tmp_path / "out", shard_size=2, processes=1)
    assert (found.computed, found.missing) == (2, 1)
    assert "no picture kills it alone" in found.failures[0]
    assert not (tmp_path / "out" / "manifest.json").exists()
    monkeypatch.undo()
    assert batch(cfg, tmp_path / "photos", tmp_path / "out", shard_size=2, processes=1).kept == 2


def test_a_network_that_cannot_be_opened_there_is_told_with_its_words(
    cfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PATIENCE", 2)
    write_pictures(tmp_path / "photos", 1)
    script = "import sys, os; print('a library is missing', file=sys.stderr); sys.exit(3)"
    monkeypatch.setattr(worker, "COMMAND", (sys.executable, "-c", script))
    found = batch(cfg, tmp_path / "photos", tmp_path / "out", processes=1)
    assert "dies while it opens the network (exit status 3)" in found.failures[0]


def test_when_one_shard_after_another_fails_the_work_stops(
    cfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "PATIENCE", 1)
    monkeypatch.setattr(worker, "COMMAND", ("false",))
    write_pictures(tmp_path / "photos", 50)
    with pytest.raises(DataError, match="8 shards in a row have failed, the last one so: the process that computes"):
        batch(cfg, tmp_path / "photos", tmp_path / "out", shard_size=1, processes=2)
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_what_a_process_cannot_do_is_told_and_the_shard_is_left(cfg: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 2)
    out = tmp_path / "out"

    def in_the_way(_: int) -> None:
        cfg.unlink(missing_ok=True)

    found = batch(cfg, tmp_path / "photos", out, shard_size=1, processes=1, progress=in_the_way)
    assert found.computed == 2  # a process that has the network needs the file no more
    assert json.loads((out / "manifest.json").read_text())["pictures"] == 2


def test_a_process_that_finds_another_network_computes_nothing_with_it(cfg: Path, tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 2)
    job = replace(job_of(cfg, [], None), expected="the hash of other weights")
    shard = Shard("part-000000000000-0123456789abcdef.jsonl", tuple(list_items([str(tmp_path / "photos")])))
    with closing(worker.Worker(job, str(tmp_path / "out"))) as process:
        done = process.compute(shard)
    assert done.state == "failed"
    assert "the network here is another than the one that the work began with" in done.failure
    assert not (tmp_path / "out").exists()
