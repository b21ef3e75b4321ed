"""How the pages of the reference say things in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tools import markdown


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of words."""
    return markdown.table(heads, rows, words=len(heads))


def prose(text: str) -> str:
    r"""Plain text with `code` as Markdown: what would mean something there is escaped.

    >>> print(prose("a*b of `c*d` in [net]"))
    a\*b of `c*d` in \[net\]
    """
    parts = re.split(r"(`[^`]+`)", text)
    return "".join(part if part.startswith("`") else re.sub(r"([\\*_\[\]<>$])", r"\\\1", part) for part in parts)


def contents(files: Iterable[str]) -> str:
    """The pages under a page, for the navigation only."""
    lines = "\n".join(files)
    return f"```{{toctree}}\n:hidden:\n\n{lines}\n```\n"


def quoted(items: Iterable[str], word: str = "") -> str:
    """`listed` of items that are code, in backticks."""
    return listed((f"`{item}`" for item in items), word)


def listed(items: Iterable[str], word: str = "") -> str:
    """Items with commas, the last after a word if one is given."""
    found = list(items)
    if not word or len(found) < 2:
        return ", ".join(found)
    return f"{', '.join(found[:-1])} {word} {found[-1]}"
