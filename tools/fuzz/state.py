"""What a run has done so far, as a file: ranges of seeds, figures, findings. A run that is ended goes on from it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .worker import NONE, Report, Seeds

MOST_SEEDS = 20  # of the same finding that are kept
PROJECT = Path(__file__).parents[2]


@dataclass
class Found:
    """A finding: what it is, the first seeds that show it, how many do, and the folder with its input."""

    kind: str
    signature: str
    message: str
    seeds: list[int]
    count: int = 0
    folder: str = ""


@dataclass
class State:
    """Figures of one target: `done` are the ranges (from, to before) of seeds that were looked at."""

    target: str
    done: list[tuple[int, int]] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)
    found: dict[str, Found] = field(default_factory=dict)
    seconds: float = 0.0  # of processor time
    slowest: tuple[float, int] = (0.0, NONE)  # seconds and seed
    largest: tuple[float, int] = (0.0, NONE)  # megabytes and seed
    began: str = ""
    code: list[str] = field(default_factory=list)  # the commits that were fuzzed

    @property
    def inputs(self) -> int:
        """How many inputs were checked."""
        return sum(self.words.values())

    def add(self, report: Report) -> list[Found]:
        """Count a report in; the findings that are new."""
        self.done = _joined([*self.done, (report.start, report.stop)])
        self.words += report.words
        self.seconds += report.seconds
        self.slowest, self.largest = max(self.slowest, report.slowest), max(self.largest, report.largest)
        new = []
        for seed, f in report.findings:
            key = digest(f.signature)
            if key not in self.found:
                self.found[key] = Found(f.kind, f.signature, f.message, [])
                new.append(self.found[key])
            self.found[key].count += 1
            if len(self.found[key].seeds) < MOST_SEEDS:
                self.found[key].seeds.append(seed)
        return new

    def jobs(self, start: int, stop: int, chunk: int) -> Iterator[Seeds]:
        """What of some seeds is still to be done, in pieces."""
        for begin, end in _missing(start, stop, tuple(self.done)):
            for at in range(begin, end, chunk):
                yield Seeds(at, min(at + chunk, end))

    def save(self, path: Path) -> None:
        """Write it, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        data = {**vars(self), "found": {k: vars(f) for k, f in self.found.items()}, "inputs": self.inputs}
        temporary = path.with_suffix(f".{os.getpid()}")
        temporary.write_text(json.dumps(data, indent=1))
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path, target: str) -> State:
        """The state in a file, or a new one; `ValueError` if it is of another target. The commit of now is added."""
        data: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"target": target}
        if data["target"] != target:
            raise ValueError(f"{path} is the state of {data['target']}, not of {target}")
        data.pop("inputs", None)
        data["found"] = {k: Found(**f) for k, f in data.get("found", {}).items()}
        data["words"] = Counter(data.get("words", {}))
        pairs = {k: tuple(data.get(k, (0.0, NONE))) for k in ("slowest", "largest")}
        state = cls(**{**data, **pairs, "done": [(a, b) for a, b in data.get("done", ())]})
        state.began = state.began or time.strftime("%Y-%m-%d %H:%M")
        if (now := commit()) not in state.code:
            state.code.append(now)
        return state


def digest(signature: str) -> str:
    """A short name of a finding."""
    return hashlib.sha256(signature.encode()).hexdigest()[:10]


def commit() -> str:
    """The commit that is checked out; '' outside of a repository."""
    asked = ["git", "-C", str(PROJECT), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges sorted, those that touch made one.

    >>> _joined([(4, 6), (0, 2), (2, 4), (9, 10)])
    [(0, 6), (9, 10)]
    """
    result: list[tuple[int, int]] = []
    for start, stop in sorted(ranges):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(stop, result[-1][1]))
        else:
            result.append((start, stop))
    return result


def _missing(start: int, stop: int, done: tuple[tuple[int, int], ...]) -> Iterator[tuple[int, int]]:
    """The parts of a range that are in none of the sorted ranges.

    >>> list(_missing(1, 12, ((0, 2), (4, 6), (9, 10))))
    [(2, 4), (6, 9), (10, 12)]
    """
    for begin, end in done:
        if start < min(begin, stop):
            yield start, min(begin, stop)
        start = max(start, end)
    if start < stop:
        yield start, stop
