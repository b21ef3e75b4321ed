"""`python -m tools.claims`: measure what is missing, and write `cfgs/CLAIMS.md`; `--quick` tests itself in minutes.

Decision: every part can be stopped and goes on. A training is a process of one thread at the lowest priority, as many
at a time as there are cores, and what it measured is in the file of results as soon as it ends. What the repository has
is not measured again, unless another folder is named with --out: then everything is, and results and page are in it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from darknet_py import files
from darknet_py.apps.train.run import need_torch
from darknet_py.errors import DarknetError

from .grid import FULL, QUICK, Budget, Run, cfg_of
from .page import night, page
from .place import Place, gathered, settle
from .results import FILE, Results
from .trial import faults
from .workers import end_with_starter, lifeline, work_off

OUT = Path("predictions/claims")
CLAIMS = Path(__file__).parents[2] / "cfgs" / "CLAIMS.md"
PARTS = ("speed", "gradients", "trainings", "page")
QUICK_ROUNDS = 1
QUIET = 1.0  # processes that run, at which speeds are still worth measuring
STOPPED = 130  # exit status after Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; 0 if it went well."""
    options = _options()
    given = options.parse_args(arguments)
    if given.jobs < 1:  # it would wait for ever
        options.error("--jobs: 1 at least")
    if given.hours is not None and not given.hours >= 0:  # not a number either
        options.error("--hours: 0 at least")
    if given.out.exists() and not given.out.is_dir():
        options.error(f"--out: {given.out} is no folder")
    if given.worker:
        return _work(given)
    if given.time:
        print(night())
        return 0
    budget = QUICK if given.quick else FULL
    if given.only == ["page"]:  # which a night may be looked at with
        return _go_through(given, budget)
    place = _place(given, budget)
    place.folder.mkdir(parents=True, exist_ok=True)
    with files.continuing(place.lock, 0, replace=True):
        return _go_through(given, budget)


def _go_through(given: argparse.Namespace, budget: Budget) -> int:
    """The parts that are asked for; 0 if they went well."""
    kept_file, written = _kept(given, budget)
    parts = given.only or PARTS
    found = gathered(Results.read(kept_file, budget), _place(given, budget))
    left: list[str] = []
    if "speed" in parts and (given.only or not found.speeds):  # before anything of this program keeps the cores busy
        found = _with_speeds(found, given)
        found.write(kept_file)
    if "gradients" in parts and not _complete(found):
        left += _work_all(given, ["gradients"])
        found = replace(found, untrained=Results.read(kept_file, budget).untrained)
    try:
        if "trainings" in parts:
            left += _train(found, given, kept_file)
    finally:  # after Ctrl-C too: the page is of what there is
        found = gathered(found, _place(given, budget))
        found.write(kept_file)
        files.write_whole(written, page(found).encode(), replace=True)
        print(f"{written}: {len(found.trainings)} trainings of {len([*budget.runs()])}")
    if left:
        raise DarknetError(
            f"{', '.join(left)} came to nothing, for what is said above; the same command tries them again"
        )
    if given.quick and not given.only and (wrong := faults(found)):
        raise DarknetError("the trial did not find what it must:\n  " + "\n  ".join(wrong))
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.claims", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="tiny trainings and one round, in OUT/quick, with a page of their own (a minute or two)",
    )
    parser.add_argument(
        "--only", action="append", choices=PARTS, help="one part (may be repeated); the page is written in any case"
    )
    parser.add_argument("--time", action="store_true", help="say how long all trainings take, and do nothing")
    parser.add_argument(
        "--out",
        type=Path,
        default=OUT,
        help="folder of pictures and trainings (default: %(default)s); results and page of any other are in OUT/full",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=os.cpu_count() or 1,
        help="trainings side by side (default: as many as there are cores)",
    )
    parser.add_argument("--hours", type=float, help="begin no training after that many hours")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    return parser


def _say(text: str) -> None:
    print(text, flush=True)


def _with_speeds(found: Results, given: argparse.Namespace) -> Results:
    from .speed import ROUNDS, measure

    if given.quick:
        return replace(found, speeds=measure(_say, QUICK_ROUNDS))
    if (running := os.getloadavg()[0]) > QUIET:
        print(f"speeds are left out: {running:.1f} processes are running, and they want a quiet machine")
        return found
    return replace(found, speeds=measure(_say, ROUNDS))


