"""What a training says while it goes on: one frozen value for each thing that happens.

Decision: a training is an iterator of these. Printing, charts and logs read them, and whoever trains from Python does.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...files import is_file, read_at_most

LOG_BYTES = 1 << 28  # of a log


@dataclass(frozen=True)
class Step:
    """An iteration: one update, after `subdivisions` mini-batches.

    `loss` is Darknet's: the mean of the costs of the heads, summed over mini-batches and divided by the images of the
    batch; `average` is 0.9 of the one before and 0.1 of it. `size` is the (height, width) of the input, `seen` the
    images since the beginning, `seconds` what it took, of which `waited` for pictures, and `left` the seconds to the
    end at this pace. `heads` are Darknet's lines about the heads of the last mini-batch, `costs`
    what each picture alone would cost, if that is asked for: wrong labels cost most.
    """

    iteration: int
    loss: float
    average: float
    rate: float
    seconds: float
    waited: float
    seen: int
    size: tuple[int, int]
    left: float
    heads: tuple[str, ...] = ()
    costs: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Resumed:
    """The training goes on after this iteration, with all that it knew; `path` holds it."""

    iteration: int
    path: Path


@dataclass(frozen=True)
class Validated:
    """A measurement on the validation pictures: `kind` is 'mAP' or 'top-1', `value` from 0 to 1, and `classes` the AP
    of each class.
    """

    iteration: int
    kind: str
    value: float
    best: float
    classes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Saved:
    """A file that was written: `kind` is 'last', 'best', 'final', 'ema', 'state' or the number of an iteration."""

    iteration: int
    kind: str
    path: Path


@dataclass(frozen=True)
class Finished:
    """The end, of `reason` 'done', 'stopped' or 'iterations'; `path` is the last weights file."""

    iteration: int
    reason: str
    path: Path


Event = Step | Resumed | Validated | Saved | Finished


def as_record(event: Event) -> dict[str, Any]:
    """An event as plain data for a line of JSON.

    >>> as_record(Validated(100, "mAP", 0.5, 0.5))
    {'event': 'validated', 'iteration': 100, 'kind': 'mAP', 'value': 0.5, 'best': 0.5}
    """
    data = {"event": type(event).__name__.lower(), **asdict(event)}
    data.pop("heads", None)
    for key in ("costs", "classes"):
        if not data.get(key, True):
            del data[key]
    return {k: _plain(v) for k, v in data.items()}


def read_log(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a log up to one that is damaged or being written; none where there is no log.

    Raises `DataError` for a log that is longer than any, or cannot be read.
    """
    if not is_file(path):
        return
    for line in read_at_most(path, LOG_BYTES, "log of a training").splitlines():
        try:
            event = json.loads(line)
        except ValueError:
            return
        if not isinstance(event, dict) or "event" not in event:
            return
        yield event


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
