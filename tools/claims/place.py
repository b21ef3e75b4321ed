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

from .glyphs import LEVELS
from .grid import Budget, Part, Run
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

    @property
    def lock(self) -> Path:
        """What the program holds that works here: another one waits or goes elsewhere."""
        return self.folder / "at-work"

    def chosen(self) -> int | None:
        """The level that was chosen; None if none was, or the file is damaged: the pilots have it still."""
        level = (kept(self.level) or {}).get("level")
        return level if isinstance(level, int) and 0 <= level < len(LEVELS) else None

    def measured(self, run: Run, part: Part, level: int) -> dict[str, Any] | None:
        """What was measured on a run of this budget and level; None if nothing was, or the file is damaged."""
        found = kept(self.result(run)) or {}
        return found if (found.get("budget"), found.get("level")) == (asdict(part), level) else None

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
    """The object in a JSON file; None if there is no file, or no object: a machine that stops may leave it empty.

    A file that cannot be read is an `OSError`: what took hours is not to be done again for that.
    """
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def settle(place: Place, budget: Budget, level: int | None = None) -> None:
    """Say what a folder is for, and the level if one was chosen elsewhere: what is trained must not be mixed.

    Raises `DataError` where the folder is for another budget or level.
    """
    text = _text_of(budget)
    if place.budget.is_file() and place.budget.read_bytes() != text:
        raise DataError(
            f"{place.folder} has trainings of another budget\n  hint: move it away, or name another folder with --out"
        )
    files.write_whole(place.budget, text, replace=True)
    here = place.chosen()
    if level is not None and here is None:
        files.write_whole(place.level, json.dumps({"level": level}).encode(), replace=True)
    elif level is not None and here is not None and here != level:
        raise DataError(
            f"{place.folder} has trainings of level {here + 1}, and the results are of level {level + 1}\n"
            "  hint: move it away, or name another folder with --out"
        )


def gathered(found: Results, place: Place) -> Results:
    """Results with those of a folder, if it is for the same budget and level; so none is lost with its worker.

    What is among the results already stays as it is: of the folder some may be gone by now.
    """
    budget, level = found.budget, place.chosen()
    if level is None or not place.budget.is_file() or place.budget.read_bytes() != _text_of(budget):
        return found
    if found.level not in (None, level):
        return found
    missing = [run for run in budget.runs() if run.key not in found.trainings]
    here = {run.key: _measured(place, run, budget.part(run.kind), level) for run in missing}
    runs = {**found.trainings, **{key: result for key, result in here.items() if result is not None}}
    return replace(found, runs=runs, level=level)


def _measured(place: Place, run: Run, part: Part, level: int) -> dict[str, Any] | None:
    """What was measured on a run, and its loss at the end, which says how far the budget let it come."""
    result = place.measured(run, part, level)
    if result is None or "failed" in result or (loss := loss_of(place, run)) is None:
        return result
    return {**result, "loss": loss}


def loss_of(place: Place, run: Run) -> float | None:
    """The mean loss of the last iterations of a training, of its pictures as it met them; None without a whole log."""
    events = list(read_log(place.log(run)))
    if not events or events[-1].get("event") != "finished":  # a mean without some of its lines would be another
        return None
    losses: list[Any] = [event.get("loss") for event in events if event["event"] == "step"][-LAST:]
    if None in losses:  # of no number
        return None
    return math.fsum(losses) / len(losses) if losses else None


def _text_of(budget: Budget) -> bytes:
    return json.dumps(asdict(budget), indent=1).encode()
