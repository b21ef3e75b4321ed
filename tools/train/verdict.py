"""What a case of training's goldens comes to, and how one line says it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """A case by name: what is `off` ('' for nothing), the `bug` of Darknet that it needs, if any, and `figures`.

    A case with a bug is met, but for that bug: it is listed, not counted as wrong.
    """

    name: str
    off: str = ""
    bug: str = ""
    figures: str = ""

    @property
    def wrong(self) -> bool:
        """Whether numbers are off that no bug explains."""
        return bool(self.off) and not self.bug

    def __str__(self) -> str:
        said = "; ".join(text for text in (self.off or "ok", self.figures) if text)
        return f"{self.name}: {said}" + (f" [needs a bug of Darknet: {self.bug}]" if self.bug else "")


@cache
def _index(folder: Path) -> dict[str, Any]:
    """The cases of the INDEX.json in a folder, by name; of the folders above where it has none."""
    for place in (folder, *folder.parents[:3]):
        if (path := place / "INDEX.json").is_file():
            cases = json.loads(path.read_text("utf-8"))["cases"]
            return {case["name"]: case for case in cases} if isinstance(cases, list) else cases
    return {}


def name_of(folder: Path) -> str:
    """The name of a case as INDEX.json has it: of its folder and the one above."""
    folder = folder.resolve()
    return f"{folder.parent.name}/{folder.name}"


def said_of(folder: Path, name: str = "") -> dict[str, Any]:
    """What INDEX.json and meta.json say of a case: `covers`, `oracle`, `semantics` (which meta may lack)."""
    folder = folder.resolve()
    own = f"{folder.name}/{name}" if name else name_of(folder)
    meta = folder / "meta.json"
    said = json.loads(meta.read_text("utf-8")) if meta.is_file() and not name else {}
    return {**_index(folder).get(own, {}), **said}


def cpu_bug(said: Mapping[str, Any]) -> str:
    """Why a case is not to be met: it shows what is wrong in Darknet's CPU code; '' where it is to be met."""
    if not str(said.get("semantics", "normal")).startswith("cpu-bug"):
        return ""
    return f"of the CPU code: {said.get('covers') or 'see INDEX.json'}"
