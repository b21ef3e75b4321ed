"""The weights that ship, and what the manifest says of them: their size and their SHA-256."""

from __future__ import annotations

import hashlib
import json
import tomllib
from itertools import takewhile
from pathlib import Path

from darknet_py import files
from darknet_py.darknet.network import open_network
from darknet_py.errors import DataError

from .training import Training

COMMENT = "# The trained networks that come with a checkout: the bytes of their weights, and their SHA-256."
MOST = 1 << 30  # bytes of weights


def ship(training: Training, cfg: Path, weights: Path, manifest: Path, *, unfinished: bool = False) -> Path:
    """Copy a training's result to `weights`, and write its size and hash into `manifest`; where it was.

    Raises `DataError` for a training that has not ended, unless `unfinished`, or of another cfg, and `WeightsError` for
    weights that do not fit the cfg to the last number.
    """
    if not training.is_done and not unfinished:
        at = training.steps[-1]["iteration"]
        raise DataError(
            f"the training in {training.folder} has not ended: {at:,} of {training.iterations:,} iterations\n"
            "  hint: make weights goes on with it; --unfinished takes what there is"
        )
    network = open_network(cfg, training.weights, strict=True)
    if network.cfg_sha256 != training.run["cfg_sha256"]:
        raise DataError(
            f"{cfg} is not the cfg that was trained in {training.folder}\n"
            "  hint: train it anew (make weights), or go back to that cfg"
        )
    data = files.read_at_most(training.weights, MOST, "weights file")
    files.write_whole(weights, data, replace=True)
    old = files.read_at_most(manifest, MOST, "manifest").decode() if manifest.is_file() else ""
    files.write_whole(manifest, with_entry(old, training.name, data).encode(), replace=True)
    return training.weights


def with_entry(manifest: str, name: str, data: bytes) -> str:
    r"""A manifest with a network's weights in it, in the place of what it said of them; the comment on top stays.

    >>> print(with_entry("# What ships.\n", "net", b""), end="")
    # What ships.
    <BLANKLINE>
    [net]
    bytes = 0
    sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    """
    entries = tomllib.loads(manifest)
    entries[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    comment = "\n".join(takewhile(lambda line: line.startswith("#"), manifest.splitlines())) or COMMENT
    tables = (
        "\n".join([f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in entry.items())])
        for name, entry in sorted(entries.items())
    )
    return "\n\n".join([comment, *tables]) + "\n"