def _complete(found: Results) -> bool:
    return all(len(found.gradients(n, "cosine").found) == len(found.budget.seeds) for n in found.budget.classifiers)


def _untrained(found: Results, budget: Budget) -> Iterator[dict[str, Any]]:
    """What gradients duplicate at random weights, of every classifier and seed: all so far, after each classifier."""
    from darknet_py.darknet.compile import compile_cfg
    from darknet_py.darknet.initial import initial_weights

    from .glyphs import LEVELS
    from .runs import probe_of

    untrained = {name: dict(seeds) for name, seeds in found.untrained.items()}
    for name in budget.classifiers:
        graph = compile_cfg(cfg_of(Run("classifier", name, 0), budget.classifier), f"{name}.cfg").check().graph
        for seed in budget.seeds:
            if str(seed) in untrained.get(name, {}):
                continue
            state = graph.with_data(initial_weights(graph, seed).arrays)
            measured = asdict(probe_of(state, budget.probe, LEVELS[0]))
            untrained.setdefault(name, {})[str(seed)] = measured
            _say(f"{name}-s{seed}: cosine {measured['cosine']:.3f}, CKA {measured['cka']:.3f}")
        yield untrained


def _train(found: Results, given: argparse.Namespace, kept_file: Path) -> list[str]:
    """The trainings that are missing, by workers; those that came to nothing. Each result is written as it comes."""
    budget, place = found.budget, _place(given, found.budget)
    missing = [run.key for run in budget.runs() if run.key not in found.trainings]
    needs = {run.key: run.backbone.key for run in budget.runs() if run.backbone is not None}
    if not missing:
        return []
    until = None if given.hours is None else time.monotonic() + 3600 * given.hours
    settle(place, budget, found.level)
    if _work_all(given, ["level"]):
        raise DarknetError("the level of the pictures is not settled; the same command goes on")
    return _work_all(given, missing, done=lambda: gathered(found, place).write(kept_file), until=until, needs=needs)


def _work_all(given: argparse.Namespace, works: Sequence[str], **how: Any) -> list[str]:
    need_torch()
    return work_off(lambda work: _start(given, work), works, given.jobs, **how)


def _start(given: argparse.Namespace, work: str) -> subprocess.Popen[bytes]:
    """A worker of one thread: side by side they get more out of the cores than threads that wait for each other."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    quick = ["--quick"] if given.quick else []
    command = [sys.executable, "-m", "tools.claims", "--out", str(given.out), *quick, "--worker", work]
    return subprocess.Popen(command, env=environment, stdin=lifeline())


def _place(given: argparse.Namespace, budget: Budget) -> Place:
    return Place(given.out / budget.name)


def _kept(given: argparse.Namespace, budget: Budget) -> tuple[Path, Path]:
    """The file of results, and the page: those of the repository, or of a folder where all is measured anew."""
    folder = given.out / budget.name
    return (folder / "results.json", folder / "CLAIMS.md") if given.quick or given.out != OUT else (FILE, CLAIMS)


def _work(given: argparse.Namespace) -> int:
    """One of the workers: gradients before training, the pilots and all pictures, or a training."""
    end_with_starter()  # before imports that take seconds
    from .runs import at_the_lowest_priority, chosen_level, finish, prepare

    budget = QUICK if given.quick else FULL
    place, (kept_file, _) = _place(given, budget), _kept(given, budget)
    if not given.quick:
        at_the_lowest_priority()
    if given.worker == "gradients":
        found = Results.read(kept_file, budget)
        for untrained in _untrained(found, budget):
            replace(found, untrained=untrained).write(kept_file)
    elif given.worker == "level":
        prepare(place, budget, chosen_level(place, budget, _say))
    else:
        (run,) = (run for run in budget.runs() if run.key == given.worker)
        finish(place, run, budget, chosen_level(place, budget, _say), _say)
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (DarknetError, OSError) as e:  # of the system: a full disk, a folder that is not to be written to
        sys.exit(f"error: {e}")
    except KeyboardInterrupt:
        sys.exit(STOPPED)
