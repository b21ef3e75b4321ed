"""Every file of `cfgs/valid` compiles without an error or a warning: Darknet reads each as it is meant."""

from __future__ import annotations

from pathlib import Path

import pytest

from darknet_py.darknet.compile import compile_file

FILES = sorted((Path(__file__).parent.parent / "cfgs" / "valid").glob("*.cfg"))


def test_there_are_valid_files() -> None:
    assert len(FILES) >= 18


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_nothing_is_said_about_a_sound_file(path: Path) -> None:
    compiled = compile_file(path, strict=True)
    assert [str(d) for d in compiled.diagnostics if d.severity != "note"] == []
    assert compiled.dialect.name == "alexeyab"
    assert compiled.graph.image.shape == (3, 32, 32)
