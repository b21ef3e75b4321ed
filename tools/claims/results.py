"""What was measured, as it lies in `results.json`: trainings by their keys, gradients before training, and speeds.

Decision: a figure is an `Estimate`, or the reason why there is none; so no page can show a gap without its reason.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from darknet_py import files
from darknet_py.errors import DataError

from .grid import FULL, Budget
from .statistics import Estimate, estimate

FILE = Path(__file__).with_name("results.json")
NOT_RUN, FAILED = "not yet run", "a run failed"
Figure = Estimate | str
Values = list[float] | str


@dataclass(frozen=True)
class Results:
    """All of it; `runs` by key, `untrained` by network and seed, `speeds` by detector; what is missing is not there.

    `budget` says which networks and seeds there are to be, and is not written down.
    """

    runs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    untrained: Mapping[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    speeds: Mapping[str, Any] = field(default_factory=dict)
    level: int | None = None
    budget: Budget = FULL

    @classmethod
    def read(cls, path: Path = FILE, budget: Budget = FULL) -> Results:
        """Those of a file; nothing if there is none. Raises `DataError` for another file."""
        if not path.is_file():
            return cls(budget=budget)
        try:
            return cls(**json.loads(path.read_text()), budget=budget)
        except (ValueError, TypeError) as e:
            raise DataError(
                f"{path} is not what this program writes: {e}\n  hint: move it away, or restore it"
            ) from None

    def write(self, path: Path = FILE) -> None:
        """Write them down."""
        kept = {name: value for name, value in vars(self).items() if name != "budget"}
        files.write_whole(path, (json.dumps(kept, indent=1, sort_keys=True) + "\n").encode(), replace=True)

    def trainings(self) -> dict[str, Mapping[str, Any]]:
        """The runs that were trained with this budget, by their keys."""
        parts = {run.key: asdict(self.budget.part(run.kind)) for run in self.budget.runs()}
        return {key: run for key, run in self.runs.items() if key in parts and run.get("budget") == parts[key]}

    def failures(self) -> list[tuple[str, str]]:
        """The runs that failed, and why."""
        return [(key, str(run["failed"])) for key, run in sorted(self.runs.items()) if "failed" in run]

    def values(self, name: str, measure: str) -> Values:
        """A measure (`top1`, `AP`, `AP50`) of each seed of a network, or why not all of them are there."""
        return self._of_seeds(name, lambda run: run.get(measure))

    def gradients(self, name: str, measure: str, iteration: int | None = None) -> Values:
        """What gradients duplicate after an iteration (None: before training) of each seed, or why not."""
        if iteration is None:
            found = [self.untrained.get(name, {}).get(str(seed), {}).get(measure) for seed in self.budget.seeds]
            return _whole(found)
        return self._of_seeds(name, lambda run: run.get("duplication", {}).get(str(iteration), {}).get(measure))

    def mean(self, name: str, measure: str) -> Figure:
        """The estimate of a measure of a network."""
        return estimated(self.values(name, measure))

    def difference(self, name: str, other: str, measure: str) -> Figure:
        """The estimate of the difference of two networks, seed by seed."""
        return paired(self.values(name, measure), self.values(other, measure))

    def _of_seeds(self, name: str, get: Callable[[Mapping[str, Any]], float | None]) -> Values:
        runs = [self.runs.get(f"{name}-s{seed}", {}) for seed in self.budget.seeds]
        return FAILED if any("failed" in run for run in runs) else _whole([get(run) for run in runs])


def _whole(found: list[float | None]) -> Values:
    numbers = [n for n in found if n is not None]
    return numbers if len(numbers) == len(found) else NOT_RUN


def estimated(values: Values) -> Figure:
    """The estimate of numbers, or why there are none."""
    return values if isinstance(values, str) else estimate(values)


def paired(a: Values, b: Values) -> Figure:
    """The estimate of the differences of numbers, seed by seed.

    >>> paired([1.0, 2.0], [0.5, 1.5]).mean, paired([1.0], "not yet run")
    (0.5, 'not yet run')
    """
    if isinstance(a, str):
        return a
    if isinstance(b, str):
        return b
    return estimate([x - y for x, y in zip(a, b, strict=True)])
