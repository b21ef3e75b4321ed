"""What a training needs to go on bit by bit: one file, written beside and renamed, read as tensors and plain data only.

Decision: the file holds all of it, the parameters too; the `.weights` beside it are for everybody else. PyTorch reads
it with `weights_only`, so nothing in it is executed. Random numbers are no part of it: each is a function of the seed
and of what it is for.
"""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from ...errors import DataError, first_line
from ...files import reading, write_whole

SCHEMA = "darknet-py/training/1"
REMEDY = "\n  hint: --fresh begins anew, from WEIGHTS if given (a copy of _last.weights); or name another --backup"

# OSError: PyTorch seeks before the beginning of a zip that was cut off.
_UNREADABLE = (
    RuntimeError, pickle.UnpicklingError, zipfile.BadZipFile, EOFError, ValueError, KeyError, OSError, TypeError,
)  # fmt: skip


@dataclass
class Snapshot:
    """A training after an iteration.

    `module` and `optimizer` are their `state_dict`; `filters` what the loss filters of heads remember; `curves` the
    points of the chart; `log` the bytes of the log so far; `boxes` are objects that were learned, and those that took
    the place of another; `start` the sha256 of the weights file that it began with; `mean` the running mean
    of all that is learned, if there is one.
    """

    iteration: int
    average: float | None
    seen: int
    start: str
    module: dict[str, Any]
    optimizer: dict[str, Any]
    filters: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, Any] = field(default_factory=dict)
    log: int = 0
    plan: dict[str, Any] = field(default_factory=dict)
    boxes: tuple[int, int] = (0, 0)
    mean: dict[str, Any] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        """Write the file; it appears whole or not at all. Raises `DataError` or `OSError`."""
        data = io.BytesIO()
        torch.save({"schema": SCHEMA, **vars(self)}, data)
        write_whole(path, data.getvalue(), replace=True)


def read_snapshot(path: Path) -> Snapshot:
    """The training that a file holds, on the processor. Raises `DataError` for another file, or a damaged one."""
    with reading(path, "state of a training", note=False) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what is odd about a file that is refused
        try:
            data = torch.load(file, map_location="cpu", weights_only=True)
        except _UNREADABLE as e:
            first = first_line(e) or "nothing is in it"
            raise DataError(f"{path} is no state of a training, or damaged: {first}{REMEDY}") from None
    if not isinstance(data, dict) or data.pop("schema", None) != SCHEMA:
        raise DataError(f"{path} is no state of a training of this version{REMEDY}")
    try:
        return Snapshot(**data)
    except TypeError as e:
        raise DataError(f"{path} is no state of a training of this version: {e}{REMEDY}") from None
