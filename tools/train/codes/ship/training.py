"""A training as its folder tells it: what was trained and how, each iteration, and which weights are its result."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from darknet_py.apps.train.chart import Curves, svg_chart
from darknet_py.apps.train.events import read_log
from darknet_py.errors import DataError
from darknet_py.files import read_at_most

MOST = 1 << 20  # bytes of the description of a training
EACH = 20  # iterations between two lines of the CSV
STEPS = (1, 2, 5, 10)  # of the axis of a chart, times a power of ten
SETTLED = 0.1  # of the iterations: what is lost before would press the curve to the ground


@dataclass(frozen=True)
class Training:
    """A training: its folder, what `run.json` says, and its iterations and measurements as the log has them."""

    folder: Path
    name: str
    run: dict[str, Any]
    steps: tuple[dict[str, Any], ...]
    measured: tuple[dict[str, Any], ...]
    is_done: bool

    @property
    def iterations(self) -> int:
        """The iterations of all of it."""
        return int(self.run["settings"]["max_batches"])

    @property
    def seconds(self) -> float:
        """What its iterations took by the wall."""
        return float(sum(step["seconds"] for step in self.steps))

    @property
    def best(self) -> dict[str, Any] | None:
        """The best measurement, of several the last, as the trainer has it; None where nothing was measured."""
        return max(self.measured, key=lambda one: (one["value"], one["iteration"]), default=None)

    @property
    def weights(self) -> Path:
        """Its result: the best, else the final, else the latest ones. Raises `DataError` where there are none."""
        for kind in ("best", "final", "ema", "last"):
            if (path := self.folder / f"{self.name}_{kind}.weights").is_file():
                return path
        raise DataError(f"{self.folder} has no weights of {self.name}\n  hint: make weights trains them")

    def csv(self) -> str:
        """Each 20th iteration, the first and the last, and those that were measured."""
        scores = {one["iteration"]: f"{one['value']:.4f}" for one in self.measured}
        lines = ["iteration,loss,average loss,learning rate,size,seconds,mAP of drawn pictures"]
        for step in self._thinned(scores):
            i, (height, width) = step["iteration"], step["size"]
            numbers = (f"{step[key]:.5g}" for key in ("loss", "average", "rate"))
            lines.append(f"{i},{','.join(numbers)},{width}x{height},{step['seconds']:.2f},{scores.get(i, '')}")
        return "\n".join(lines) + "\n"

    def chart(self) -> str:
        """The average loss and the mAP over the iterations, as SVG."""
        curves = Curves([(s["iteration"], s["average"]) for s in self._thinned({})],
                        [(one["iteration"], one["value"]) for one in self.measured])  # fmt: skip
        settled = [loss for i, loss in curves.loss if i >= SETTLED * self.iterations] or [curves.loss[-1][1]]
        return svg_chart(curves, self.iterations, axis_end(max(settled)), self.name, "mAP of drawn pictures")

    def _thinned(self, measured: dict[int, str]) -> Iterator[dict[str, Any]]:
        ends = {self.steps[0]["iteration"], self.steps[-1]["iteration"]}
        for step in self.steps:
            if step["iteration"] % EACH == 0 or step["iteration"] in measured or step["iteration"] in ends:
                yield step


def read_training(folder: Path, name: str) -> Training:
    """What a backup folder tells of a training. Raises `DataError` for a folder without one."""
    run = folder / f"{name}_run.json"
    if not run.is_file():
        raise DataError(f"{folder} has no training of {name}\n  hint: make weights trains it; --backup says where")
    events = list(read_log(folder / f"{name}_log.jsonl"))
    of = {kind: tuple(e for e in events if e["event"] == kind) for kind in ("step", "validated", "finished")}
    if not of["step"]:
        raise DataError(f"the training in {folder} has made no iteration yet")
    done = bool(of["finished"]) and of["finished"][-1]["reason"] == "done"
    written = json.loads(read_at_most(run, MOST, "description of a training"))
    return Training(folder, name, written, of["step"], of["validated"], done)


def axis_end(highest: float) -> float:
    """The least round number that is not below.

    >>> axis_end(7.3), axis_end(0.15)
    (10.0, 0.2)
    """
    power = 10.0 ** len(str(int(highest))) / 10 if highest >= 1 else 0.1
    return next((step * power for step in STEPS if step * power >= highest), 10 * power)
