"""The example for Spark on the page about batch work, run on a Spark of this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from networks import write_detector
from pages import PAGES, blocks
from scenes import BROKEN, write_pictures

PAGE = next(page for page in PAGES if page.stem == "batch")


@pytest.mark.heavy
def test_the_example_for_spark_makes_rows(tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="needs pyspark: pip install pyspark pandas pyarrow")
    from pyarrow import parquet

    if not shutil.which("java"):
        pytest.skip("needs a Java runtime: apt-get install default-jre-headless")
    (example,) = (b for b in blocks() if b.page == PAGE and b.kind == "python" and "pyspark" in b.needs)
    write_detector(tmp_path, "my")
    write_pictures(tmp_path / "photos", 4)
    (tmp_path / "photos" / "0002.png").write_bytes(BROKEN)
    (tmp_path / "example.py").write_text(example.text)
    root = str(Path(__file__).parents[2])
    settings = {"PYTHONPATH": root, "PYSPARK_PYTHON": sys.executable, "SPARK_LOCAL_IP": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, env={**os.environ, **settings}, capture_output=True, text=True,
        check=False, timeout=900,  # a JVM on a busy machine
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    rows = sorted(parquet.read_table(tmp_path / "spark_rows").to_pylist(), key=lambda row: row["path"])
    assert [Path(row["path"]).name for row in rows] == [f"{i:04d}.png" for i in range(4)]
    assert [bool(row["error"]) for row in rows] == [False, False, True, False]
    assert [row["width"] for row in rows] == [32, 32, None, 32]
    assert rows[0]["boxes"][0]["name"] == "red"
    assert rows[0]["boxes"][0]["x2"] > rows[0]["boxes"][0]["x1"]


def test_the_example_for_kubernetes_is_a_job() -> None:
    yaml = pytest.importorskip("yaml", reason="needs PyYAML: pip install pyyaml")
    (manifest,) = (b for b in blocks() if b.page == PAGE and b.file == "job.yaml")
    job = yaml.safe_load(manifest.text)
    assert (job["apiVersion"], job["kind"], job["spec"]["completionMode"]) == ("batch/v1", "Job", "Indexed")
    words = job["spec"]["template"]["spec"]["containers"][0]["command"][2]
    assert f"$JOB_COMPLETION_INDEX/{job['spec']['completions']}" in words
