"""Which pictures and labels a training learned from, as one number: other data, another number."""

from __future__ import annotations

import hashlib
from pathlib import Path

from .data.loader import Loader
from .data.source import PictureSource


def fingerprint(loader: Loader) -> str:
    """A SHA-256 over the name and length of each picture, and what it tells, in order; no picture is decoded.

    The place of the folder does not matter, so the same data on another machine have the same number. A source of
    pictures that are made has a number of its own.
    """
    digest = hashlib.sha256()
    if isinstance(loader.dataset, PictureSource):
        digest.update(loader.dataset.fingerprint().encode())
    for path, told in loader.examples.told():
        digest.update(f"{path.name} {_length(path)}\n".encode("utf-8", "surrogateescape"))
        digest.update(told.tobytes())
    return digest.hexdigest()


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1
