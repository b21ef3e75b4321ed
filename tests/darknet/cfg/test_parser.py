"""Text to sections, as the C reader does it (utils.c strip, parser.c read_cfg, option_list.c read_option)."""

from __future__ import annotations

import pytest

from darknet_py.darknet.cfg import Cfg, parse
from darknet_py.darknet.cfg.parser import MAX_BYTES, MAX_SECTIONS
from darknet_py.errors import CfgError, Code, Diagnostics


def read(text: str | bytes) -> tuple[Cfg, list[Code]]:
    found = Diagnostics()
    cfg = parse(text, "net.cfg", found)
    return cfg, [d.code for d in found.items]


def options(text: str | bytes) -> list[tuple[str, str | None]]:
    return [(o.key, o.value) for s in read(text)[0].sections for o in s.options]


def test_a_section_has_its_options_in_order() -> None:
    cfg, codes = read("[net]\nwidth=4\nheight=5\n[conv]\nfilters=6\n")
    assert [(s.name, [(o.key, o.value) for o in s.options]) for s in cfg.sections] == [
        ("net", [("width", "4"), ("height", "5")]), ("conv", [("filters", "6")]),
    ]  # fmt: skip
    assert codes == []


@pytest.mark.parametrize("line", ["width=416", " width = 416 ", "wid th=4 1 6", "\twidth\t=\t416\t", "width=416\r"])
def test_blanks_mean_nothing_anywhere_in_a_line(line: str) -> None:
    assert options(f"[net]\n{line}\n") == [("width", "416")]


@pytest.mark.parametrize("header", ["[net]", "  [net]", "[ net ]", "[n e t]  ", "\t[net]\t\r"])
def test_blanks_mean_nothing_in_a_section_header(header: str) -> None:
    assert read(f"{header}\na=1\n")[0].sections[0].name == "net"


@pytest.mark.parametrize("line", ["#batch=1", "  # batch=1", ";batch=1", "\t;", "", "   ", "\t\r"])
def test_comment_lines_and_blank_lines_are_skipped(line: str) -> None:
    assert options(f"[net]\n{line}\nwidth=1\n") == [("width", "1")]


def test_crlf_line_ends_are_line_ends() -> None:
    assert options("[net]\r\nwidth=1\r\nheight=2\r\n") == [("width", "1"), ("height", "2")]


def test_the_last_line_needs_no_end() -> None:
    assert options("[net]\nwidth=1") == [("width", "1")]


def test_an_option_is_split_at_its_first_equals_sign() -> None:
    assert options("[net]\na=b=c\n") == [("a", "b=c")]


def test_a_comment_after_a_value_is_cut_and_reported() -> None:
    cfg, codes = read("[conv]\nactivation=leaky # not relu\nfilters=18#255=x\n")
    assert [(o.key, o.value) for o in cfg.sections[0].options] == [("activation", "leaky"), ("filters", "18")]
    assert codes == [Code.INLINE_COMMENT] * 2


def test_a_comment_after_a_value_belongs_to_it_as_darknet_reads() -> None:
    found = Diagnostics(as_darknet=True)
    cfg = parse("[conv]\nactivation=leaky # x\n", "net.cfg", found)
    assert cfg.sections[0].options[0].value == "leaky#x"


def test_a_line_without_equals_has_no_value() -> None:
    assert options("[net]\nwidth 416\n") == [("width416", None)]


def test_an_empty_value_is_no_value() -> None:
    cfg, codes = read("[net]\nwidth=\n")
    assert cfg.sections[0].find("width") is None
    assert codes == [Code.EMPTY_VALUE]


def test_a_line_without_a_key_is_dropped() -> None:
    assert options("[net]\n=======\nwidth=1\n") == [("width", "1")]


def test_the_first_of_two_repeated_keys_is_found() -> None:
    found = read("[net]\nwidth=1\nwidth=2\n")[0].sections[0].find("width")
    assert found is not None
    assert found.value == "1"


def test_a_repeated_key_without_a_value_does_not_hide_the_one_with_a_value() -> None:
    found = read("[net]\nwidth=\nwidth=2\n")[0].sections[0].find("width")
    assert found is not None
    assert found.value == "2"


def test_variables_are_replaced_by_what_net_says() -> None:
    cfg, codes = read("[net]\ndim=64\n[conv]\nfilters=$dim\n")
    assert cfg.sections[1].options[0].value == "64"
    assert codes == [Code.VARIABLE]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_marked_encodings_are_read_and_reported(encoding: str) -> None:
    mark = "" if encoding in ("utf-8-sig", "utf-16") else "\ufeff"
    cfg, codes = read((mark + "[net]\nwidth=416\n").encode(encoding))
    assert cfg.sections[0].options[0].value == "416"
    assert codes == [Code.ENCODING]


