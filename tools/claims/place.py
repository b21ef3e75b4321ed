"""The folder of a budget: its pictures, its trainings, and what was measured on each: a JSON file when it is whole."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from darknet_py import files
from darknet_py.errors import DataError

from .grid import Budget, Run
from .results import Results


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
    here = {run.key: kept(place.result(run)) for run in budget.runs()}
    runs = {**found.trainings, **{key: result for key, result in here.items() if result is not None}}
    return replace(found, runs=runs, level=chosen["level"])


def _text_of(budget: Budget) -> str:
    return json.dumps(asdict(budget), indent=1)
