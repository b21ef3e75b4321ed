"""What was measured, as it lies in `results.json`: trainings by their keys, gradients before training, and speeds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from darknet_py import files

from .grid import FULL, Budget
from .statistics import Estimate, estimate

FILE = Path(__file__).with_name("results.json")


@dataclass(frozen=True)
class Results:
    """All of it; `runs` by key, `untrained` by network and seed, `speeds` by detector; what is missing is not there."""

    runs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    untrained: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    speeds: Mapping[str, Any] = field(default_factory=dict)
    level: int | None = None

    @classmethod
    def read(cls, path: Path = FILE) -> Results:
        """Those of a file; nothing if there is none."""
        return cls(**json.loads(path.read_text())) if path.is_file() else cls()

    def write(self, path: Path = FILE) -> None:
        """Write them down."""
        files.write_whole(path, (json.dumps(vars(self), indent=1, sort_keys=True) + "\n").encode(), replace=True)

    def values(self, name: str, get: Callable[[Mapping[str, Any]], float | None], budget: Budget = FULL) -> list[float]:
        """A number of each seed of a network: all of them, or none while a seed is missing or failed."""
        found = [self.runs.get(f"{name}-s{seed}") for seed in budget.seeds]
        numbers = [get(run) for run in found if run is not None and "failed" not in run]
        whole = [n for n in numbers if n is not None]
        return whole if len(whole) == len(budget.seeds) else []

    def failures(self) -> list[tuple[str, str]]:
        """The runs that failed, and why."""
        return [(key, str(run["failed"])) for key, run in sorted(self.runs.items()) if "failed" in run]

    def mean(self, name: str, measure: str, budget: Budget = FULL) -> Estimate | None:
        """The estimate of a measure (`top1`, `AP`, `AP50`) of a network; None where it was not run."""
        values = self.values(name, lambda run: run.get(measure), budget)
        return estimate(values) if values else None

    def difference(self, name: str, other: str, measure: str, budget: Budget = FULL) -> Estimate | None:
        """The estimate of the difference of two networks, seed by seed."""
        return _paired(*(self.values(n, lambda run: run.get(measure), budget) for n in (name, other)))

    def trained(self, name: str, measure: str, budget: Budget = FULL) -> list[float]:
        """What gradients duplicate at the end of training, of each seed."""
        return self.values(name, lambda run: _last(run.get("duplication", {})).get(measure), budget)

    def before(self, name: str, measure: str) -> list[float]:
        """The same at random weights."""
        return [seed[measure] for _, seed in sorted(self.untrained.get(name, {}).items())]

    def gradient_difference(self, name: str, other: str, measure: str, *, trained: bool) -> Estimate | None:
        """The difference of two networks in what gradients duplicate, seed by seed."""
        get = self.trained if trained else self.before
        return _paired(get(name, measure), get(other, measure))


def _paired(a: Sequence[float], b: Sequence[float]) -> Estimate | None:
    if not a or len(a) != len(b):
        return None
    return estimate([x - y for x, y in zip(a, b, strict=True)])


def _last(states: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    return states[max(states, key=int)] if states else {}
