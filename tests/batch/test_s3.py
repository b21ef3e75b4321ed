"""Batch work on a store that speaks S3's protocol, on this machine: from a bucket into a bucket, twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from networks import write_detector
from scenes import BROKEN, encoded, write_tar

NEEDED = "needs S3 and a server of it: pip install s3fs 'moto[server]'"
BUCKET = "s3://pictures"


@pytest.fixture
def settings() -> Iterator[dict[str, str]]:
    """A server of the protocol, and the environment in which it is found."""
    moto = pytest.importorskip("moto.server", reason=NEEDED)
    pytest.importorskip("s3fs", reason=NEEDED)
    server = moto.ThreadedMotoServer("127.0.0.1", 0)
    server.start()
    host, port = server.get_host_and_port()
    secret = "nobody's"
    yield {
        "FSSPEC_S3_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": secret, "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_DEFAULT_REGION": "us-east-1", "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1",
    }  # fmt: skip
    server.stop()


FILL = """
import sys
from pathlib import Path
import fsspec
store = fsspec.filesystem("s3")
store.mkdir("pictures")
for path in Path(sys.argv[1]).iterdir():
    store.put_file(str(path), f"pictures/in/{path.name}")
"""
READ = """
import json, fsspec
store = fsspec.filesystem("s3")
manifest = json.loads(store.cat_file("pictures/out/manifest.json"))
files = [store.cat_file("pictures/out/" + shard["file"]) for shard in manifest["shards"]]
rows = [json.loads(line) for data in files for line in data.splitlines()]
print(json.dumps({"manifest": manifest, "rows": rows}))
"""


@pytest.mark.heavy
def test_a_work_from_a_bucket_into_a_bucket(settings: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for i in range(4):
        (tmp_path / "in" / f"{i}.png").write_bytes(encoded() if i != 2 else BROKEN)
    write_tar(tmp_path / "in" / "more.tar", {"a.png": encoded(2, 2, "blue"), "b.png": encoded()})
    cfg = write_detector(tmp_path)
    environment = {**os.environ, **settings, "PYTHONPATH": str(Path(__file__).parents[2])}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    assert run("-c", FILL, str(tmp_path / "in")).returncode == 0
    command = ["-m", "darknet_py", "batch", str(cfg), f"{BUCKET}/in", "-o", f"{BUCKET}/out", "--shard-size", "4",
               "--processes", "1"]  # fmt: skip
    done = run(*command)
    assert done.returncode == 0, done.stderr
    assert "6 pictures" in done.stderr
    found = json.loads(run("-c", READ).stdout)
    assert found["manifest"]["errors"] == 1
    assert [row["path"] for row in found["rows"]] == [
        *(f"{BUCKET}/in/{i}.png" for i in range(4)), f"{BUCKET}/in/more.tar/a.png", f"{BUCKET}/in/more.tar/b.png",
    ]  # fmt: skip
    assert [bool(row["error"]) for row in found["rows"]] == [False, False, True, False, False, False]
    assert "2 shards done before" in run(*command).stderr
    assert "complete: 6 of 6 pictures" in run("-m", "darknet_py", "batch", "--status", f"{BUCKET}/out").stdout
