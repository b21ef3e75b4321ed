"""How rows are written: JSON Lines, which needs nothing, and Parquet, which needs pyarrow.

Decision: a shard of some hundred rows is made in memory and written at once. Both have the same fields and the same
numbers, but for what a float32 rounds.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

from ...errors import DataError
from .job import SCHEMA
from .parquet import need_pyarrow
from .rows import Row


@dataclass(frozen=True)
class RowFormat:
    """A way to write rows: the bytes of a file, and how many rows such a file has, and how many of them are errors."""

    suffix: str
    encode: Callable[[list[Row]], bytes]
    count: Callable[[BinaryIO], tuple[int, int]]


def row_format(name: str) -> RowFormat:
    """The format called so. Raises `DataError` if there is none, or it needs a library that is missing."""
    if name not in FORMATS:
        raise DataError(f"no format {name!r}: formats are {', '.join(FORMATS)}")
    if name == "parquet":
        need_pyarrow()
    return FORMATS[name]


def _lines(rows: list[Row]) -> bytes:
    texts = (json.dumps(row, ensure_ascii=False).translate(LINE_ENDS) for row in map(_sayable, rows))
    return "".join(f"{text}\n" for text in texts).encode()


def _count_lines(file: BinaryIO) -> tuple[int, int]:
    rows = errors = 0
    for line in file:
        rows += 1
        errors += json.loads(line)["error"] is not None
    return rows, errors


def _sayable(row: Row) -> Row:
    """A row whose path and error can be written in UTF-8, whatever bytes the name of a file has."""
    return {k: v.encode("utf-8", "backslashreplace").decode() if isinstance(v, str) else v for k, v in row.items()}


def parquet_schema() -> Any:
    """The columns of the rows, as pyarrow has them."""
    need_pyarrow()
    import pyarrow as pa

    named = [("class_id", pa.int32()), ("name", pa.string()), ("score", pa.float32())]
    corners = [(corner, pa.float32()) for corner in ("x1", "y1", "x2", "y2")]
    return pa.schema([
        pa.field("position", pa.int64(), nullable=False), pa.field("path", pa.string(), nullable=False),
        ("width", pa.int32()), ("height", pa.int32()), ("boxes", pa.list_(pa.struct([*named, *corners]))),
        ("classes", pa.list_(pa.struct(named))), ("error", pa.string()), ("warning", pa.string()),
    ], {"darknet.schema": SCHEMA})  # fmt: skip


def _table(rows: list[Row]) -> bytes:
    import pyarrow as pa

    errors = sum(row["error"] is not None for row in rows)
    schema = parquet_schema()
    schema = schema.with_metadata({**schema.metadata, ERRORS: str(errors).encode()})
    file = io.BytesIO()
    need_pyarrow().write_table(pa.Table.from_pylist([*map(_sayable, rows)], schema), file, compression="zstd")
    return file.getvalue()


def _count_table(file: BinaryIO) -> tuple[int, int]:
    metadata = need_pyarrow().ParquetFile(file).metadata
    return metadata.num_rows, int(metadata.metadata[ERRORS])


ERRORS = b"darknet.errors"
LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\x85\u2028\u2029"}  # which JSON knows nothing of, and others do
FORMATS: Mapping[str, RowFormat] = {
    "jsonl": RowFormat(".jsonl", _lines, _count_lines),
    "parquet": RowFormat(".parquet", _table, _count_table),
}
