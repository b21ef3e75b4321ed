"""Whether a trial (`--quick`) found what it is to find: who only sees that nothing was raised has seen little."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from .detectors import PAPER_FPS
from .grid import Run
from .results import Results

MEASURES = {"classifier": ("top1",), "detector": ("AP", "AP50", "mAP")}
FIRST_LEVEL = 0  # on whose pictures gradients before training are measured
ALIKE = 1e-4  # of two measurements of the same gradients, relative


def faults(found: Results) -> list[str]:
    """What is missing, failed, or not as it must be, a line for each; none if the program works."""
    said = [fault for run in found.budget.runs() for fault in _of_run(found, run)]
    timed = found.speeds.get("rows", {})
    return said + [f"{name}: its speed was not measured" for name in PAPER_FPS if name not in timed]


def _of_run(found: Results, run: Run) -> Iterator[str]:
    result = found.trainings.get(run.key)
    if result is None:
        yield f"{run.key} was not trained"
        return
    if "failed" in result:
        yield f"{run.key} failed: {str(result['failed']).splitlines()[0]}"
        return
    for measure in MEASURES[run.kind]:
        value = result.get(measure)
        if value is None or not 0 <= value <= 1:
            yield f"{run.key}: {measure} is {value}"
    if not 0 < (result.get("loss") or 0) < math.inf:
        yield f"{run.key}: its loss is {result.get('loss')}"
    if run.kind == "classifier":
        yield from _of_gradients(found, run, result.get("duplication", {}))


def _of_gradients(found: Results, run: Run, states: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """Of each snapshot; and measured twice at the beginning, with the training and without it, they are the same."""
    if [*states] != [str(i) for i in found.budget.classifier.snapshots]:
        yield f"{run.key}: its gradients were measured after iterations {', '.join(states) or 'none'}"
        return
    before = found.untrained.get(run.name, {}).get(str(run.seed))
    if before is None:
        yield f"{run.key}: its gradients were not measured before training"
    elif found.level == FIRST_LEVEL:
        for measure, value in before.items():
            if not math.isclose(value, states["0"][measure], rel_tol=ALIKE):
                yield f"{run.key}: {measure} at its beginning is {states['0'][measure]}, and measured alone {value}"
