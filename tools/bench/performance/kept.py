"""The results of this machine in their files: what a run measured goes in, and what it did not measure stays.

Decision: written after each part, so that a run that is stopped, or fails in its last part, has not been for nothing.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from darknet_py import files
from darknet_py.errors import DataError

from .bars import bars
from .machines import results_in, side_by_side, slug
from .plot import draw
from .report import markdown

Result = dict[str, Any]

ROWS = {"networks": "title", "processes": "title", "exports": "title", "throughput": "title", "int8": "name"}
WHOLES = ("around", "growth", "ceilings")  # parts that are measured at once
MACHINE = "machine"
WHY = "why"  # something was not measured


def merged(before: Result, now: Result) -> Result:
    """The results of two runs on a machine: of what both measured those of the later one."""
    rows = {part: _rows(before.get(part, []), now.get(part, []), key) for part, key in ROWS.items()}
    wholes = {part: _later(before.get(part, {}), now.get(part, {})) for part in WHOLES}
    titles = {row["title"] for row in rows["networks"]}
    measured = titles | {title.rpartition(" (")[0] for title in titles}  # that of one without a cfg has no size
    missing = {**before.get("missing", {}), **now["missing"]}
    found = {
        **rows, **wholes, MACHINE: now[MACHINE],
        "missing": {title: why for title, why in missing.items() if title not in measured},
    }  # fmt: skip
    return {**found, "bars": bars(found)}


def _rows(before: list[Result], now: list[Result], key: str) -> list[Result]:
    found = {row[key]: row for row in before}
    for row in now:
        found[row[key]] = _later(found.get(row[key], {}), row)
    return list(found.values())


def _later(before: Result, now: Result) -> Result:
    """The later one, unless it only says why there is nothing."""
    return before if not now or (WHY in now and before) else now


def check(folder: Path, page: Path) -> None:
    """Raise `DataError` where results in `folder` are damaged: to be called before hours of measuring."""
    for path in sorted(folder.glob("*.json")):
        try:
            before = json.loads(path.read_bytes())
            result = merged(before, {MACHINE: before[MACHINE], "missing": {}})
            _ = markdown(result), side_by_side([result], folder.name)
        except (ValueError, TypeError, KeyError, AttributeError) as e:
            raise DataError(
                f"{path} is not what this program writes: {type(e).__name__}: {e}\n  hint: restore it, or move it away"
            ) from None
    files.check_output(page, replace=True)


def write(now: Result, folder: Path, page: Path) -> None:
    """Write what was measured on this machine into its files in `folder`, and the page of all machines."""
    own = folder / slug(now[MACHINE])
    kept = own.with_suffix(".json")
    result = merged(json.loads(kept.read_bytes()) if kept.is_file() else {}, now)
    folder.mkdir(exist_ok=True)
    files.write_whole(kept, (json.dumps(result, indent=1) + "\n").encode(), replace=True)
    files.write_whole(own.with_suffix(".md"), markdown(result).encode(), replace=True)
    draw(result, own.with_suffix(".svg"))
    files.write_whole(page, side_by_side(results_in(folder), folder.name).encode(), replace=True)
