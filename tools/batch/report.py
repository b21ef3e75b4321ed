"""BATCH.md: a section for each tool that measures, which the tool writes anew."""

from __future__ import annotations

from pathlib import Path

from darknet_py import machine
from tools import markdown

PAGE = Path(__file__).with_name("BATCH.md")
HEAD = """# Batch work, measured

Written by `python -m tools.batch.kill` and `python -m tools.batch.scale` on {cpu}, {cores} cores.
"""


def write_section(title: str, lines: list[str]) -> None:
    """Write a section of the page in the place of the one with its title."""
    head = HEAD.format(cpu=machine.cpu(), cores=machine.cores())
    markdown.write_section(PAGE, head, title, "\n".join(lines))
