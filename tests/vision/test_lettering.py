"""Names in other letters than ASCII's are drawn with a font that has them, or it is said that there is none."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from darknet_py.vision import draw, lettering
from darknet_py.vision.draw import draw_boxes, draw_lines
from darknet_py.vision.lettering import Font, fonts_here, written

needs_pillow = pytest.mark.skipif(
    lettering.find_spec("PIL") is None, reason="needs Pillow: pip install 'darknet-compiler[letters]'"
)


@pytest.fixture(autouse=True)
def fresh() -> None:
    for function in (written, fonts_here, lettering._say_once, lettering._fonts_for, draw._text_size):
        function.cache_clear()


def drawn(label: str) -> np.ndarray:
    picture = np.zeros((200, 300, 3), np.uint8)
    return draw_boxes(picture, np.float32([[50, 60, 200, 150]]), np.array([1]), [label])


def has(letters: str) -> bool:
    return all(any(f.has(c) for f in fonts_here()) for c in letters)


@needs_pillow
@pytest.mark.fault("labels-not-ascii")
@pytest.mark.parametrize("word", ["кошка", "Ωμέγα", "naïve", "قطة", "犬猫"])
def test_letters_are_drawn_where_a_font_has_them(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    if not has(word):
        pytest.skip(f"needs a font with {word!r}: install DejaVu or Noto (CJK)")
    assert not np.array_equal(drawn(f"{word} 90%"), drawn("?" * len(word) + " 90%"))
    assert not np.array_equal(drawn(word), drawn(word[::-1]))
    assert capsys.readouterr().err == ""


@needs_pillow
@pytest.mark.fault("labels-not-ascii")
def test_letters_that_no_font_has_are_said_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lettering, "fonts_here", lambda: ())
    assert np.array_equal(drawn("кошка"), drawn("?????"))
    drawn("кошка")
    assert capsys.readouterr().err.count("no font here has the letters") == 1


def test_without_pillow_the_extra_is_named_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lettering, "find_spec", lambda _: None)
    assert np.array_equal(drawn("кошка"), drawn("?????"))
    drawn("собака")
    assert capsys.readouterr().err.count("pip install 'darknet-compiler[letters]'") == 1


def test_ascii_is_drawn_without_looking_for_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lettering, "fonts_here", lambda: pytest.fail("fonts were looked for"))
    assert drawn("cat 90%").any()


@needs_pillow
def test_lines_of_a_classifier_have_letters_too() -> None:
    if not has("кошка"):
        pytest.skip("needs a font with Cyrillic: install DejaVu")
    picture = np.zeros((320, 320, 3), np.uint8)
    assert not np.array_equal(draw_lines(picture, ["кошка 1%"]), draw_lines(picture, ["????? 1%"]))


def test_a_file_that_is_no_font_has_no_letters(tmp_path: Path) -> None:
    (tmp_path / "a.ttf").write_bytes(b"no font")
    assert lettering._count(tmp_path / "a.ttf") == 0
    assert not Font(tmp_path / "a.ttf").has("a")
    assert not Font(tmp_path / "none.ttf").has("a")


@pytest.mark.parametrize("platform", ["win32", "darwin", "linux"])
def test_every_platform_has_its_folders(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    assert any("fonts" in str(folder).lower() for folder in lettering._folders())
