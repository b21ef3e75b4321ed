"""Parquet files with pictures in a column of bytes, read row by row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from ...errors import DataError
from ...version import requirement

USUAL = ("bytes", "image", "content", "jpg", "jpeg", "png", "data")  # columns that are looked for, in this order
INNER = "bytes"  # of a struct, as Hugging Face's `datasets` writes pictures
ROWS = 64  # that are in memory


def need_pyarrow() -> Any:
    """pyarrow's Parquet. Raises `DataError` with what to install where it is missing."""
    try:
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise DataError(f"Parquet needs pyarrow: pip install {requirement('batch')}") from None
    return parquet


def count_rows(file: IO[bytes], path: str, column: str | None) -> int:
    """How many pictures a file has. Raises `DataError` if it has no such column."""
    parquet = _open(file, path)
    _bytes_column(parquet, path, column)
    return int(parquet.metadata.num_rows)


def read_rows(file: IO[bytes], path: str, column: str | None, rows: range) -> Iterator[bytes | None]:
    """The pictures in consecutive rows; only the row groups that have them are read. None for a row without one."""
    parquet = _open(file, path)
    name, inner = _bytes_column(parquet, path, column)
    first, groups = 0, []
    start: int | None = None  # of the first group that is read
    for i in range(parquet.metadata.num_row_groups):
        count = parquet.metadata.row_group(i).num_rows
        if first < rows.stop and first + count > rows.start:
            groups.append(i)
            start = first if start is None else start
        first += count
    at = start or 0
    wanted = f"{name}.{inner}" if inner else name
    for batch in parquet.iter_batches(ROWS, row_groups=groups, columns=[wanted]):
        for value in batch.column(0):
            if at in rows:
                data = value.as_py()
                yield data.get(inner) if inner and data is not None else data
            at += 1
            if at == rows.stop:
                return


def _open(file: IO[bytes], path: str) -> Any:
    parquet = need_pyarrow()
    try:
        return parquet.ParquetFile(file)
    except (OSError, ValueError) as e:  # ArrowInvalid is a ValueError
        raise DataError(f"{path}: no Parquet file, or a broken one: {e}") from None


def _bytes_column(file: Any, path: str, wanted: str | None) -> tuple[str, str]:
    """The name of the column with the bytes, and of the field in it where it is a struct."""
    from pyarrow import types

    schema = file.schema_arrow
    for name in (wanted,) if wanted else USUAL:
        if name not in schema.names:
            continue
        kind = schema.field(name).type
        if types.is_dictionary(kind):
            kind = kind.value_type
        if types.is_binary(kind) or types.is_large_binary(kind) or types.is_binary_view(kind):
            return name, ""
        if types.is_struct(kind) and kind.get_field_index(INNER) >= 0:
            return name, INNER
    columns = ", ".join(f"{field.name} ({field.type})" for field in schema)
    looked = f"column {wanted!r} with bytes" if wanted else f"column with bytes called {', '.join(USUAL)}"
    raise DataError(f"{path}: no {looked}; its columns are {columns}\n  hint: name it with --column")
