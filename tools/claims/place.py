"""The folder of a budget: its pictures, its trainings, and what was measured on each: a JSON file when it is whole."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from darknet_py import files
from darknet_py.apps.train.events import read_log
from darknet_py.errors import DataError

from .grid import Budget, Run
from .results import Results

LAST = 100  # iterations of a training, of whose loss the mean is told


@dataclass(frozen=True)
class Place:
    """Where everything lies."""

    folder: Path

    def data(self, kind: str, level: int = 0) -> Path:
        """The folder of a data set."""
        return self.folder / "data" / (f"glyphs-{level}" if kind == "classifier" else "scenes")

    @property
    def budget(self) -> Path:
        """What the folder is for."""
        return self.folder / "budget.json"

    @property
    def level(self) -> Path:
        """The level that was chosen, and what its pilots reached."""
        return self.folder / "level.json"

    def run(self, run: Run) -> Path:
        """The folder of a training."""
        return self.folder / "runs" / run.key

    def log(self, run: Run) -> Path:
        """What a training said of each of its iterations."""
        return self.run(run) / "backup" / f"{run.kind}_log.jsonl"

    def result(self, run: Run) -> Path:
        """What was measured."""
        return self.folder / "results" / f"{run.key}.json"


def kept(path: Path) -> dict[str, Any] | None:
    """What a JSON file has; None if it is not there, or is no JSON: a machine that stops may leave an empty file."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return None


def settle(place: Place, budget: Budget, level: int | None = None) -> None:
    """Say what a folder is for, and the level if one was chosen elsewhere: what is trained must not be mixed.

    Raises `DataError` where the folder is for another budget or level.
    """
    text = _text_of(budget)
    if place.budget.is_file() and place.budget.read_text() != text:
        raise DataError(
            f"{place.folder} has trainings of another budget\n  hint: move it away, or name another folder with --out"
        )
    files.write_whole(place.budget, text.encode(), replace=True)
    here = kept(place.level)
    if level is not None and here is None:
        files.write_whole(place.level, json.dumps({"level": level}).encode(), replace=True)
    elif level is not None and here is not None and here["level"] != level:
        raise DataError(
            f"{place.folder} has trainings of level {here['level'] + 1}, and the results are of level {level + 1}\n"
            "  hint: move it away, or name another folder with --out"
        )


def gathered(found: Results, place: Place) -> Results:
    """Results with those of a folder, if it is for the same budget and level; so none is lost with its worker."""
    budget, chosen = found.budget, kept(place.level)
    if chosen is None or not place.budget.is_file() or place.budget.read_text() != _text_of(budget):
        return found
    if found.level not in (None, chosen["level"]):
        return found
    here = {run.key: _measured(place, run) for run in budget.runs()}
    runs = {**found.trainings, **{key: result for key, result in here.items() if result is not None}}
    return replace(found, runs=runs, level=chosen["level"])


def _measured(place: Place, run: Run) -> dict[str, Any] | None:
    """What was measured on a run, and its loss at the end, which says how far the budget let it come."""
    result = kept(place.result(run))
    if result is None or "failed" in result or (loss := loss_of(place, run)) is None:
        return result
    return {**result, "loss": loss}


def loss_of(place: Place, run: Run) -> float | None:
    """The mean loss of the last iterations of a training, of its pictures as it met them; None where it has no log."""
    losses = [event["loss"] for event in read_log(place.log(run)) if event["event"] == "step"][-LAST:]
    return math.fsum(losses) / len(losses) if losses else None


def _text_of(budget: Budget) -> str:
    return json.dumps(asdict(budget), indent=1)
