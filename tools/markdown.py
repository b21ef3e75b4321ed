"""Pages in Markdown that tools write: tables, and sections that are written anew one by one."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path


def table(head: Sequence[str], rows: Iterable[Sequence[object]], words: int = 1) -> str:
    r"""A table whose first `words` columns are words, and the others numbers.

    >>> print(table(("a", "b"), [("x|y", 1)]))
    | a | b |
    | --- | ---: |
    | x\|y | 1 |
    """
    lines = [head, ["---"] * words + ["---:"] * (len(head) - words), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def write_section(page: Path, head: str, title: str, text: str) -> None:
    """Write a section in the place of the one with its title; a page begins with `head`, its sections are in order."""
    old = page.read_text("utf-8") if page.is_file() else ""
    sections = re.split(r"^## ", old, flags=re.MULTILINE)[1:]
    parts = [f"{title}\n\n{text.rstrip()}\n", *(s.rstrip() + "\n" for s in sections if not s.startswith(f"{title}\n"))]
    page.write_text("\n".join([head.rstrip() + "\n", *(f"## {part}" for part in sorted(parts))]), "utf-8")
