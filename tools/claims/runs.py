"""Trainings that go on where they were stopped, and what is measured on each: a JSON file when it is whole.

Decision: a run is `darknet_py.train` in a folder of its own, which resumes bit by bit; what is measured is measured
from the weights files that it leaves. A run whose numbers become none is a result too: it keeps its error. Everything
else that goes wrong (a full disk, another process in the same folder) is no result, but an error.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from darknet_py import evaluate, evaluate_classifier, files, load, train
from darknet_py.apps.train.broken import NoNumberError
from darknet_py.apps.train.events import Finished, Resumed, Step
from darknet_py.darknet.compile import compile_cfg, compile_file
from darknet_py.darknet.initial import initial_weights
from darknet_py.darknet.weights import cut_weights, read_weights
from darknet_py.errors import DarknetError, DataError
from darknet_py.ir.graph import Graph

from .glyphs import CLASSES, LEVELS, UNSEEN, Level, glyph_picture, write_glyphs, write_scenes
from .gradients import Duplication
from .grid import BACKBONE, BACKBONE_LAYERS, PILOT, PILOT_SEED, Budget, Part, Run, cfg_of
from .place import Place
from .probe import classification_loss, probe, scores_of

Say = Callable[[str], None]
NICENESS = 19
THREADS = 1  # of a training: two side by side get more out of two cores than one with two threads
SAVE_SECONDS = 60.0
EASY, HARD = 0.9, 0.6  # top-1 of the pilot between which a level is taken
SAID_EACH = 100  # iterations
BATCH = 16  # pictures that are measured at a time


def at_the_lowest_priority() -> None:
    """Let everything else on this machine go first."""
    os.nice(NICENESS - os.nice(0))


def prepare(place: Place, budget: Budget, level: int) -> None:
    """Draw the pictures, before workers ask for them side by side."""
    for run in {run.kind: run for run in budget.runs()}.values():
        data_of(place, run, budget.part(run.kind), level)


def chosen_level(place: Place, budget: Budget, say: Say) -> int:
    """How hard the glyphs are, by the rule of PREDICTIONS.md."""
    if (known := place.chosen()) is not None:
        return known
    tried: list[float] = []
    while not _is_settled(tried):
        run = Run("classifier", PILOT, PILOT_SEED, len(tried))
        tried.append(finish(place, run, budget, len(tried), say, probed=False).get("top1", 0.0))
    chosen = len(tried) - 1
    files.write_whole(place.level, json.dumps({"level": chosen, "pilots": tried}).encode(), replace=True)
    return chosen


def _is_settled(tried: list[float]) -> bool:
    """Whether the last of the levels that were tried is the one: neither easy nor hard, too hard at once, or the last.

    >>> _is_settled([0.95]), _is_settled([0.95, 0.7]), _is_settled([0.3]), _is_settled([0.95, 0.3])
    (False, True, True, False)
    """
    if not tried:
        return False
    return HARD <= tried[-1] <= EASY or len(tried) == len(LEVELS) or (len(tried) == 1 and tried[0] < HARD)


def finish(place: Place, run: Run, budget: Budget, level: int, say: Say, *, probed: bool = True) -> dict[str, Any]:
    """Train one network to its end and measure it; what came of it, which is also written.

    Raises `DarknetError` for what is no result.
    """
    part = budget.part(run.kind)
    if (known := place.measured(run, part, level)) is not None:
        return known
    data = data_of(place, run, part, level)
    start = None if run.backbone is None else begin_with(place, run, budget, level, say)
    begin = time.process_time()
    found: dict[str, Any] = {"run": asdict(run), "budget": asdict(part), "level": level}
    try:
        weights = trained(place, run, part, data, say, start)
        found |= measured(place, run, part, weights, data, level, budget.probe if probed else 0)
    except DarknetError as e:
        if not isinstance(e.__cause__, NoNumberError):
            raise
        found["failed"] = str(e)
    found["processor_seconds_of_the_last_start"] = round(time.process_time() - begin, 1)
    files.write_whole(place.result(run), json.dumps(found, indent=1).encode(), replace=True)
    _tidy(place.run(run) / "backup")
    say(f"{run.key}: {_said(found)}")
    return found


def _tidy(backup: Path) -> None:
    """Let go of what has been measured, and keep the final weights: all states of all runs are 8 GB."""
    for path in backup.iterdir() if backup.is_dir() else ():
        if path.suffix in (".weights", ".state") and not path.stem.endswith("_final"):
            path.unlink()


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
    return files.write_whole(own, f"{path.read_text()}saveweights={part.each}\n".encode(), replace=True)


def begin_with(place: Place, run: Run, budget: Budget, level: int, say: Say) -> Path:
    """The weights of the layers that a detector shares with the classifier of its seed; that is trained if need be.

    Raises `DarknetError`.
    """
    assert run.backbone is not None
    part, folder = budget.classifier, place.run(run.backbone)
    final = folder / "backup" / "classifier_final.weights"
    if not final.is_file():
        final = trained(place, run.backbone, part, data_of(place, run.backbone, part, level), say)
    graph = compile_file(folder / "classifier.cfg").check().graph
    path = place.run(run) / f"{BACKBONE}.conv.{BACKBONE_LAYERS}"
    cut_weights(final, graph, path, BACKBONE_LAYERS, replace=True)
    return path


def trained(place: Place, run: Run, part: Part, data: Path, say: Say, start: Path | None = None) -> Path:
    """The final weights of a run; it begins anew where the snapshots that are to be measured are gone.

    `start` has the weights of its first layers; without it all are random. Raises `DarknetError`, also where another
    cfg was trained in its folder.
    """
    folder = place.run(run)
    cfg = folder / f"{run.kind}.cfg"
    final = folder / "backup" / f"{run.kind}_final.weights"
    text = cfg_of(run, part).encode()
    if cfg.is_file() and cfg.read_bytes() != text:
        raise DataError(f"{folder} has a training of another cfg\n  hint: move it away")
    files.write_whole(cfg, text, replace=True)
    snapshots = _snapshots(final, part).values() if run.kind == "classifier" and run.pilot is None else ()
    if all(path.is_file() for path in (final, *snapshots)):
        return final
    if final.is_file():
        for path in (final, folder / "backup" / f"{run.kind}_last.state"):
            path.unlink(missing_ok=True)
    backup = folder / "backup"
    events = train(cfg, data, start, backup=backup, seed=run.seed, save_seconds=SAVE_SECONDS, threads=THREADS)
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
    # One thread, as the other worker has its own; and nothing kept for another start, which there is not.
    model = load(cfg, weights, "onnxruntime", names=data, quiet=True, threads=THREADS, cache=False)
    if run.kind == "detector":
        result = evaluate(model, data, coco=True, resume=False, batch=BATCH)
        coco = result.coco or {}
        return {"AP": coco.get("AP"), "AP50": coco.get("AP50"), "mAP": result.darknet.map}
    found: dict[str, Any] = {"top1": evaluate_classifier(model, data, batch=BATCH).top1}
    return {**found, "duplication": along(cfg, weights, part, run.seed, LEVELS[level], probed)} if probed else found


def along(cfg: Path, weights: Path, part: Part, seed: int, level: Level, probed: int) -> dict[str, dict[str, float]]:
    """The measures of duplicate gradients by iteration: at the beginning, at each snapshot, and at the end."""
    graph = compile_cfg(cfg.read_bytes(), str(cfg)).check().graph
    states = {0: graph.with_data(initial_weights(graph, seed).arrays)}
    states |= {i: _loaded(graph, path) for i, path in {**_snapshots(weights, part), part.iterations: weights}.items()}
    return {str(i): asdict(probe_of(state, probed, level)) for i, state in states.items()}


def _snapshots(final: Path, part: Part) -> dict[int, Path]:
    """The weights between the beginning and the end of a training, by iteration."""
    stem = str(final).removesuffix("_final.weights")
    return {i: Path(f"{stem}_{i}.weights") for i in part.snapshots[1:-1]}


def _loaded(graph: Graph, path: Path) -> Graph:
    return graph.with_data(read_weights(path, graph).arrays)


def probe_of(graph: Graph, count: int, level: Level) -> Duplication:
    """What gradients duplicate on the first pictures that are not learned, all classes in turn."""
    drawn = [glyph_picture(UNSEEN, i, level) for i in range(count)]
    images = np.stack([pixels[..., ::-1].transpose(2, 0, 1) for pixels, _ in drawn]).astype(np.float32) / 255
    labels = np.array([which for _, which in drawn]) % len(CLASSES)
    return probe(graph, images, classification_loss(labels), scores_of(graph))
