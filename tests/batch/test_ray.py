"""Ray Data: the same function on a cluster, with the same files as on this machine, whatever dies."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from networks import write_detector
from scenes import BROKEN, parts, results, write_pictures

from darknet_py import batch
from darknet_py.apps.batch import cluster
from darknet_py.errors import BackendError

needs_ray = "needs Ray Data: pip install 'darknet-compiler[batch,ray]'"
WAITED = 240  # seconds: a cluster takes long to start on a busy machine


def command(tmp_path: Path, *more: str) -> list[str]:
    return [
        sys.executable, "-m", "darknet_py", "batch", str(tmp_path / "net.cfg"), "photos", "-o", "rays",
        "--shard-size", "3", "--processes", "2", "--engine", "ray", *more,
    ]  # fmt: skip


@pytest.fixture
def started(tmp_path: Path) -> subprocess.Popen[str]:
    """A work on a cluster of its own, with relative paths."""
    pytest.importorskip("ray.data", reason=needs_ray)
    write_detector(tmp_path)
    write_pictures(tmp_path / "photos", 10)
    (tmp_path / "photos" / "0004.png").write_bytes(BROKEN)
    return begin(tmp_path)


def begin(tmp_path: Path) -> subprocess.Popen[str]:
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        command(tmp_path), cwd=tmp_path, env={**os.environ, "PYTHONPATH": root}, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.heavy
def test_a_cluster_makes_the_files_that_this_machine_makes(
    started: subprocess.Popen[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = started.communicate(timeout=WAITED)[1]
    assert started.returncode == 0, said
    assert "10 pictures" in said
    monkeypatch.chdir(tmp_path)
    batch("net.cfg", "photos", "here", shard_size=3, processes=1)
    assert parts(tmp_path / "rays") == parts(tmp_path / "here")
    assert results(tmp_path / "rays") == results(tmp_path / "here")


@pytest.mark.heavy
@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs /proc, as Linux has it")
def test_a_cluster_that_is_killed_is_gone_on_with(started: subprocess.Popen[str], tmp_path: Path) -> None:
    end = time.monotonic() + WAITED
    while not parts(tmp_path / "rays") and started.poll() is None and time.monotonic() < end:
        time.sleep(0.01)
    started.kill()
    started.communicate()
    again = begin(tmp_path)
    said = again.communicate(timeout=WAITED)[1]
    assert again.returncode == 0, said
    assert [row["position"] for row in results(tmp_path / "rays")] == list(range(10))


def test_without_ray_it_is_told_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    write_pictures(tmp_path / "photos", 1)
    with pytest.raises(BackendError, match=r"needs Ray Data: pip install .*\[ray\]"):
        batch(write_detector(tmp_path), tmp_path / "photos", tmp_path / "out", engine="ray")


def test_what_goes_to_ray_can_travel(tmp_path: Path) -> None:
    import pickle

    from darknet_py.apps.batch.job import Job, RowOptions
    from darknet_py.apps.batch.work import BatchWork

    options = RowOptions(conf={None: 0.25, "red": 0.5}, classes=("red",))
    job = Job({"cfg": "net.cfg", "size": (32, 64)}, options, "jsonl", 0, str(tmp_path))
    assert Job.from_json(job.to_json()) == job
    assert pickle.loads(pickle.dumps(cluster.Actor)) is cluster.Actor
    assert pickle.loads(pickle.dumps(BatchWork(job, None, "out"))).job == job  # type: ignore[arg-type]  # no record
