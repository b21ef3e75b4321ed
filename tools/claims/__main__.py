"""`python -m tools.claims`: measure what is missing, and write `cfgs/CLAIMS.md`; `--quick` tests itself in minutes.

Decision: every part can be stopped and goes on. Trainings run in processes of one thread each at the lowest priority,
as many as there are cores, and each takes its share of the list.
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
from darknet_py.errors import DarknetError

from .grid import FULL, QUICK, Budget, Run, cfg_of
from .page import night, page
from .results import FILE, Results

if TYPE_CHECKING:
    from .runs import Place

OUT = Path("predictions/claims")
CLAIMS = Path(__file__).parents[2] / "cfgs" / "CLAIMS.md"
PARTS = ("gradients", "speed", "trainings", "page")
QUICK_ROUNDS = 1
QUIET = 1.0  # processes that run, at which speeds are still worth measuring


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is asked; 0 if it went well."""
    given = _options().parse_args(arguments)
    if given.worker:
        return _work(given)
    if given.time:
        print(night())
        return 0
    budget = QUICK if given.quick else FULL
    folder, kept = given.out / budget.name, _kept(given, budget)
    parts = given.only or PARTS
    found = Results.read(kept)
    if "gradients" in parts and not _complete(found, budget):
        _wait([_start(given, "gradients")])
        found = Results.read(kept)
    if "speed" in parts and not given.quick and not found.speeds and os.getloadavg()[0] > QUIET:
        print(f"speeds are left out: {os.getloadavg()[0]:.1f} processes are running, and they want a quiet machine")
    elif "speed" in parts and (given.quick or not found.speeds):
        from .speed import measure

        found = replace(found, speeds=measure(_say, QUICK_ROUNDS if given.quick else None))
        found.write(kept)
    if "trainings" in parts:
        found = _trained(found, given, budget)
        found.write(kept)
    written = files.write_whole(folder / "CLAIMS.md" if given.quick else CLAIMS, page(found).encode(), replace=True)
    print(f"{written}: {len(found.runs)} trainings of {len([*budget.runs()])}")
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


def _complete(found: Results, budget: Budget) -> bool:
    return all(
        str(seed) in found.untrained.get(name, {}) for name in budget.classifiers for seed in budget.seeds
    )  # fmt: skip


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
    from .runs import chosen_level, prepare, results_of

    place = _place(given, budget)
    if results_of(place, budget).keys() != {run.key for run in budget.runs()}:
        _wait([_start(given, "level")])
        prepare(place, budget, chosen_level(place, budget, _say))
        _wait([_start(given, f"{i}/{given.jobs}") for i in range(given.jobs)])
    return replace(found, runs=results_of(place, budget), level=chosen_level(place, budget, _say))


def _start(given: argparse.Namespace, work: str) -> subprocess.Popen[bytes]:
    """A worker of one thread: side by side they get more out of the cores than threads that wait for each other."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    quick = ["--quick"] if given.quick else []
    command = [sys.executable, "-m", "tools.claims", "--out", str(given.out), *quick, "--worker", work]
    return subprocess.Popen(command, env=environment)


def _wait(workers: Sequence[subprocess.Popen[bytes]]) -> None:
    codes = [worker.wait() for worker in workers]
    if any(codes):
        raise DarknetError("a worker ended with an error; the same command goes on")


def _place(given: argparse.Namespace, budget: Budget) -> Place:
    from .runs import Place

    return Place(given.out / budget.name)


def _kept(given: argparse.Namespace, budget: Budget) -> Path:
    """The file of results."""
    return Path(given.out / budget.name / "results.json") if given.quick else FILE


def _work(given: argparse.Namespace) -> int:
    """One of the workers: gradients before training, the pilots, or its share of the trainings."""
    from .runs import at_the_lowest_priority, chosen_level, work_off

    budget = QUICK if given.quick else FULL
    place, kept = _place(given, budget), _kept(given, budget)
    if not given.quick:
        at_the_lowest_priority()
    if given.worker == "gradients":
        found = Results.read(kept)
        replace(found, untrained=_untrained(found, budget)).write(kept)
    elif given.worker == "level":
        chosen_level(place, budget, _say)
    else:
        share, count = map(int, given.worker.split("/"))
        work_off(place, budget, _say, (share, count))
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except DarknetError as e:
        sys.exit(f"error: {e}")
