"""The page of the docs about formats, and the tables in it that are measured."""

from __future__ import annotations

import os
import re
from itertools import takewhile
from pathlib import Path

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared"
PAGE = ROOT / "tools" / "docs" / "formats.md"
NPM = os.environ.get("DARKNET_PY_NPM") or ROOT / ".web-npm"  # where the runtime of a page for browsers is


def rows_of(command: str) -> list[tuple[str, ...]]:
    """The rows of the first table that a command has written, without its head."""
    _, _, rest = PAGE.read_text("utf-8").partition(f"<!-- measured: {command} -->\n")
    lines = takewhile(lambda line: line.startswith("|"), rest.strip().splitlines())
    return [tuple(cell.strip() for cell in line[2:-1].split("|")) for line in lines][2:]


def put(command: str, text: str) -> None:
    """Write what a command has measured below the words that name it, up to the next heading."""
    page = PAGE.read_text("utf-8")
    first, mark, rest = page.partition(f"<!-- measured: {command} -->\n")
    if not mark:
        raise SystemExit(f"{PAGE} has no place for what `{command}` measures")
    after = re.search(r"^## ", rest, re.MULTILINE)
    PAGE.write_text(f"{first}{mark}\n{text}\n" + (f"\n{rest[after.start() :]}" if after else ""), "utf-8")
