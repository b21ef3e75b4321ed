"""Trainings that go on where they were stopped, and what is measured on each: a JSON file when it is whole.

Decision: a run is `darknet_py.train` in a folder of its own, which resumes bit by bit; what is measured is measured
from the weights files that it leaves. A run that cannot be trained is a result too: it keeps its error.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darknet_py import evaluate, evaluate_classifier, files, load, train
from darknet_py.apps.train.events import Finished, Resumed, Step
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.initial import initial_weights
from darknet_py.darknet.weights import read_weights
from darknet_py.errors import DarknetError
from darknet_py.ir.graph import Graph

from .glyphs import CLASSES, LEVELS, UNSEEN, Level, glyph_picture, write_glyphs, write_scenes
from .grid import PILOT, PILOT_SEED, Budget, Part, Run, cfg_of
from .probe import classification_loss, probe, scores_of

Say = Callable[[str], None]
NICENESS = 19
THREADS = 1  # of a training: two side by side get more out of two cores than one with two threads
SNAPSHOTS = 4  # of a classifier's training, at which gradients are probed, beside its beginning
SAVE_SECONDS = 60.0
EASY, HARD = 0.9, 0.6  # top-1 of the pilot between which a level is taken
SAID_EACH = 100  # iterations
BATCH = 16  # pictures that are measured at a time


@dataclass(frozen=True)
class Place:
    """Where everything lies: the folder of a budget."""

    folder: Path

    def data(self, kind: str, level: int = 0) -> Path:
        """The folder of a data set."""
        return self.folder / "data" / (f"glyphs-{level}" if kind == "classifier" else "scenes")

    def run(self, run: Run) -> Path:
        """The folder of a training."""
        return self.folder / "runs" / run.key

    def result(self, run: Run) -> Path:
        """What was measured."""
        return self.folder / "results" / f"{run.key}.json"


def at_the_lowest_priority() -> None:
    """Let everything else on this machine go first."""
    os.nice(NICENESS - os.nice(0))


def results_of(place: Place, budget: Budget) -> dict[str, Any]:
    """What has been measured until now, by the keys of runs; runs that are missing are not in it."""
    found = {run.key: place.result(run) for run in budget.runs()}
    return {key: json.loads(path.read_text()) for key, path in found.items() if path.is_file()}


def prepare(place: Place, budget: Budget, level: int) -> None:
    """Draw the pictures, before workers ask for them side by side."""
    for run in {run.kind: run for run in budget.runs()}.values():
        data_of(place, run, budget.part(run.kind), level)


def work_off(place: Place, budget: Budget, say: Say, share: tuple[int, int] = (0, 1)) -> None:
    """Train and measure what is missing of one share of the list. Ctrl-C stops it, and the same call goes on."""
    level = chosen_level(place, budget, say)
    first, count = share
    for run in [*budget.runs()][first::count]:
        finish(place, run, budget, level, say)


def chosen_level(place: Place, budget: Budget, say: Say) -> int:
    """How hard the glyphs are, by the rule of PREDICTIONS.md."""
    path = place.folder / "level.json"
    if path.is_file():
        return int(json.loads(path.read_text())["level"])
    tried = []
    for level in range(len(LEVELS)):
        run = Run("classifier", PILOT, PILOT_SEED + level)
        top1 = finish(place, run, budget, level, say, probed=False).get("top1", 0.0)
        tried.append(top1)
        if top1 <= EASY:
            break
    chosen = len(tried) - 1 if len(tried) == 1 or tried[-1] >= HARD else len(LEVELS) - 1
    files.write_whole(path, json.dumps({"level": chosen, "pilots": tried}).encode(), replace=True)
    return chosen


def finish(place: Place, run: Run, budget: Budget, level: int, say: Say, *, probed: bool = True) -> dict[str, Any]:
    """Train one network to its end and measure it; what came of it, which is also written."""
    path = place.result(run)
    if path.is_file():
        return dict(json.loads(path.read_text()))
    part = budget.part(run.kind)
    data = data_of(place, run, part, level)
    begin = time.process_time()
    found: dict[str, Any] = {"run": asdict(run), "budget": asdict(part), "level": level}
    try:
        weights = trained(place, run, part, data, say)
        found |= measured(place, run, part, weights, data, level, budget.probe if probed else 0)
    except DarknetError as e:
        found["failed"] = str(e)
    found["processor_seconds_of_the_last_start"] = round(time.process_time() - begin, 1)
    files.write_whole(path, json.dumps(found, indent=1).encode(), replace=True)
    say(f"{run.key}: {_said(found)}")
    return found


def _said(found: dict[str, Any]) -> str:
    return ", ".join(f"{k} {found[k]:.4f}" for k in ("top1", "AP", "AP50") if k in found) or found.get("failed", "")


def data_of(place: Place, run: Run, part: Part, level: int) -> Path:
    """The .data file of a run; the pictures are drawn when they are first wanted."""
    folder = place.data(run.kind, level)
    path = folder / "claims.data"
    if not path.is_file():
        if run.kind == "classifier":
            write_glyphs(folder, part.learned, part.unseen, LEVELS[level])
        else:
            write_scenes(folder, part.learned, part.unseen)
    own = place.run(run) / "claims.data"
    each = max(1, part.iterations // SNAPSHOTS)
    return files.write_whole(own, f"{path.read_text()}saveweights={each}\n".encode(), replace=True)


def trained(place: Place, run: Run, part: Part, data: Path, say: Say) -> Path:
    """The final weights of a run. Raises `DarknetError`."""
    folder = place.run(run)
    cfg = folder / f"{run.kind}.cfg"
    final = folder / "backup" / f"{run.kind}_final.weights"
    text = cfg_of(run, part).encode()
    if not cfg.is_file() or cfg.read_bytes() != text:
        files.write_whole(cfg, text, replace=True)
    if final.is_file():
        return final
    events = train(cfg, data, backup=folder / "backup", seed=run.seed, save_seconds=SAVE_SECONDS, threads=THREADS)
    for event in events:
        if isinstance(event, Resumed):
            say(f"{run.key}: goes on after iteration {event.iteration}")
        if isinstance(event, Step) and event.iteration % SAID_EACH == 0:
            say(f"{run.key}: iteration {event.iteration}, loss {event.average:.3f}, {event.left:.0f} s left")
        if isinstance(event, Finished):
            return event.path
    raise DarknetError(f"{run.key} ended without weights")


def measured(place: Place, run: Run, part: Part, weights: Path, data: Path, level: int, probed: int) -> dict[str, Any]:
    """Accuracy on pictures that were not learned, and of classifiers what gradients duplicate along the training."""
    cfg = place.run(run) / f"{run.kind}.cfg"
    model = load(cfg, weights, "onnxruntime", names=data, quiet=True)
    if run.kind == "detector":
        result = evaluate(model, data, coco=True, resume=False, batch=BATCH)
        coco = result.coco or {}
        return {"AP": coco.get("AP"), "AP50": coco.get("AP50"), "mAP": result.darknet.map}
    found: dict[str, Any] = {"top1": evaluate_classifier(model, data, batch=BATCH).top1}
    return {**found, "duplication": along(cfg, weights, part, run.seed, LEVELS[level], probed)} if probed else found


def along(cfg: Path, weights: Path, part: Part, seed: int, level: Level, probed: int) -> dict[str, dict[str, float]]:
    """The measures of duplicate gradients by iteration: at the beginning, at each snapshot, and at the end."""
    graph = compile_cfg(cfg.read_bytes(), str(cfg)).check().graph
    each = max(1, part.iterations // SNAPSHOTS)
    stem = str(weights).removesuffix("_final.weights")
    files_ = {i: Path(f"{stem}_{i}.weights") for i in range(each, part.iterations, each)}
    states = {0: graph.with_data(initial_weights(graph, seed).arrays)}
    states |= {i: _loaded(graph, path) for i, path in files_.items() if path.is_file()}
    states[part.iterations] = _loaded(graph, weights)
    return {str(i): asdict(probe_of(state, probed, level)) for i, state in states.items()}


def _loaded(graph: Graph, path: Path) -> Graph:
    return graph.with_data(read_weights(path, graph).arrays)


def probe_of(graph: Graph, count: int, level: Level) -> Any:
    """What gradients duplicate on the first pictures that are not learned, all classes in turn."""
    drawn = [glyph_picture(UNSEEN, i, level) for i in range(count)]
    images = np.stack([pixels[..., ::-1].transpose(2, 0, 1) for pixels, _ in drawn]).astype(np.float32) / 255
    labels = np.array([which for _, which in drawn]) % len(CLASSES)
    return probe(graph, images, classification_loss(labels), scores_of(graph))
