"""Pictures for the tests of batch work: a folder of small ones, with a broken one, and what is read of results."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import cv2
from networks import picture

BROKEN = b"this is no picture"


def encoded(row: int = 1, column: int = 1, colour: str = "red", suffix: str = ".png") -> bytes:
    """A picture with one object, as the bytes of a file."""
    data: bytes = cv2.imencode(suffix, picture((row, column, colour)))[1].tobytes()
    return data


def write_pictures(folder: Path, count: int) -> list[Path]:
    """So many pictures with objects of both classes, called so that the order of names is that of numbers."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:04d}.png" for i in range(count)]
    for i, path in enumerate(paths):
        path.write_bytes(encoded(1 + i % 2, 1 + i // 2 % 2, ("red", "blue")[i % 3 % 2]))
    return paths


def write_tar(path: Path, members: dict[str, bytes]) -> Path:
    """A tar file with members."""
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def results(out: Path) -> list[dict[str, Any]]:
    """All rows of a finished work, in the order of its manifest."""
    manifest = json.loads((out / "manifest.json").read_text())
    return [row for shard in manifest["shards"] for row in rows_in(out / shard["file"])]


def rows_in(path: Path) -> list[dict[str, Any]]:
    """The rows of a file of results."""
    if path.suffix == ".parquet":
        from pyarrow import parquet

        found: list[dict[str, Any]] = parquet.read_table(path).to_pylist()
        return found
    return [json.loads(line) for line in path.read_text().splitlines()]


def parts(out: Path) -> dict[str, bytes]:
    """The files of results and what is in them."""
    return {path.name: path.read_bytes() for path in sorted(out.glob("part-*"))}
