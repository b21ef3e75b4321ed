"""Sections back to text: what is written reads the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from goldens import goldens

from darknet_py.darknet.cfg import parse, write
from darknet_py.errors import Diagnostics

INVALID = sorted((Path(__file__).parent.parent / "cfgs" / "invalid").glob("*.cfg"))
VALID = sorted((Path(__file__).parent.parent / "cfgs" / "valid").glob("*.cfg"))


def content(data: bytes | str) -> list[tuple[str, list[tuple[str, str | None]]]]:
    cfg = parse(data, "net.cfg", Diagnostics())
    return [(s.name, [(o.key, o.value) for o in s.options]) for s in cfg.sections]


@pytest.mark.parametrize("path", [*VALID, *INVALID], ids=lambda p: p.stem)
def test_what_is_written_reads_the_same(path: Path) -> None:
    data = path.read_bytes()
    assert content(write(parse(data, path.name, Diagnostics()))) == content(data)


def test_every_golden_cfg_survives_being_written() -> None:
    for case in goldens().values():
        data = (case.folder / "net.cfg").read_bytes()
        assert content(write(parse(data, case.name, Diagnostics()))) == content(data)


def test_writing_twice_changes_nothing() -> None:
    once = write(parse("[net]\n width = 1 # one\n\n\n[conv]\nfilters=2\n", "x", Diagnostics()))
    assert write(parse(once)) == once == "[net]\nwidth=1\n\n[conv]\nfilters=2\n"
