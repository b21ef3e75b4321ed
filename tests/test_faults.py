"""Every fault that was found from outside has a test with the name of its case."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent


def test_every_case_has_a_test(shared: Path) -> None:
    cases = {path.name for path in (shared / "faults").iterdir() if path.is_dir()}
    marked = re.compile(r"mark\.fault\(\s*\"([^\"]+)\"")
    tested = {name for path in TESTS.rglob("test_*.py") for name in marked.findall(path.read_text("utf-8"))}
    assert len(cases) >= 42
    assert cases - tested == set()
    assert tested - cases == set()
