"""What was measured, as it lies in `results.json`: trainings by their keys, gradients before training, and speeds.

Decision: a figure is an `Estimate`, or the reason why there is none; so no page can show a gap without its reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from darknet_py import files
from darknet_py.errors import DataError

from .grid import FULL, Budget
from .statistics import FAILED, Estimate, estimate

FILE = Path(__file__).with_name("results.json")
NOT_RUN = "not yet run"
Figure = Estimate | str


@dataclass(frozen=True)
class Values:
    """A measure by seed, as far as it is there; `of` seeds there are to be, and those in `failed` never will be."""

    found: Mapping[int, float]
    of: int
    failed: frozenset[int] = frozenset()


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
            found = cls(**json.loads(path.read_bytes()), budget=budget)
            found.check()
            return found
        except (ValueError, TypeError) as e:
            raise DataError(
                f"{path} is not what this program writes: {e}\n  hint: move it away, or restore it"
            ) from None

    def check(self) -> None:
        """Raise `TypeError` where something is not of the kind that it is to be."""
        rows = self.speeds.get("rows", {}) if isinstance(self.speeds, Mapping) else None
        trees = ((self.runs, 2), (self.untrained, 3), (rows, 2))
        whole = not self.speeds or {*self.speeds} >= {"rows", "threads", "cpu", "load"}
        level = self.level is None or isinstance(self.level, int)
        if not (all(_is_tree(tree, depth) for tree, depth in trees) and whole and level):
            raise TypeError("runs, untrained, speeds or level are something else")

    def write(self, path: Path = FILE) -> None:
        """Write them down."""
        kept = {"runs": self.runs, "untrained": self.untrained, "speeds": self.speeds, "level": self.level}
        files.write_whole(path, (json.dumps(kept, indent=1, sort_keys=True) + "\n").encode(), replace=True)

    @cached_property
    def trainings(self) -> Mapping[str, Mapping[str, Any]]:
        """The runs that were trained with this budget and on pictures of this level, by their keys.

        Of detectors it is the level of the pictures that their backbones learned.
        """
        parts = {run.key: asdict(self.budget.part(run.kind)) for run in self.budget.runs()}
        return {
            key: run for key, run in self.runs.items()
            if key in parts and run.get("budget") == parts[key] and run.get("level") == self.level
        }  # fmt: skip

    def failures(self) -> list[tuple[str, str]]:
        """The runs that failed, and why."""
        return [(key, str(run["failed"])) for key, run in sorted(self.trainings.items()) if "failed" in run]

    def values(self, name: str, measure: str) -> Values:
        """A measure (`top1`, `loss`, `AP`, `AP50`) of each seed of a network."""
        return self._of_seeds(name, lambda run: run.get(measure))

    def gradients(self, name: str, measure: str, iteration: int | None = None) -> Values:
        """What gradients duplicate after an iteration (None: before training) of each seed."""
        if iteration is None:
            states = self.untrained.get(name, {})
            return self._whole({seed: states.get(str(seed), {}).get(measure) for seed in self.budget.seeds})
        return self._of_seeds(name, lambda run: run.get("duplication", {}).get(str(iteration), {}).get(measure))

    def mean(self, name: str, measure: str) -> Figure:
        """The estimate of a measure of a network."""
        return estimated(self.values(name, measure))

    def difference(self, name: str, other: str, measure: str) -> Figure:
        """The estimate of the difference of two networks, seed by seed."""
        return paired(self.values(name, measure), self.values(other, measure))

    def _of_seeds(self, name: str, get: Callable[[Mapping[str, Any]], float | None]) -> Values:
        runs = {seed: self.trainings.get(f"{name}-s{seed}", {}) for seed in self.budget.seeds}
        failed = frozenset(seed for seed, run in runs.items() if "failed" in run)
        return self._whole({seed: get(run) for seed, run in runs.items()}, failed)

    def _whole(self, found: Mapping[int, float | None], failed: frozenset[int] = frozenset()) -> Values:
        """Those that are there; one that is no finite number is one that failed."""
        there = {seed: n for seed, n in found.items() if n is not None}
        finite = {seed: n for seed, n in there.items() if math.isfinite(n)}
        return Values(finite, len(self.budget.seeds), failed | (there.keys() - finite))


def _is_tree(value: Any, depth: int) -> bool:
    """Whether there are mappings down to a depth."""
    return isinstance(value, Mapping) and (depth == 1 or all(_is_tree(each, depth - 1) for each in value.values()))


def estimated(values: Values) -> Figure:
    """The estimate of the numbers that there are, or why there are none."""
    if not values.found:
        return FAILED if values.failed else NOT_RUN
    return estimate([*values.found.values()], values.of, len(values.failed))


def paired(a: Values, b: Values) -> Figure:
    """The estimate of the differences of numbers, of the seeds that both have.

    >>> paired(Values({0: 1.0, 1: 2.0}, 2), Values({0: 0.5, 1: 1.5}, 2)).mean
    0.5
    >>> paired(Values({0: 1.0, 1: 2.0}, 2), Values({1: 1.5}, 2)).text(), paired(Values({0: 1.0}, 1), Values({}, 1))
    ('0.5 (1 of 2 seeds)', 'not yet run')
    """
    return estimated(by_seed(lambda x, y: x - y, a, b))


def by_seed(of: Callable[..., float], *values: Values) -> Values:
    """A function of numbers of several networks, of the seeds that all of them have."""
    seeds = [seed for seed in values[0].found if all(seed in v.found for v in values)]
    failed = frozenset().union(*(v.failed for v in values))
    return Values({seed: of(*(v.found[seed] for v in values)) for seed in seeds}, values[0].of, failed)
