"""A run: seeds are checked, figures and findings written down every few seconds, each new finding made smaller."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .crew import Guard, run_all
from .reduce import reduce_lines
from .state import Found, State, digest
from .target import Case, load_target
from .worker import Files, Finding, Give, Limits, Outcome

SAVED_EVERY, SAID_EVERY = 5.0, 60.0  # seconds

Say = Callable[[str], None]


@dataclass(frozen=True)
class Plan:
    """What is to be run: the `module` of a target, its seeds, and for how many minutes at most (None: until done).

    `reducing` is how many seconds are spent on making the input of one finding smaller.
    """

    module: str
    start: int
    stop: int
    state: Path
    minutes: float | None = None
    workers: int = 1
    reducing: float = 60.0
    limits: Limits = field(default_factory=Limits)


def run(plan: Plan, say: Say) -> State:
    """Check what of the seeds is not done yet; the figures, which are in the file `plan.state` too.

    A new finding is written into a folder beside that file, as it was found and with fewer lines.
    """
    target = load_target(plan.module)
    state = State.load(plan.state, target.name)
    begin = saved = said = time.monotonic()
    reports = run_all(plan.module, state.jobs(plan.start, plan.stop, target.chunk), plan.workers, plan.limits)
    try:
        for report in reports:
            for found in state.add(report):
                say(f"{target.name} seed {found.seeds[0]}: {found.kind}: {found.signature}")
                found.folder = str(_keep(plan, target.lines, found))
            now = time.monotonic()
            if now - saved > SAVED_EVERY:
                state.save(plan.state)
                saved = now
            if now - said > SAID_EVERY:
                say(summary(state))
                said = now
            if plan.minutes is not None and now - begin > plan.minutes * 60:
                break
    finally:
        reports.close()  # type: ignore[attr-defined]  # a generator
        state.save(plan.state)
    return state


def summary(state: State) -> str:
    """The figures in a line."""
    words = ", ".join(f"{count:,} {word}" for word, count in state.words.most_common())
    rate = state.inputs / state.seconds if state.seconds else 0.0
    slow, large = state.slowest, state.largest
    return (
        f"{time.strftime('%H:%M')} {state.target}: {state.inputs:,} inputs ({words}), "
        f"{rate:.1f} per second of processor, "
        f"slowest {slow[0]:.2f} s (seed {slow[1]}), largest {large[0]:.0f} MB (seed {large[1]}), "
        f"{len(state.found)} findings"
    )


def _keep(plan: Plan, lines: str, found: Found) -> Path:
    """Write the input of a finding into a folder of its own, and beside it the same with fewer lines."""
    folder = plan.state.parent / f"{plan.state.stem}-{digest(found.signature)}"
    folder.mkdir(parents=True, exist_ok=True)
    guard = Guard(plan.module, plan.limits)
    try:
        case = guard.ask(Give(found.seeds[0]))
        if isinstance(case, Outcome):  # making it kills the worker
            return folder
        write_case(case, folder / "found")
        again = guard.ask(Files(case)).finding
        text = f"{found.kind}: {found.signature}\nseed {found.seeds[0]}\n\n{found.message}\n"
        (folder / "finding.txt").write_text(text if again else f"{text}\nnot seen again when checked alone\n")
        if again:
            write_case(reduced(case, lines, again, guard, plan.reducing), folder / "smaller")
    finally:
        guard.end()
    return folder


def reduced(case: Case, lines: str, finding: Finding, guard: Guard, seconds: float) -> Case:
    """The case with fewer lines, failing in the same way."""
    end = time.monotonic() + seconds

    def fails(left: object) -> bool:
        if time.monotonic() > end:
            return False
        assert isinstance(left, list)
        got: Outcome = guard.ask(Files({**case, lines: b"\n".join(left)}))
        return got.finding is not None and got.finding.signature == finding.signature

    return {**case, lines: b"\n".join(reduce_lines(case[lines].split(b"\n"), fails))}


def write_case(case: Case, folder: Path) -> None:
    """Write the parts of an input."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in case.items():
        (folder / name).write_bytes(data)


def read_case(folder: Path) -> Case:
    """The input that `write_case` wrote."""
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.is_file()}
