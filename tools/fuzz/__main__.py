"""`python -m tools.fuzz TARGET`: check seeds, or look at one of them (tools/docs/fuzzing.md)."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from .crew import Guard
from .run import Plan, read_case, run, summary, write_case
from .state import PROJECT, State
from .target import Case, load_target, module_of, target_names
from .worker import Files, Give, Limits, Outcome

FOLDER = PROJECT / ".fuzz"
EVERY = "all"


def main() -> int:
    """0: nothing was found, 1: something was, 2: the words make no sense."""
    options = _options()
    names = target_names() if options.target == EVERY else (options.target,)
    if options.files or options.seed is not None:
        return _one(options)
    minutes = options.minutes / len(names) if options.minutes else None
    states = [_range(name, options, minutes) for name in names]
    return 1 if any(s.found for s in states) else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description="Look for inputs that break something.")
    parser.add_argument("target", choices=[EVERY, *target_names()])
    parser.add_argument("--seeds", default="0:1000", metavar="A:B", help="from A to before B")
    parser.add_argument("--resume", type=Path, metavar="STATE", help="go on from this file, and write it")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after so many")
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="processes")
    parser.add_argument("--seed", type=int, metavar="N", help="check one input and say what becomes of it")
    parser.add_argument("--write", type=Path, metavar="DIR", help="with --seed: write its files there")
    parser.add_argument("--files", type=Path, metavar="DIR", help="check a kept input: found/ or smaller/")
    options = parser.parse_args()
    try:
        options.first, options.last = map(int, options.seeds.split(":"))
    except ValueError:
        parser.error(f"--seeds are two numbers, as 0:1000, not {options.seeds}")
    if (options.files or options.seed is not None or options.resume) and options.target == EVERY:
        parser.error("say which target")
    if options.write and not options.files and options.seed is None:
        parser.error("--write is for --seed: a whole range writes what it finds itself")
    return options


def _range(name: str, options: argparse.Namespace, minutes: float | None) -> State:
    path = options.resume or FOLDER / f"last-{name}.json"
    if not options.resume:
        path.unlink(missing_ok=True)
    plan = Plan(module_of(name), options.first, options.last, path, minutes, options.jobs)
    try:
        state = run(plan, lambda text: print(text, flush=True))
    except KeyboardInterrupt:
        print(f"stopped; --resume {os.path.relpath(path)} goes on", file=sys.stderr)
        raise SystemExit(130) from None
    print(summary(state), flush=True)
    for found in state.found.values():
        print(f"  {found.count} x {found.kind}: {found.signature}, first seed {found.seeds[0]}, see {found.folder}")
    return state


def _one(options: argparse.Namespace) -> int:
    guard = Guard(module_of(options.target), Limits())
    try:
        case: Case = read_case(options.files) if options.files else guard.ask(Give(options.seed))
        if options.write:
            write_case(case, options.write)
            load_target(module_of(options.target)).build(case, options.write)
            print(f"written to {options.write}")
        outcome: Outcome = guard.ask(Files(case))
    finally:
        guard.end()
    print(f"{outcome.word or 'found'}: {outcome.seconds:.3f} s, {outcome.megabytes:.0f} MB more memory")
    if outcome.finding:
        print(outcome.finding.signature, outcome.finding.message, sep="\n")
    return 1 if outcome.finding else 0


if __name__ == "__main__":
    raise SystemExit(main())
