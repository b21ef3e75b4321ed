"""Parquet: pictures in a column of bytes in, and results with a schema out."""

from __future__ import annotations

from pathlib import Path

import pytest
from networks import write_detector
from scenes import BROKEN, encoded, results, write_pictures

from darknet_py import batch
from darknet_py.apps.batch.fetch import fetches
from darknet_py.apps.batch.job import SCHEMA
from darknet_py.apps.batch.listing import Reach, list_items
from darknet_py.errors import DataError

pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'darknet-compiler[batch]'")
from pyarrow import parquet  # noqa: E402 - after it is known to be there


def test_each_row_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    data = [bytes([i]) for i in range(10)]
    parquet.write_table(pa.table({"label": list(range(10)), "image": data}), path, row_group_size=3)
    items = list(list_items([str(path)]))
    assert [item.path for item in items] == [f"{path}#{i}" for i in range(10)]
    assert [fetch() for fetch in fetches(items)] == data
    assert [fetch() for fetch in fetches(items[4:8])] == data[4:8]
    assert [fetch() for fetch in fetches([items[1], items[5], items[6], items[0]])] == [data[i] for i in (1, 5, 6, 0)]


def test_pictures_as_hugging_face_writes_them_are_read(tmp_path: Path) -> None:
    pictures = [{"bytes": b"1", "path": "a.jpg"}, None]
    parquet.write_table(pa.table({"image": pictures}), tmp_path / "a.parquet")
    one, two = fetches(list_items([str(tmp_path / "a.parquet")]))
    assert one() == b"1"
    with pytest.raises(DataError, match="the row has no picture"):
        two()


def test_a_column_is_named_or_found(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    parquet.write_table(pa.table({"thumb": [b"1"], "name": ["a"]}), path)
    assert [fetch() for fetch in fetches(list_items([path], Reach("thumb")), "thumb")] == [b"1"]
    with pytest.raises(DataError, match=r"its columns are thumb \(binary\), name \(string\)\n  hint: .*--column"):
        list(list_items([path]))
    with pytest.raises(DataError, match="no column 'name' with bytes"):
        list(list_items([path], Reach("name")))


def test_what_is_no_parquet_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1 or so")
    with pytest.raises(DataError, match="no Parquet file"):
        list(list_items([str(tmp_path / "a.parquet")]))


def test_a_work_from_parquet_to_parquet(tmp_path: Path) -> None:
    pictures = [encoded(), BROKEN, encoded(2, 2, "blue"), None]
    parquet.write_table(pa.table({"content": pictures}), tmp_path / "in.parquet")
    cfg = write_detector(tmp_path)
    found = batch(cfg, tmp_path / "in.parquet", tmp_path / "out", format="parquet", shard_size=3, processes=1)
    assert (found.pictures, found.errors) == (4, 2)
    rows = results(tmp_path / "out")
    assert [bool(row["error"]) for row in rows] == [False, True, False, True]
    assert [box["name"] for box in rows[2]["boxes"]] == ["blue"]
    assert batch(cfg, tmp_path / "in.parquet", tmp_path / "out", format="parquet", shard_size=3).kept == 2


def test_both_formats_have_the_same_rows(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 5)
    cfg = write_detector(tmp_path)
    batch(cfg, tmp_path / "photos", tmp_path / "lines", processes=1)
    batch(cfg, tmp_path / "photos", tmp_path / "tables", processes=1, format="parquet")
    lines, tables = results(tmp_path / "lines"), results(tmp_path / "tables")
    for a, b in zip(lines, tables, strict=True):
        assert a.keys() == b.keys()
        assert [{k: pytest.approx(v) for k, v in box.items()} for box in a["boxes"]] == b["boxes"]
        assert {**a, "boxes": 0} == {**b, "boxes": 0}


def test_the_schema_of_the_results_is_stated_in_them(tmp_path: Path) -> None:
    write_pictures(tmp_path / "photos", 1)
    batch(write_detector(tmp_path), tmp_path / "photos", tmp_path / "out", processes=1, format="parquet")
    schema = parquet.read_schema(next((tmp_path / "out").glob("*.parquet")))
    assert schema.metadata[b"darknet.schema"].decode() == SCHEMA
    assert schema.names == ["position", "path", "width", "height", "boxes", "classes", "error", "warning"]


def test_a_broken_row_group_costs_its_rows_and_not_the_others(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    data = [bytes([i]) * 99 for i in range(4)]
    parquet.write_table(pa.table({"image": data}), path, row_group_size=1, compression="none")
    items = list(list_items([str(path)]))
    start = parquet.ParquetFile(path).metadata.row_group(1).column(0).dictionary_page_offset
    whole = bytearray(path.read_bytes())
    whole[start : start + 8] = b"\xff" * 8
    path.write_bytes(whole)
    first, second, *others = fetches(items)
    assert [fetch() for fetch in (first, *others)] == [data[0], *data[2:]]
    with pytest.raises(DataError, match=r"a\.parquet#1: .* is broken there"):
        second()


def test_rows_that_are_gone_since_they_were_listed_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    parquet.write_table(pa.table({"image": [b"0", b"1", b"2"]}), path)
    items = list(list_items([str(path)]))
    parquet.write_table(pa.table({"image": [b"0"]}), path)
    there, *gone = fetches(items)
    assert there() == b"0"
    for fetch in gone:
        with pytest.raises(DataError, match="has no such row any more"):
            fetch()
    path.unlink()
    for fetch in fetches(items):
        with pytest.raises(DataError, match="No such file"):
            fetch()


def test_a_column_with_a_dictionary_is_bytes_too(tmp_path: Path) -> None:
    path = str(tmp_path / "a.parquet")
    parquet.write_table(pa.table({"image": pa.array([b"0", b"0", None]).dictionary_encode()}), path)
    first, second, _ = fetches(list_items([path]))
    assert first() == second() == b"0"
