"""Every file of `cfgs/invalid` gets exactly the diagnostics it names: adding a case is adding a file.

A line `#? LINE:COLUMN SEVERITY CODE` in the file, or in `NAME.expect` beside it where the file cannot hold comments, is
one expected diagnostic; `-` stands for no position.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from darknet_py.darknet.compile import compile_file

FOLDER = Path(__file__).parent.parent / "cfgs" / "invalid"
FILES = sorted(FOLDER.glob("*.cfg"))


def expected(path: Path) -> list[str]:
    side = path.with_suffix(".expect")
    if side.exists():
        return sorted(side.read_text().splitlines())
    return sorted(line[3:] for line in path.read_text().splitlines() if line.startswith("#? "))


def found(path: Path) -> list[str]:
    diagnostics = compile_file(path).diagnostics
    where = [f"{d.span.line}:{d.span.column}" if d.span else "-" for d in diagnostics]
    return sorted(f"{w} {d.severity} {d.code}" for w, d in zip(where, diagnostics, strict=True))


def test_there_are_many_kinds_of_invalid_files() -> None:
    assert len(FILES) >= 100


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_exactly_what_is_wrong_is_reported_where_it_is(path: Path) -> None:
    wanted = expected(path)
    assert wanted, f"{path.name} does not say what is wrong with it"
    assert found(path) == wanted


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_every_message_is_whole(path: Path) -> None:
    for d in compile_file(path).diagnostics:
        assert d.message
        assert not d.message.endswith(".")
        assert len(str(d)) < 1000
        assert d.to_dict()["code"] == d.code
