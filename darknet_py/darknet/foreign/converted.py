"""Checkpoints that are given where weights are expected: converted once, and kept beside their cfg.

Decision: a pair of cfg and weights is kept in a folder that is named by all that decides what is in it (the bytes of
checkpoint and cfg, the dialect, this version), so it is never out of date. What others may have written is not used.
"""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path

from ...errors import DataError, Say, WeightsError
from ...files import cache_dir, read_at_most, write_cached
from ...holding.hashes import crc32_of, sha256_of
from ...holding.private import find_intruder, make_private
from ...version import VERSION
from ..compile import Compilation
from ..weights import Weights, read_weights, write_weights

CRC32 = 8  # digits


def imported() -> Path:
    """The folder of all that was converted."""
    return cache_dir() / "imported"


def converted(checkpoint: Path, compilation: Compilation, say: Say | None = None) -> tuple[Path, Weights]:
    """The weights of a checkpoint for a network, and the file that has them: the checkpoint where none could be kept.

    `say` is told of a conversion. Raises what `import_weights` raises.
    """
    place = _place(checkpoint, compilation)
    if kept := _recall(place, compilation):
        return place, kept
    from .importing import convert

    weights = convert(checkpoint, compilation)
    with suppress(OSError, DataError, WeightsError):  # a cache that cannot be written to is none
        if not find_intruder(place.parent):
            make_private(place.parent)
            write_cached(place.with_suffix(".cfg"), compilation.cfg.source.text.encode())
            write_weights(place, compilation.graph, weights, replace=True)
            write_cached(_note(place), crc32_of(place).encode())
            if say:
                say(f"converted {checkpoint.name} to {place}")
            return place, weights
    return checkpoint, weights


def _place(checkpoint: Path, compilation: Compilation) -> Path:
    source = compilation.cfg.source
    try:
        parts = (VERSION, compilation.dialect.name, sha256_of(checkpoint), source.text)
    except OSError as e:
        raise WeightsError(f"cannot read {checkpoint}: {e.strerror or e}") from None
    name = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()[:40]
    stem = Path(source.name).name.removesuffix(".cfg")
    return imported() / name / f"{stem}.weights"


def _note(place: Path) -> Path:
    return place.with_name(f"{place.name}.crc32")


def _recall(place: Path, compilation: Compilation) -> Weights | None:
    """What was kept, if it is whole and nobody else can have written it."""
    if find_intruder(place.parent):
        return None
    with suppress(OSError, DataError, WeightsError):
        if read_at_most(_note(place), CRC32).decode("ascii", "replace") == crc32_of(place):
            return read_weights(place, compilation.graph)
    return None
