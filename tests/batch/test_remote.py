"""Pictures and results at addresses: what a store says of a file is its stamp, and an outage is no broken picture."""

from __future__ import annotations

import json
import sys
import threading
import uuid
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from networks import write_detector
from scenes import BROKEN, encoded, results, rows_in, write_pictures, write_tar

from darknet_py import batch, batch_status
from darknet_py.apps.batch import addresses, worker
from darknet_py.apps.batch.addresses import Outage, read_address
from darknet_py.apps.batch.fetch import fetches
from darknet_py.apps.batch.listing import list_items
from darknet_py.apps.batch.output import output_of
from darknet_py.errors import DataError

fsspec = pytest.importorskip("fsspec", reason="needs fsspec: pip install 'darknet-compiler[batch]'")


@pytest.fixture
def bucket() -> Iterator[str]:
    """A folder of a store in memory."""
    name = f"memory:///{uuid.uuid4().hex}"
    fsspec.filesystem("memory").mkdir(name)
    yield name
    fsspec.filesystem("memory").rm(name, recursive=True)


def put(bucket: str, files: dict[str, bytes]) -> None:
    store = fsspec.filesystem("memory")
    for name, data in files.items():
        store.pipe_file(f"{bucket}/{name}", data)


def test_a_folder_a_pattern_a_list_and_a_tar_of_a_store_are_read(bucket: str, tmp_path: Path) -> None:
    tar = write_tar(tmp_path / "a.tar", {"1.png": encoded(), "1.txt": b""})
    put(bucket, {
        "photos/b/2.png": b"22", "photos/a.png": b"1", "photos/label.txt": b"", "a.tar": tar.read_bytes(),
        "list.txt": b"photos/a.png\n",
    })  # fmt: skip

    def found(source: str) -> list[str]:
        return [item.path.removeprefix(bucket) for item in list_items([f"{bucket}/{source}"])]

    assert found("photos") == ["/photos/a.png", "/photos/b/2.png"]
    assert found("photos/*/*.png") == ["/photos/b/2.png"]
    assert found("photos/a.png") == ["/photos/a.png"]
    assert found("list.txt") == ["/photos/a.png"]
    assert found("a.tar") == ["/a.tar/1.png"]
    read = [fetch() for fetch in fetches(list_items([f"{bucket}/photos", f"{bucket}/a.tar"]))]
    assert read == [b"1", b"22", encoded()]


def test_what_a_store_says_of_a_file_is_its_stamp(bucket: str) -> None:
    put(bucket, {"photos/a.png": b"1"})
    (before,) = list_items([f"{bucket}/photos"])
    assert before.size == 1
    assert before.stamp
    put(bucket, {"photos/a.png": b"2"})
    assert next(list_items([f"{bucket}/photos"])).stamp != before.stamp


def test_a_work_reads_and_writes_at_addresses(tmp_path: Path) -> None:
    """With `file://`, which other processes see as well."""
    write_pictures(tmp_path / "photos", 5)
    (tmp_path / "photos" / "0002.png").write_bytes(BROKEN)
    cfg, source, out = write_detector(tmp_path), f"file://{tmp_path}/photos", f"file://{tmp_path}/out"
    (tmp_path / "out").mkdir()
    found = batch(cfg, source, out, shard_size=2, processes=1)
    assert (found.complete, found.pictures, found.errors) == (True, 5, 1)
    rows = results(tmp_path / "out")
    assert [row["path"] for row in rows] == [f"file://{tmp_path}/photos/{i:04d}.png" for i in range(5)]
    assert all(row["boxes"] for row in rows if row["position"] != 2)
    assert batch(cfg, source, out, shard_size=2, processes=1).kept == 3
    assert batch_status(out).complete
    sorted((tmp_path / "out").glob("part-*"))[0].unlink()
    (tmp_path / "out" / "manifest.json").unlink()
    assert batch_status(out).done_pictures == 3
    with pytest.raises(DataError, match="another work"):
        batch(cfg, source, out, shard_size=3, processes=1)
    assert batch(cfg, source, out, shard_size=3, processes=1, resume=False).complete
    assert len(list((tmp_path / "out").glob("part-*"))) == 2


def test_what_is_not_there_is_no_outage(bucket: str) -> None:
    with pytest.raises(DataError, match="there is no such file") as caught:
        read_address(f"{bucket}/gone.png")
    assert not isinstance(caught.value, Outage)


