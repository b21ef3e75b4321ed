"""Which pictures and labels a training learned from, as one number: other data, another number."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ...files import is_file, read_whole
from ...vision.datasets import Dataset, Example
from ...vision.labels import Labels
from .data.classifier import Classified

MAX_LABELS = 1 << 26  # bytes of the labels of one picture


def fingerprint(data: Dataset | Classified) -> str:
    """A SHA-256 over the name and length of each picture, and its labels, in order; pictures themselves are not read.

    The place of the folder does not matter, so the same data on another machine have the same number.
    """
    digest = hashlib.sha256()
    if isinstance(data, Classified):
        for path, number in zip(data.pictures, data.classes.tolist(), strict=True):
            digest.update(f"{path.name} {_length(path)} {number}\n".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()
    for example in data.examples:
        name, length = example.picture.name, _length(example.picture)
        digest.update(f"{name} {length}\n".encode("utf-8", "surrogateescape"))
        digest.update(_labels(example))
    return digest.hexdigest()


def _length(path: Path) -> int:
    return path.stat().st_size if is_file(path) else -1


def _labels(example: Example) -> bytes:
    if isinstance(example.labels, Labels):
        return repr(example.labels).encode()
    if example.labels is None or not is_file(example.labels):
        return b"none"
    return read_whole(example.labels, MAX_LABELS, "labels")
