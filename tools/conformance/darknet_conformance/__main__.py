"""`python -m darknet_conformance [options] COMMAND…`: run a program on the cases, and print what it gets right."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from .cases import DATA, KINDS, find_cases
from .runner import STATUSES, Served, Verdict, judge, started


def main(arguments: list[str] | None = None) -> int:
    """Run; 0 if everything is right."""
    parser = argparse.ArgumentParser(prog="python -m darknet_conformance", description=__doc__)
    parser.add_argument("--match", default="*", help="only cases whose name fits, such as 'conv_*'")
    parser.add_argument("--kind", choices=KINDS, action="append", help="only these (default: all)")
    parser.add_argument("--cases", type=Path, default=DATA, help="the folder of the cases (default: this package's)")
    parser.add_argument("--jobs", type=int, default=1, help="so many at a time")
    parser.add_argument("--serve", action="store_true", help="start the program once, as COMMAND serve")
    parser.add_argument("--timeout", type=float, default=60.0, help="seconds for a case")
    parser.add_argument("--tolerance", type=float, help="instead of the cases' own")
    parser.add_argument("--json", type=Path, help="write the verdicts there")
    parser.add_argument("--list", action="store_true", help="print the cases, and run nothing")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="COMMAND", help="the program and its arguments")
    options = parser.parse_args(arguments)
    wanted = options.kind or KINDS
    cases = [c for c in find_cases(options.cases) if c.kind in wanted and Path(c.name).match(options.match)]
    if options.list:
        for case in cases:
            print(f"{case.kind} {case.name}: {case.covers}")
        return 0
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command or not cases:
        print("no command was given" if not command else f"no case fits {options.match}", file=sys.stderr)
        return 2
    limits = {"timeout": options.timeout, "tolerance": options.tolerance}
    if options.serve:
        served = Served(command)
        try:
            verdicts = [judge(served, case, **limits) for case in cases]
        finally:
            served.close()
    else:
        with ThreadPoolExecutor(max(1, options.jobs)) as pool:
            verdicts = list(pool.map(partial(judge, started(command), **limits), cases))
    for verdict in verdicts:
        if verdict.status != "right":
            off = "" if verdict.off is None else f" by {verdict.off:.1e}"
            print(f"{verdict.kind} {verdict.name}: {verdict.status}{off} {verdict.told}".rstrip())
    print(summary(verdicts))
    if options.json:
        options.json.write_text(json.dumps([v.to_dict() for v in verdicts], indent=1), "utf-8")
    return 0 if all(v.status == "right" for v in verdicts) else 1


def summary(verdicts: list[Verdict]) -> str:
    """A line for each kind: how many cases, and what became of them."""
    lines = []
    for kind in KINDS:
        found = Counter(v.status for v in verdicts if v.kind == kind)
        if found:
            told = ", ".join(f"{found[status]} {status}" for status in STATUSES if found[status])
            lines.append(f"{kind}: {sum(found.values())} cases, {told}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