def test_a_mark_in_decoded_text_is_dropped_too() -> None:
    assert options("\ufeff[net]\nwidth=1\n") == [("width", "1")]


def test_bytes_that_are_no_utf8_are_kept_in_comments() -> None:
    assert options(b"[net]\n# \xbc\xf6\xb7\xc3\nwidth=1\n") == [("width", "1")]


def test_bare_carriage_returns_are_line_ends_when_there_are_no_others() -> None:
    cfg, codes = read("[net]\rwidth=1\rheight=2\r")
    assert [o.key for o in cfg.sections[0].options] == ["width", "height"]
    assert codes == [Code.LINE_ENDS]


def test_positions_are_those_of_the_text() -> None:
    option = parse("[net]\n\n  width =  416  \n").sections[0].options[0]
    assert str(option.span) == "<cfg>:3:3"
    assert (option.value_span.line, option.value_span.column) == (3, 12)
    text = option.value_span.source.text
    assert text[option.value_span.start : option.value_span.end] == "416"


def test_without_a_collector_errors_raise_with_all_of_them() -> None:
    with pytest.raises(CfgError) as e:
        parse("stray\n[net\nwidth=1\n[conv] x\n")
    assert [d.code for d in e.value.diagnostics] == [Code.STRAY_TEXT, Code.BAD_HEADER, Code.BAD_HEADER]


def test_a_huge_file_is_refused_before_it_is_read() -> None:
    _, codes = read("a" * (MAX_BYTES + 1))
    assert codes == [Code.TOO_LARGE]


def test_very_many_sections_are_refused() -> None:
    cfg, codes = read("[avgpool]\n" * (MAX_SECTIONS + 5))
    assert codes == [Code.TOO_LARGE]
    assert len(cfg.sections) == MAX_SECTIONS


def test_a_diagnostic_shows_the_line_and_points_at_the_place() -> None:
    found = Diagnostics()
    parse("[net]\n\tname =  leaky  # no\n", "a.cfg", found)
    assert str(found.items[0]).splitlines() == [
        "a.cfg:2:10: warning[DK106]: comment after the value of 'name'",
        "  \tname =  leaky  # no",
        "  \t        ^^^^^^^^^^^",
        "  hint: Darknet has no comments after values; put it on its own line",
    ]


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("filters: 16", "did you mean 'filters=16'?"),
        ("filters 16", "did you mean 'filters=16'?"),
        ("(yolo)", "[yolo]"),
        ("\ufeff[yolo]", "[yolo]"),
        ("/* three */", "a comment begins with"),
    ],
)
def test_a_line_without_equals_is_quoted_and_gets_a_hint(line: str, hint: str) -> None:
    found = Diagnostics()
    parse(f"[net]\n{line}\n", "x", found)
    (problem,) = found.items
    assert repr(line) in problem.message
    assert hint in (problem.hint or "")


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("version https://git-lfs.github.com/spec/v1\nsize 12\n", "git lfs pull"),
        ("<!DOCTYPE html>\n<p>\n", "web page"),
        ("classes=2\nnames=my.names\n", ".data file"),
        ("person\nbicycle\n", "no cfg"),
    ],
)
def test_another_kind_of_file_is_recognized_in_one_error(text: str, hint: str) -> None:
    found = Diagnostics()
    parse(text, "x", found)
    (problem,) = found.items
    assert "2 lines" in problem.message
    assert hint in (problem.hint or "")


def test_a_message_does_not_grow_with_what_it_quotes() -> None:
    found = Diagnostics()
    parse("[net]" + "x" * 100_000 + "\n[" + "y" * 100_000 + "\n", "x", found)
    assert all(len(str(d)) < 1000 for d in found.items)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_without_a_mark_is_read_and_reported(encoding: str) -> None:
    found = Diagnostics()
    cfg = parse("[net]\nwidth=8 # \u00e9\n".encode(encoding), "x", found)
    assert cfg.sections[0].name == "net"
    assert (found.items[0].code, found.items[0].severity) == ("DK101", "warning")


@pytest.mark.parametrize(
    ("data", "name", "hint"),
    [(b"\xff\xd8\xff\0", "a.jpg", "picture"), (b"\x08\0\0\0", "a.onnx", "ONNX"), (b"\0\0\1", "a", ".weights file")],
)
def test_a_binary_file_gets_the_hint_of_its_kind(data: bytes, name: str, hint: str) -> None:
    found = Diagnostics()
    parse(data, name, found)
    assert hint in (found.items[0].hint or "")
