"""The tools that load and attack a server do so, at a hundredth of their size, and find nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from networks import picture
from serving import encoded

from tools.serve import hostile, load, started, stops


@pytest.fixture
def arguments(detector_cfg: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The small detector, its weights and a picture; the page is written elsewhere."""
    monkeypatch.setattr(started, "PAGE", tmp_path / "SERVING.md")
    (tmp_path / "a.jpg").write_bytes(encoded(picture((1, 2, "red")).repeat(20, 0).repeat(20, 1), ".jpg"))
    return [str(detector_cfg), str(detector_cfg.with_suffix(".weights")), str(tmp_path / "a.jpg"), "--write"]


def test_a_hundred_malformed_requests_are_refused(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert hostile.main([*arguments, "--count", "180", "--slow", "0"]) == 0, capsys.readouterr().out
    text = (tmp_path / "SERVING.md").read_text()
    assert "faults: none" in text
    assert "| picture bomb | " in text


def test_three_times_the_load_is_answered(arguments: list[str], tmp_path: Path) -> None:
    sizes = ["--rounds", "1", "--pictures", "40", "--delayed", "40", "--overload", "100"]
    assert load.main([*arguments, *sizes]) == 0
    text = (tmp_path / "SERVING.md").read_text()
    assert "## Load, net" in text
    assert "with nothing" not in text
    assert "100 requests at 3 times that" in text


def test_a_server_that_is_stopped_twice_loses_nothing(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cfg, weights, picture, *rest = arguments
    sizes = ["--picture", picture, "--stops", "2", "--clients", "8"]
    assert stops.main([cfg, weights, *sizes, *rest]) == 0, capsys.readouterr().out
    text = (tmp_path / "SERVING.md").read_text()
    assert "## Stopped" in text
    assert "lost: **0**" in text


def test_a_section_takes_the_place_of_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(started, "PAGE", tmp_path / "SERVING.md")
    for title, text in (("B", "one"), ("A", "two"), ("B", "three")):
        started.write_section(title, text)
    assert (tmp_path / "SERVING.md").read_text() == f"{started.TITLE}\n## A\n\ntwo\n\n## B\n\nthree\n"
