"""BATCH.md: a section for each tool that measures, which the tool writes anew."""

from __future__ import annotations

from pathlib import Path

from darknet_py import files, machine

PAGE = Path(__file__).with_name("BATCH.md")
HEAD = """# Batch work, measured

Written by `python -m tools.batch.kill` and `python -m tools.batch.scale` on {cpu}, {cores} cores.
"""


def write_section(title: str, lines: list[str]) -> None:
    """Replace the section of that title, or add it at the end."""
    text = PAGE.read_text("utf-8") if PAGE.is_file() else ""
    sections = dict(part.split("\n", 1) for part in text.split("\n## ")[1:])
    sections[title] = "\n" + "\n".join(lines) + "\n"
    head = HEAD.format(cpu=machine.cpu(), cores=machine.cores())
    body = "".join(f"\n## {name}\n{body.rstrip()}\n" for name, body in sections.items())
    files.write_whole(PAGE, (head + body).encode(), replace=True)
