"""Run the goldens of training in folders: `python -m tools.train.golden DIR...`, a line for each case.

Decision: a folder is a case by what lies in it, so that new cases need no code, and what a kind of cases is a module
`cases_*.py` beside this one says: `cases(folder)`, or `fits(folder)`, `check(folder)` and maybe `needs_bug(folder)`.
The exit status is 1 if anything is off that no bug of Darknet explains; those that need one are listed at the end with
the reason.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from .verdict import Verdict, cpu_bug, name_of, said_of


@cache
def kinds() -> tuple[ModuleType, ...]:
    """The modules that know a kind of cases."""
    found = sorted(path.stem for path in Path(__file__).parent.glob("cases_*.py"))
    return tuple(importlib.import_module(f"{__package__}.{name}") for name in found)


def verdicts(folder: Path) -> Iterator[Verdict]:
    """What each case in a folder, and in those below it, comes to."""
    for kind in kinds():
        yield from _of(kind, folder)
    for below in sorted(p for p in folder.iterdir() if p.is_dir()):
        yield from verdicts(below)


def _of(kind: ModuleType, folder: Path) -> Iterator[Verdict]:
    try:
        yield from _found(kind, folder)
    except Exception as e:  # a case that cannot be computed must not hide the others
        yield Verdict(name_of(folder), f"{kind.__name__} stops: {type(e).__name__}: {e}", cpu_bug(said_of(folder)))


def _found(kind: ModuleType, folder: Path) -> Iterator[Verdict]:
    if not hasattr(kind, "cases"):
        if kind.fits(folder):
            needed = getattr(kind, "needs_bug", lambda folder: None)(folder)
            yield _judged(name_of(folder), kind.check(folder), said_of(folder), needed)
        return
    for found in kind.cases(folder):
        if isinstance(found, Verdict):
            yield found
        else:
            name, off = found
            yield _judged(f"{folder.resolve().name}/{name}", off, said_of(folder, name))


def _judged(name: str, off: str | None, said: Mapping[str, Any], needed: str | None = None) -> Verdict:
    """The verdict where only what is off is told: all that a bug which is `needed` does not touch was compared."""
    return Verdict(name, off or "", cpu_bug(said) if off else needed or "")


def main(folders: Sequence[str]) -> int:
    """Print a line for each case, and return the exit status."""
    missing = [folder for folder in folders if not Path(folder).is_dir()]
    if not folders or missing:
        print(f"no folder {missing[0]}" if missing else "usage: python -m tools.train.golden DIR...", file=sys.stderr)
        return 2
    found = []
    for folder in folders:
        for verdict in verdicts(Path(folder)):
            print(verdict, flush=True)
            found.append(verdict)
    print(summary(found))
    return int(not found or any(v.wrong for v in found))


def summary(found: Sequence[Verdict]) -> str:
    """How many are as they should be, what is off, and the table of those that need a bug, with the reason."""
    listed, wrong = [v for v in found if v.bug], [v for v in found if v.wrong]
    fine = len(found) - len(listed) - len(wrong)
    lines = [f"\n{len(found)} cases: {fine} ok, {len(wrong)} off, {len(listed)} need a bug of Darknet"]
    lines += [f"off: {v.name}: {v.off}" for v in wrong]
    lines += [f"not done as Darknet: {v.name}: {v.bug}" for v in listed]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
