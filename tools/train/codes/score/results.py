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
    numbers = _scores(rows, photos)
    decoders = [row for row in rows if not row.contestant.scored and row.contestant.finds]
    if networks := [row for row in _networks(rows) if not row.contestant.is_variant]:
        numbers["at precision"] = {row.contestant.name: table.at_precision(row, decoders, photos) for row in networks}
    if any(row.contestant.reads for row in rows):
        numbers["reading"] = table.reading(rows, photos)
    if result.name == SETS[0]:
        better = mended(photos)
        changed = sum(a is not b for a, b in zip(photos, better, strict=True))
        numbers["mended"] = {**_scores(rows, better), "changed": changed, "most": table.most(better, photos)}
    return numbers


def _scores(rows: Sequence[table.Row], photos: Sequence[Photo]) -> dict[str, Any]:
    """What was found, by the labels of these photos."""
    numbers: dict[str, Any] = {
        "photos": len(photos), "objects": _objects(photos), "finding": table.finding(rows, photos),
    }  # fmt: skip
    if networks := _networks(rows):
        numbers["precision"] = {row.contestant.name: table.precisions(row, photos) for row in networks}
    return numbers


def _networks(rows: Sequence[table.Row]) -> list[table.Row]:
    return [row for row in rows if row.contestant.scored and row.contestant.finds]


def _objects(photos: Sequence[Photo]) -> list[int]:
    """How many there are of each class."""
    classes = np.concatenate([photo.labels.cls[~photo.labels.difficult] for photo in photos])
    return np.bincount(classes, minlength=len(CLASSES)).tolist()
