"""Sections to dataclasses: numbers as C reads them, and every surprise reported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from darknet_py.darknet.cfg import parse
from darknet_py.darknet.cfg.options import opt, read, schema
from darknet_py.errors import Code, Diagnostics

TRAINING = ["known", "rate", "steps", "policy", "printed"]


@dataclass(frozen=True)
class Sample:
    whole: int = opt(7, "a whole number", low=0, high=100)
    real: float = opt(0.5, "a number")
    switch: bool = opt(False, "on or off")
    word: str = opt("red", "a colour", choices=("red", "green"), fallback="green")
    items: tuple[int, ...] = opt((), "whole numbers")
    reals: tuple[float, ...] | None = opt(None, "numbers")
    from_: int | None = opt(None, "a layer")
    known: int = opt(1, "a whole number for training", low=1, phase="train")
    rate: float = opt(0.1, "a number for training", phase="train")
    steps: tuple[int, ...] = opt((), "whole numbers for training", comments=True, phase="train")
    policy: str = opt("fixed", "a word for training", choices=("fixed", "poly"), fallback="fixed", phase="train")
    printed: bool = opt(True, "a switch of nothing here", phase="none")
    unnamed: int = 3


def sample(lines: str, **how: bool) -> tuple[Sample, list[Code]]:
    found = Diagnostics(**how)
    return read(Sample, parse(f"[sample]\n{lines}\n", "x", found).sections[0], found), [d.code for d in found.items]


def test_defaults_are_those_of_the_class() -> None:
    assert sample("") == (Sample(), [])


def test_the_schema_is_the_class_body() -> None:
    assert list(schema(Sample)) == ["whole", "real", "switch", "word", "items", "reals", "from", *TRAINING]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("whole=12", 12), ("whole=+12", 12), ("whole=007", 7), ("real=.1", 0.1), ("real=1.", 1.0), ("real=3", 3.0),
        ("real=-4e-5", -4e-5), ("switch=1", True), ("switch=0", False), ("word=green", "green"), ("from=-2", -2),
        ("items=-1,+2, 3", (-1, 2, 3)), ("reals=.1,2.,3e1", (0.1, 2.0, 30.0)),
    ],
)  # fmt: skip
def test_a_sound_value_is_read_silently(text: str, value: Any) -> None:
    got, codes = sample(text)
    key = text.split("=")[0]
    assert getattr(got, "from_" if key == "from" else key) == value
    assert codes == []


@pytest.mark.parametrize(
    ("text", "value", "code"),
    [
        ("whole=1e2", 1, Code.ODD_NUMBER),  # atoi stops at the letter
        ("whole=16.9", 16, Code.ODD_NUMBER),
        ("whole=16*2", 16, Code.ODD_NUMBER),
        ("whole=0x10", 0, Code.ODD_NUMBER),
        ("real=1d", 1.0, Code.ODD_NUMBER),
        ("switch=3", True, Code.ODD_NUMBER),
        ("items=16000d,18000", (16000, 18000), Code.ODD_NUMBER),
        ("items=-6-1", (-6,), Code.ODD_NUMBER),
        ("items=-1\uff0c19", (-1,), Code.ODD_NUMBER),
        ("items=1,2,", (1, 2), Code.TRAILING_COMMA),
        ("items=1 2,3", (12, 3), Code.GLUED_LIST),
        ("whole=1\nwhole=2", 1, Code.DUPLICATE_KEY),
        ("whole=1\nwhole=1", 1, Code.DUPLICATE_KEY),
    ],
)
def test_an_odd_value_is_read_as_darknet_reads_it_and_reported(text: str, value: Any, code: Code) -> None:
    got, codes = sample(text)
    assert getattr(got, text.split("=")[0]) == value
    assert codes == [code]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("whole=many", Code.BAD_NUMBER), ('whole="16"', Code.BAD_NUMBER), ("whole=$x", Code.VARIABLE),
        ("whole=-1", Code.OUT_OF_RANGE), ("whole=101", Code.OUT_OF_RANGE), ("whole=99999999999", Code.OUT_OF_RANGE),
        ("real=1e39", Code.OUT_OF_RANGE), ("real=1e999", Code.OUT_OF_RANGE), ("word=blue", Code.BAD_CHOICE),
        ("items=1,,2", Code.BAD_NUMBER), ("items=1,x", Code.BAD_NUMBER), ("real=nan", Code.BAD_NUMBER),
    ],
)  # fmt: skip
def test_a_bad_value_is_an_error_and_the_default_stands(text: str, code: Code) -> None:
    got, codes = sample(text)
    assert got == Sample()
    assert codes == [code]


@pytest.mark.parametrize(
    ("text", "value"),
    [("whole=many", 0), ("word=blue", "green"), ("items=1,2,", (1, 2, 0)), ("items=1,,2", (1, 0, 2)), ("whole=$x", 0)],
)
def test_on_request_a_bad_value_is_what_darknet_takes_it_for(text: str, value: Any) -> None:
    got, codes = sample(text, as_darknet=True)
    assert getattr(got, text.split("=")[0]) == value
    assert len(codes) == 1


def test_an_unknown_key_gets_the_closest_known_one_as_a_hint() -> None:
    found = Diagnostics()
    read(Sample, parse("[sample]\nwhol=1\n").sections[0], found)
    assert found.items[0].hint == "did you mean 'whole'?"
    assert not found.errors


def test_a_known_key_without_effect_passes_silently() -> None:
    assert sample("known=1") == (Sample(), [])


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("known=4", 4), ("known=-3", -3), ("known=many", 0), ("known=12k", 12), ("known=$x", 0), ("rate=.5x", 0.5),
        ("rate=fast", 0.0), ("rate=-1e-4", -1e-4), ("steps=1, 2", (1, 2)), ("steps=x,,3d,", (0, 0, 3, 0)),
        ("policy=poly", "poly"), ("policy=unheard", "fixed"), ("printed=no", False), ("printed=2", True),
    ],
)  # fmt: skip
def test_what_inference_does_not_need_is_taken_as_darknet_takes_it(text: str, value: Any, strict: bool) -> None:
    got, codes = sample(text, strict=strict)
    assert getattr(got, text.split("=")[0]) == value
    assert codes == []


def test_sections_that_differ_in_their_training_only_are_equal() -> None:
    assert sample("known=5\nrate=2")[0] == sample("policy=poly")[0] == Sample()
    assert sample("whole=5")[0] != Sample()


def test_what_inference_does_not_need_is_still_reported_where_it_stands_twice() -> None:
    assert sample("known=5\nknown=6")[1] == [Code.DUPLICATE_KEY]
    assert sample("know=5")[1] == [Code.UNKNOWN_KEY]


def test_warnings_are_errors_under_strict() -> None:
    found = Diagnostics(strict=True)
    read(Sample, parse("[sample]\nodd=1\n").sections[0], found)
    assert [d.severity for d in found.items] == ["error"]


def test_very_many_unknown_keys_do_not_take_very_long() -> None:
    lines = "\n".join(f"key{i}abcdefghijkl=1" for i in range(5000))
    assert len(sample(lines)[1]) == 5000


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("whole=true", "write 1"),
        ("whole=Off", "write 0"),
        ("whole==3", "write one '='"),
        ('whole="3"', "without quotes"),
        ("whole=(2+5)*3", "arithmetic"),
        ("whole=\u22123", "U+2212"),
        ("real=1,05", "begins with '.'"),
        ("whole=3 // three", "comment"),
        ("whole=3 part=1", "a line of its own"),
        ("whole=3, part=1", "a line of its own"),
        ("whole=0x40", "in decimal"),
    ],
)
def test_a_hint_says_what_to_write_instead(text: str, hint: str) -> None:
    found = Diagnostics()
    read(Sample, parse(f"[sample]\n{text}\n").sections[0], found)
    (problem,) = found.items
    assert hint in (problem.hint or "")


def test_digits_of_other_scripts_are_no_numbers_as_in_c() -> None:
    assert sample("whole=\uff13") == (Sample(), ["DK202"])


def test_the_caret_is_under_the_item_of_a_list_that_is_wrong() -> None:
    found = Diagnostics()
    read(Sample, parse("[sample]\nitems= 1, 2x , y # 3,4\n", "x", Diagnostics()).sections[0], found)
    spans = [d.span for d in found.items if d.span]
    assert [s.source.text[s.start : s.end] for s in spans] == ["2x", "y"]


def test_a_key_without_a_value_hides_the_one_that_has_it() -> None:
    # option_find returns at the first key that fits; a line that ends in '=' never becomes one
    assert sample("whole\nwhole=3") == (Sample(), [Code.NO_EQUALS, Code.DUPLICATE_KEY])
    assert sample("whole=\nwhole=3")[0].whole == 3
    assert sample("whole=3\nwhole")[0].whole == 3
