"""The pages that people read, block by block: what kind a block is, and what its marks say that it needs.

Marks are comments of Markdown right above a block. `needs` names what must be here: a module, a trained model, or in
words, something that no test has. `file` says that the block is a file of the page's reader, `with A from B` that a
file of the reader is one of the material outside the repository.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from darknet_py.zoo.checkpoints import trained_networks
from darknet_py.zoo.models import models
from darknet_py.zoo.shipped import ready_networks, shipped_networks

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "tools/docs").glob("*.md")))

RUN = ("sh", "console", "python")
SHOWN = ("text",)  # diagrams, and files that have a mark
_BLOCK = re.compile(
    r"(?P<marks>(?:^<!-- [^\n]+ -->\n)*)^```(?P<kind>\S*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)  # fmt: skip


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, with the marks above it."""

    page: Path
    number: int
    kind: str
    text: str
    marks: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page.stem}-{self.number}"

    @property
    def file(self) -> str | None:
        """The name under which the reader has it."""
        return next((mark.removeprefix("file: ") for mark in self.marks if mark.startswith("file: ")), None)

    @property
    def given(self) -> tuple[tuple[str, str], ...]:
        """Files of the reader, and those of the material that they are."""
        found = (re.fullmatch(r"with (\S+) from (\S+)", mark) for mark in self.marks)
        return tuple((m[1], m[2]) for m in found if m)

    @property
    def needs(self) -> tuple[str, ...]:
        """What must be here for it to run."""
        marks = (mark.removeprefix("needs ") for mark in self.marks if mark.startswith("needs "))
        return tuple(need for mark in marks for need in mark.split(", "))

    @property
    def lines(self) -> tuple[str, ...]:
        """The command lines of a block of `sh`, without comments."""
        lines = (re.split(r"(?:^|\s)\s*#\s", line)[0].strip() for line in self.text.splitlines())
        return tuple(line for line in lines if line)

    @property
    def transcript(self) -> tuple[tuple[str, str], ...]:
        """The command lines of a block of `console`, and what it shows below each."""
        return tuple(re.findall(r"^\$ (.+)\n((?:(?!\$ ).*\n)*)", self.text, re.MULTILINE))


def blocks() -> list[Block]:
    """Every block of every page; those with `{directives}` of the site are none."""
    found = []
    for page in PAGES:
        matches = [m for m in _BLOCK.finditer(page.read_text("utf-8")) if not m["kind"].startswith("{")]
        for number, m in enumerate(matches):
            marks = tuple(re.findall(r"<!-- (.+) -->", m["marks"]))
            found.append(Block(page, number, m["kind"], m["text"], marks))
    return found


def lacking(need: str, shared: Path) -> str | None:
    """What is missing of a need of a block, and how to get it; None if nothing is."""
    if need in models() or need in trained_networks():
        place = shared / "weights" / need
        return None if place.is_dir() else f"needs {place}, a trained model that is not ours to publish"
    if need in shipped_networks():
        return None if need in ready_networks() else f"the weights are not here yet: weights/{need}.weights"
    if need.isidentifier():
        return None if find_spec(need) else f"needs {need}: pip install {need}"
    return f"needs {need}"
