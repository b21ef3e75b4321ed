"""Trainings that go on where they were stopped, and what is measured on each: a JSON file when it is whole.

Decision: a run is `darknet_py.train` in a folder of its own, which resumes bit by bit; what is measured is measured
from the weights files that it leaves. A run whose numbers become none is a result too: it keeps its error. Everything
else that goes wrong (a full disk, another process in the same folder) is no result: it is told, the others go on, and
the same call tries again.
"""

from __future__ import annotations

import json
import os
import time
import traceback
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darknet_py import evaluate, evaluate_classifier, files, load, train
from darknet_py.apps.train.broken import NoNumberError
from darknet_py.apps.train.events import Finished, Resumed, Step
from darknet_py.darknet.compile import compile_cfg
from darknet_py.darknet.initial import initial_weights
from darknet_py.darknet.weights import read_weights
from darknet_py.errors import DarknetError, DataError
from darknet_py.ir.graph import Graph

from .glyphs import CLASSES, LEVELS, UNSEEN, Level, glyph_picture, write_glyphs, write_scenes
from .grid import PILOT, PILOT_SEED, Budget, Part, Run, cfg_of
from .probe import classification_loss, probe, scores_of

Say = Callable[[str], None]
NICENESS = 19
THREADS = 1  # of a training: two side by side get more out of two cores than one with two threads
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


def at_the_lowest_priority() -> None:
    """Let everything else on this machine go first."""
    os.nice(NICENESS - os.nice(0))


def results_of(place: Place, budget: Budget) -> dict[str, Any]:
    """What has been measured until now, by the keys of runs; runs that are missing are not in it."""
    found = {run.key: _kept(place.result(run)) for run in budget.runs()}
    return {key: result for key, result in found.items() if result is not None}


def _kept(path: Path) -> dict[str, Any] | None:
    """A result; None if it is not there, or is no JSON: a machine that stops may leave an empty file."""
    try:
        return dict(json.loads(path.read_text()))
    except (OSError, ValueError):
        return None


def settle(place: Place, budget: Budget, level: int | None = None) -> None:
    """Say what a folder is for, and the level if one was chosen elsewhere: what is trained must not be mixed.

    Raises `DataError` where the folder is for another budget.
    """
    path, text = place.folder / "budget.json", json.dumps(asdict(budget), indent=1)
    if path.is_file() and path.read_text() != text:
        raise DataError(
            f"{place.folder} has trainings of another budget\n  hint: move it away, or name another folder with --out"
        )
    files.write_whole(path, text.encode(), replace=True)
    if level is not None and _kept(place.level) is None:
        files.write_whole(place.level, json.dumps({"level": level}).encode(), replace=True)


def prepare(place: Place, budget: Budget, level: int) -> None:
    """Draw the pictures, before workers ask for them side by side."""
    for run in {run.kind: run for run in budget.runs()}.values():
        data_of(place, run, budget.part(run.kind), level)


def work_off(
    place: Place, budget: Budget, say: Say, share: tuple[int, int] = (0, 1), known: Collection[str] = ()
) -> list[str]:
    """Train and measure what is missing of one share of the list; the keys of those that came to nothing this time.

    `known` are the keys of those that are there. Ctrl-C stops it, and the same call goes on.
    """
    level = chosen_level(place, budget, say)
    first, count = share
    left = []
    for run in [run for run in budget.runs() if run.key not in known][first::count]:
        try:
            finish(place, run, budget, level, say)
        except DarknetError as e:
            say(f"{run.key}: {e}")
            left.append(run.key)
        except Exception:  # whatever it is, a night of other trainings does not end with it
            say(f"{run.key}: {traceback.format_exc()}")
            left.append(run.key)
    return left


def chosen_level(place: Place, budget: Budget, say: Say) -> int:
    """How hard the glyphs are, by the rule of PREDICTIONS.md."""
    if (kept := _kept(place.level)) is not None:
        return int(kept["level"])
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
    path = place.result(run)
    if (kept := _kept(path)) is not None:
        return kept
    part = budget.part(run.kind)
    data = data_of(place, run, part, level)
    begin = time.process_time()
    found: dict[str, Any] = {"run": asdict(run), "budget": asdict(part), "level": level}
    try:
        weights = trained(place, run, part, data, say)
        found |= measured(place, run, part, weights, data, level, budget.probe if probed else 0)
    except DarknetError as e:
        if not isinstance(e.__cause__, NoNumberError):
            raise
        found["failed"] = str(e)
    found["processor_seconds_of_the_last_start"] = round(time.process_time() - begin, 1)
    files.write_whole(path, json.dumps(found, indent=1).encode(), replace=True)
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


def trained(place: Place, run: Run, part: Part, data: Path, say: Say) -> Path:
    """The final weights of a run; it begins anew where the snapshots that are to be measured are gone.

    Raises `DarknetError`, also where another cfg was trained in its folder.
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


def probe_of(graph: Graph, count: int, level: Level) -> Any:
    """What gradients duplicate on the first pictures that are not learned, all classes in turn."""
    drawn = [glyph_picture(UNSEEN, i, level) for i in range(count)]
    images = np.stack([pixels[..., ::-1].transpose(2, 0, 1) for pixels, _ in drawn]).astype(np.float32) / 255
    labels = np.array([which for _, which in drawn]) % len(CLASSES)
    return probe(graph, images, classification_loss(labels), scores_of(graph))
