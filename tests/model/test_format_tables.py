"""The tables of the page about formats: each stands below the command that measures it, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.formats import __main__ as every
from tools.formats import page
from tools.formats.__main__ import REFUSED, RIGHT, Cell, table_of
from tools.markdown import table

MAKEFILE = (page.ROOT / "Makefile").read_text("utf-8")


def test_a_table_is_put_below_its_command_and_up_to_the_next_heading(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "page.md"
    before, after = "# One\n\nwords\n\n<!-- measured: make one -->\n", "## Two\n\n<!-- measured: make two -->\n\nlast\n"
    file.write_text(f"{before}\nold\n\n{after}", "utf-8")
    monkeypatch.setattr(page, "PAGE", file)
    page.put("make one", "new")
    assert file.read_text("utf-8") == f"{before}\nnew\n\n{after}"
    page.put("make two", "end")
    assert file.read_text("utf-8") == f"{before}\nnew\n\n## Two\n\n<!-- measured: make two -->\n\nend\n"
    page.put("make one", table(("a", "b"), [("x", 1), ("y y", "")]) + "\n\nwords")
    assert page.rows_of("make one") == [("x", "1"), ("y y", "")]
    assert page.rows_of("make two") == []
    with pytest.raises(SystemExit, match=r"has no place for what `make three` measures"):
        page.put("make three", "")


@pytest.mark.parametrize("target", ["formats-known", "formats-cost", "formats-check"])
def test_each_table_of_the_page_has_its_command(target: str) -> None:
    assert f"<!-- measured: make {target} -->\n\n| " in page.PAGE.read_text("utf-8")
    assert f"\n{target}: " in MAKEFILE


def test_refusals_are_counted_by_their_reason() -> None:
    found = [
        Cell("a", "ncnn, raw", REFUSED, "ncnn has no layer for gather of %3.out"),
        Cell("b", "ncnn, raw", REFUSED, "ncnn has no layer for gather of %7.out"),
        Cell("c", "ncnn, raw", RIGHT, "", 3e-6),
    ]
    lines = table_of(found).splitlines()
    assert lines[2] == "| ncnn, raw | 3 | 1 | 2 | 3e-06 |"
    assert lines[-1] == "| ncnn, raw | ncnn has no layer for gather | 2 |"


def test_only_networks_that_darknet_ran_are_counted(tmp_path: Path) -> None:
    for name, ran in (("ran", True), ("refused", False)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "net.cfg").touch()
        if ran:
            (tmp_path / name / "layers.npz").touch()
    assert [cfg.parent.name for cfg in every.networks(tmp_path)] == ["ran"]