class Unreachable:
    """A store that answers only after some tries."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    def cat_file(self, path: str, start: int | None, end: int | None) -> bytes:
        self.failures -= 1
        if self.failures >= 0:
            raise ConnectionError("the network is down")
        return b"bytes"

    def _strip_protocol(self, path: str) -> str:
        return path


def test_a_store_is_asked_again_and_then_it_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "WAITS", (0.0, 0.0))
    store = Unreachable(2)
    monkeypatch.setattr(addresses, "store_of", lambda scheme: store)
    assert read_address("s3://bucket/a.jpg") == b"bytes"
    store.failures = 3
    with pytest.raises(Outage, match="the network is down"):
        read_address("s3://bucket/a.jpg")


DOWN = """
from darknet_py.apps.batch import addresses, child

class Down:
    def cat_file(self, path, start, end):
        raise ConnectionError("the network is down")

    def _strip_protocol(self, path):
        return path

addresses.WAITS = ()
addresses.store_of = lambda scheme: Down()
child.run_child()
"""


def test_an_outage_leaves_the_shard_for_later_and_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_pictures(tmp_path / "photos", 2)
    (tmp_path / "list.txt").write_text("photos/0000.png\nphotos/0001.png\ns3://bucket/a.jpg\n")
    script = tmp_path / "down.py"
    script.write_text(DOWN)
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(worker, "COMMAND", (sys.executable, str(script)))
    found = batch(write_detector(tmp_path), tmp_path / "list.txt", tmp_path / "out", shard_size=2, processes=1)
    assert (found.computed, found.missing) == (1, 1)
    assert "cannot reach s3://bucket/a.jpg: ConnectionError: the network is down" in found.failures[0]
    assert len(list((tmp_path / "out").glob("part-*"))) == 1


def test_a_scheme_that_nobody_knows_is_told() -> None:
    with pytest.raises(DataError, match="fsspec does not know"):
        list(list_items(["nonsense://a/b"]))


def write_half(place: Any, name: str) -> None:
    with place.growing(name) as file:
        file.write(b"{")
        raise DataError("half of it")


def test_a_place_at_an_address_has_what_a_folder_has(bucket: str) -> None:
    place: Any = output_of(f"{bucket}/results/")
    name = "part-000000000000-0123456789abcdef.jsonl"
    assert not place.has(name)
    assert list(place.parts()) == []
    place.write(name, b'{"error": null}\n')
    place.keep("job.json", b"{}")
    with place.growing("manifest.json") as file:
        file.write(b"{}")
    assert place.read("manifest.json") == b"{}"
    with pytest.raises(DataError, match="half of it"):
        write_half(place, "half.json")
    assert not place.has("half.json")
    assert list(place.parts()) == [name]
    assert place.read(name) == place.open(name).read()
    place.remove(name)
    place.remove(name)
    assert not place.has(name)


def test_parquet_at_an_address_is_read_in_part(bucket: str, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'darknet-compiler[batch]'")
    from pyarrow import parquet

    parquet.write_table(pa.table({"bytes": [b"1", None, b"3"]}), tmp_path / "a.parquet", row_group_size=1)
    put(bucket, {"a.parquet": (tmp_path / "a.parquet").read_bytes()})
    items = list(list_items([f"{bucket}/a.parquet"]))
    assert next(iter(fetches(items[2:])))() == b"3"
    assert json.dumps(items)
    assert rows_in  # shared with the others


def test_a_web_server_that_does_not_answer_is_an_outage_and_a_missing_page_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(addresses, "WAITS", (0.0, 0.0))
    asked = []

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404 if self.path == "/gone.jpg" else 503)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at = f"http://127.0.0.1:{server.server_port}"
    with pytest.raises(DataError, match="404") as told:
        read_address(f"{at}/gone.jpg")
    assert not isinstance(told.value, Outage)
    with pytest.raises(Outage, match="503"):
        read_address(f"{at}/busy.jpg")
    assert asked == ["/gone.jpg", *["/busy.jpg"] * 3]
    server.shutdown()
    server.server_close()
    with pytest.raises(Outage, match="refused"):
        read_address(f"{at}/a.jpg")


def test_a_library_that_is_missing_gives_up_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(*_: object, **__: object) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec, "filesystem", lacking)
    with pytest.raises(Outage, match="Install s3fs"):
        read_address("lacking://bucket/a.jpg")
