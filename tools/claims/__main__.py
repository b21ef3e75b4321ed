"""`python -m tools.claims`: measure what is missing, and write `cfgs/CLAIMS.md`; `--quick` tests itself in minutes.

Decision: every part can be stopped and goes on. Trainings run in processes of one thread each at the lowest priority,
as many as there are cores, and each takes its share of the list. What the repository has is not measured again, unless
another folder is named with --out: then everything is, and results and page are in that folder.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from darknet_py import files
from darknet_py.apps.train.run import need_torch
from darknet_py.errors import DarknetError

from .grid import FULL, QUICK, Budget, Run, cfg_of
from .page import night, page
from .results import FILE, Results

if TYPE_CHECKING:
    from .runs import Place

OUT = Path("predictions/claims")
CLAIMS = Path(__file__).parents[2] / "cfgs" / "CLAIMS.md"
PARTS = ("speed", "gradients", "trainings", "page")
QUICK_ROUNDS = 1
QUIET = 1.0  # processes that run, at which speeds are still worth measuring
STARTS = 2  # of a worker: one that the system killed, or that met a trouble that passes, gets another try
STOPPED = 130  # exit status after Ctrl-C


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; 0 if it went well."""
    given = _options().parse_args(arguments)
    if given.worker:
        return _work(given)
    if given.time:
        print(night())
        return 0
    budget = QUICK if given.quick else FULL
    kept, written = _kept(given, budget)
    parts = given.only or PARTS
    found = Results.read(kept, budget)
    if "speed" in parts and (given.only or not found.speeds):  # before anything of this program keeps the cores busy
        found = _with_speeds(found, given)
        found.write(kept)
    if "gradients" in parts and not _complete(found):
        _work_all(given, ["gradients"])
        found = Results.read(kept, budget)
    if "trainings" in parts:
        found = _trained(found, given, budget)
        found.write(kept)
    files.write_whole(written, page(found).encode(), replace=True)
    done, count = len(found.trainings()), len([*budget.runs()])
    print(f"{written}: {done} trainings of {count}")
    if "trainings" in parts and done < count:
        raise DarknetError("some trainings came to nothing, for what is said above; the same command tries them again")
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tools.claims", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny trainings and one round, in a folder of their own")
    parser.add_argument("--only", action="append", choices=PARTS, help="one part (may be repeated)")
    parser.add_argument("--time", action="store_true", help="say how long the trainings take, and do nothing")
    parser.add_argument("--out", type=Path, default=OUT, help="folder of pictures and trainings")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trainings side by side")
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
    names = found.budget.classifiers
    return not any(isinstance(found.gradients(name, "cosine"), str) for name in names)


def _untrained(found: Results, budget: Budget) -> dict[str, Any]:
    """What gradients duplicate at random weights, of every classifier and seed."""
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
    return untrained


def _trained(found: Results, given: argparse.Namespace, budget: Budget) -> Results:
    """All trainings, by workers; what they measured is read from their files."""
    if len(found.trainings()) == len([*budget.runs()]):
        return found
    need_torch()
    from .runs import chosen_level, results_of, settle

    place = _place(given, budget)
    settle(place, budget, found.level)
    if not _work_all(given, ["level"]):
        raise DarknetError("the level of the pictures is not settled; the same command goes on")
    level = chosen_level(place, budget, _say)
    _work_all(given, [f"{i}/{given.jobs}" for i in range(given.jobs)])
    return replace(found, runs={**found.trainings(), **results_of(place, budget)}, level=level)


def _work_all(given: argparse.Namespace, works: Sequence[str]) -> bool:
    """Whether workers, side by side, have done it all; what they were killed at they are given once more."""
    need_torch()
    for _ in range(STARTS):
        workers = {work: _start(given, work) for work in works}
        try:
            works = [work for work, worker in workers.items() if worker.wait()]
        finally:
            for worker in workers.values():
                worker.terminate()  # where this process is stopped; who has ended does not mind
        if not works:
            return True
    return False


def _start(given: argparse.Namespace, work: str) -> subprocess.Popen[bytes]:
    """A worker of one thread: side by side they get more out of the cores than threads that wait for each other."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    quick = ["--quick"] if given.quick else []
    command = [sys.executable, "-m", "tools.claims", "--out", str(given.out), *quick, "--worker", work]
    return subprocess.Popen(command, env=environment)


def _place(given: argparse.Namespace, budget: Budget) -> Place:
    from .runs import Place

    return Place(given.out / budget.name)


def _kept(given: argparse.Namespace, budget: Budget) -> tuple[Path, Path]:
    """The file of results, and the page: those of the repository, or of a folder where all is measured anew."""
    folder = given.out / budget.name
    return (folder / "results.json", folder / "CLAIMS.md") if given.quick or given.out != OUT else (FILE, CLAIMS)


def _work(given: argparse.Namespace) -> int:
    """One of the workers: gradients before training, the pilots and all pictures, or its share of the trainings."""
    from .runs import at_the_lowest_priority, chosen_level, prepare, work_off

    budget = QUICK if given.quick else FULL
    place, (kept, _) = _place(given, budget), _kept(given, budget)
    found = Results.read(kept, budget)
    if not given.quick:
        at_the_lowest_priority()
    if given.worker == "gradients":
        replace(found, untrained=_untrained(found, budget)).write(kept)
        return 0
    if given.worker == "level":
        prepare(place, budget, chosen_level(place, budget, _say))
        return 0
    share, count = map(int, given.worker.split("/"))
    return 1 if work_off(place, budget, _say, (share, count), found.trainings()) else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DarknetError as e:
        sys.exit(f"error: {e}")
    except KeyboardInterrupt:
        sys.exit(STOPPED)
