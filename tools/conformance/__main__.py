"""`python -m tools.conformance`: build the kit, or run the programs that are here on it and write the scoreboard."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from .build import ROOT, build, build_wheel
from .scoreboard import PROGRAMS, run_programs, write_scoreboard


def main(arguments: list[str] | None = None) -> int:
    """Build or score; 0 if that was done."""
    parser = argparse.ArgumentParser(prog="python -m tools.conformance", description=__doc__)
    kinds = parser.add_subparsers(dest="action", required=True)
    building = kinds.add_parser("build", help="write the package darknet_conformance")
    building.add_argument("output", type=Path, help="a folder")
    building.add_argument("--wheel", action="store_true", help="a wheel in that folder, not its sources")
    building.add_argument("--whole", type=Path, help="a folder with all goldens, such as ../shared")
    scoring = kinds.add_parser("score", help="run programs on the kit")
    scoring.add_argument("--program", action="append", choices=tuple(PROGRAMS), help="only these")
    scoring.add_argument("--match", default="*", help="only cases whose name fits")
    scoring.add_argument("--results", type=Path, help="keep verdicts there; programs that it has are not run again")
    scoring.add_argument("--write", action="store_true", help="write tools/conformance/SCOREBOARD.md")
    options = parser.parse_args(arguments)
    if options.action == "build":
        if options.wheel:
            print(build_wheel(options.output, options.whole))
        else:
            print(f"{options.output}: {build(options.output, options.whole)} cases")
        return 0
    with TemporaryDirectory() as folder:
        build(Path(folder, "kit"))
        results = run_programs(
            Path(folder, "kit"), options.results or Path(folder, "results"), options.program, options.match
        )
    text = write_scoreboard(results)
    print(text)
    if options.write:
        (ROOT / "tools/conformance/SCOREBOARD.md").write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
