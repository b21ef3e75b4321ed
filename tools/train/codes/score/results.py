"""The contestants run on both sets of photos, and all numbers of what they found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from darknet_py.errors import Say
from tools.bench.environments import NotInstalled

from . import table
from .contestants import Contestant, run
from .photos import CLASSES, SETS, Photo, mended

TIMED = 8  # of so many photos one is timed with all threads


@dataclass(frozen=True)
class Result:
    """The rows of a set of photos."""

    name: str
    photos: tuple[Photo, ...]
    rows: tuple[table.Row, ...]


@dataclass(frozen=True)
class Score:
    """The results of all sets, their numbers by the name of the set, and why a contestant could not be run."""

    results: tuple[Result, ...]
    numbers: dict[str, Any]
    failed: dict[str, str]


def score(contestants: Sequence[Contestant], sets: Mapping[str, tuple[Photo, ...]], say: Say) -> Score:
    """Run each contestant on each set that it is for; `say` is told which."""
    failed: dict[str, str] = {}
    results = tuple(Result(name, photos, _run(name, contestants, photos, failed, say)) for name, photos in sets.items())
    return Score(results, {result.name: _numbers(result) for result in results}, failed)


def _run(
    name: str, contestants: Sequence[Contestant], photos: tuple[Photo, ...], failed: dict[str, str], say: Say
) -> tuple[table.Row, ...]:  # fmt: skip
    rows: list[table.Row] = []
    for contestant in contestants:
        if contestant.name in failed or name not in contestant.sets:
            continue
        say(f"{name}: {contestant.name}")
        try:
            alone = run(contestant, photos, threads=1)
            at_once = run(contestant, photos[::TIMED]).milliseconds if contestant.finds else alone.milliseconds
            rows.append(table.Row(contestant, alone, at_once))
        except NotInstalled as e:
            failed[contestant.name] = str(e)
    return tuple(rows)


def _numbers(result: Result) -> dict[str, Any]:
    """Everything that is known of a set."""
    rows, photos = result.rows, result.photos
    numbers: dict[str, Any] = {
        "photos": len(photos), "objects": _objects(photos), "finding": table.finding(rows, photos),
    }  # fmt: skip
    networks = [row for row in rows if row.contestant.scored and row.contestant.finds]
    decoders = [row for row in rows if not row.contestant.scored and row.contestant.finds]
    if networks:
        numbers["precision"] = {row.contestant.name: table.precisions(row, photos) for row in networks}
        numbers["at precision"] = {row.contestant.name: table.at_precision(row, decoders, photos) for row in networks}
    if any(row.contestant.reads for row in rows):
        numbers["reading"] = table.reading(rows, photos)
    if result.name == SETS[0]:
        numbers["mended"] = _mended(rows, networks, photos)
    return numbers


def _mended(rows: Sequence[table.Row], networks: Sequence[table.Row], photos: Sequence[Photo]) -> dict[str, Any]:
    """The same finds beside labels that were mended by hand, and what the set as it is says of these."""
    better = mended(photos)
    return {
        "photos": sum(a is not b for a, b in zip(photos, better, strict=True)), "objects": _objects(better),
        "finding": table.finding(rows, better),
        "precision": {row.contestant.name: table.precisions(row, better) for row in networks},
        "most": table.most(better, photos),
    }  # fmt: skip


def _objects(photos: Sequence[Photo]) -> list[int]:
    """How many there are of each class."""
    classes = np.concatenate([photo.labels.cls[~photo.labels.difficult] for photo in photos])
    return np.bincount(classes, minlength=len(CLASSES)).tolist()
