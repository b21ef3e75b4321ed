"""Text to sections: what AlexeyAB's reader reads, plus leniencies that are always reported.

Decision: the grammar is Darknet's line format and nothing more; everything friendlier than the C reader (byte-order
marks, bare CR, a comment after a section name or a value, `$variables`) is a named function here that says what it
did.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from ...errors import Code, Diagnostics, Source, Span
from ..magic import recognize
from .characters import as_ascii, foreign_character
from .model import Cfg, Option, Section

if TYPE_CHECKING:
    from lark import Lark, Token

MAX_BYTES = 2 << 20  # the largest public cfg has 64 KB; more than this is not a cfg
MAX_SECTIONS = 20_000  # the deepest has about 500 layers

_BLANKS = str.maketrans("", "", " \t\r\n")  # utils.c strip: these four, anywhere in the line


def parse(data: str | bytes, name: str = "<cfg>", diagnostics: Diagnostics | None = None) -> Cfg:
    r"""Read a cfg from its text or bytes.

    Problems go to `diagnostics` when it is given; otherwise errors raise `CfgError`.

    >>> parse("[net]\nwidth = 4 16\n").sections[0].find("width").value
    '416'
    """
    found = Diagnostics() if diagnostics is None else diagnostics
    if len(data) > MAX_BYTES:
        message = f"{name}: more than {MAX_BYTES:,} bytes are no cfg"
        hint = "is this the .weights file?" if isinstance(data, str) else _binary_hint(data, name)
        found.error(Code.TOO_LARGE, message, None, hint)
        data = ""
    text = data if isinstance(data, str) else _decode(data, name, found)
    source = Source(name, _unify_line_ends(text, name, found))
    tree: Any = _grammar().parse(source.text)
    sections = [_section(node.children, source, found) for node in tree.find_data("section")]
    if strays := [_option(node.children[0].children, source) for node in tree.find_data("stray")]:
        odd = foreign_character(source.text[strays[0].span.start : strays[0].span.end])
        lead = f"{odd}; " if odd else _other_file(source.text)
        hint = f"{lead}Darknet crashes on a file that does not begin with a section"
        more = f", {len(strays)} lines" if len(strays) > 1 else ""
        found.error(Code.STRAY_TEXT, f"text before the first section{more}", strays[0].span, hint)
    if not sections and not found.errors:
        found.error(Code.EMPTY_FILE, f"{name}: no section in this file", None, "a cfg begins with [net]")
    if len(sections) > MAX_SECTIONS:
        span = sections[MAX_SECTIONS].span
        found.error(Code.TOO_LARGE, f"{len(sections):,} sections (the limit is {MAX_SECTIONS:,})", span)
        sections = sections[:MAX_SECTIONS]
    if diagnostics is None:
        found.check()
    return Cfg(source, tuple(_substitute_variables(sections, found)))


@lru_cache(maxsize=1)
def _grammar() -> Lark:
    from lark import Lark

    return Lark.open("grammar.lark", rel_to=__file__, parser="lalr", maybe_placeholders=False)


def _decode(data: bytes, name: str, found: Diagnostics) -> str:
    if kind := recognize(data):
        found.error(Code.ENCODING, f"{name} is no cfg, but {kind.title}", None, kind.remedy)
        return ""
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
    ):  # fmt: skip
        if data.startswith(mark):
            found.warning(Code.ENCODING, f"{name}: byte-order mark ({encoding}), which crashes Darknet")
            return data.decode(encoding, errors="replace")
    if unmarked := _unmarked_utf16(data):
        found.warning(Code.ENCODING, f"{name}: {unmarked} without a byte-order mark, which Darknet cannot read")
        return data.decode(unmarked, errors="replace")
    if b"\0" in data:
        found.error(Code.ENCODING, f"{name}: NUL bytes: this is not a text file", None, _binary_hint(data, name))
        return ""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:  # Darknet is transparent to bytes, and so are the comments of EUC-KR files
        return data.decode("latin-1")


def _unmarked_utf16(data: bytes) -> str | None:
    """The encoding of a text whose every second byte is NUL, as those of ASCII characters are in UTF-16."""
    first, second = data[:1000:2], data[1:1000:2]
    for high, low, encoding in ((second, first, "utf-16-le"), (first, second, "utf-16-be")):
        if low and 0 not in low and high.count(0) > 0.9 * len(high):
            return encoding
    return None


def _binary_hint(data: bytes, name: str) -> str:
    if name.endswith(".onnx"):
        return "only `darknet-py run` and `view` take ONNX files"
    kind = recognize(data)
    return f"this is {kind.title}: {kind.remedy}" if kind else "is this the .weights file?"


def _unify_line_ends(text: str, name: str, found: Diagnostics) -> str:
    if text.startswith("\ufeff"):
        found.warning(Code.ENCODING, f"{name}: byte-order mark, which crashes Darknet")
        text = text[1:]
    if "\r" in text and "\n" not in text:
        found.warning(Code.LINE_ENDS, f"{name}: lines end in a bare CR; Darknet reads them as one line")
        return text.replace("\r", "\n")
    return text


def _section(children: list[Any], source: Source, found: Diagnostics) -> Section:
    header, *rest = children
    span = _span(header, source)
    options = (_report_odd(_option(child.children, source), found) for child in rest)
    return Section(_header_name(str(header), span, found), tuple(o for o in options if o.key), span)


def _header_name(text: str, span: Span, found: Diagnostics) -> str:
    name, bracket, tail = text[1:].partition("]")
    name, tail = name.translate(_BLANKS), tail.translate(_BLANKS)
    if not bracket:
        message = f"the section name {_short(text.strip())} has no closing ']'"
        found.error(Code.BAD_HEADER, message, span, foreign_character(text))
    elif tail and tail[0] in "#;":
        hint = "Darknet takes it into the name; put the comment on its own line"
        found.warning(Code.INLINE_COMMENT, f"comment after [{name}]", span, hint)
    elif tail:
        found.error(Code.BAD_HEADER, f"unexpected {_short(tail)} after [{_short(name)[1:-1]}]", span)
    return name


def _option(tokens: list[Token], source: Source) -> Option:
    text = "".join(tokens)
    span = _span_of(tokens[0].start_pos or 0, text, source)
    key, equals, value = text.partition("=")
    value_start = span.start + len(key) + len(equals)
    value_span = _span_of(value_start + len(value) - len(value.lstrip()), value.strip(), source)
    return Option(key.translate(_BLANKS), value.translate(_BLANKS) if equals else None, span, value_span)


def _report_odd(option: Option, found: Diagnostics) -> Option:
    """Say what is odd about an option, and cut a comment after its value."""
    if option.value is None:
        text = option.span.source.text[option.span.start : option.span.end]
        message = f"no '=' in {_short(text)}; Darknet ignores the line"
        found.warning(Code.NO_EQUALS, message, option.span, _bare_hint(text))
        return option
    if not option.key:
        message = f"no key before '=' in {_short('=' + (option.value or ''))}; Darknet ignores the line"
        found.warning(Code.NO_KEY, message, option.span, _bare_hint("=" + (option.value or "")))
        return replace(option, value=None)
    if not option.value:
        found.warning(Code.EMPTY_VALUE, f"{option.key!r} has no value; its default is used", option.span)
        return replace(option, value=None)
    cut = re.search("[#;]", option.value)
    if not cut:
        return option
    hint = "Darknet has no comments after values; put it on its own line"
    found.warning(Code.INLINE_COMMENT, f"comment after the value of {option.key!r}", option.value_span, hint)
    return option if found.as_darknet else replace(option, value=option.value[: cut.start()] or None)


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


def _bare_hint(text: str) -> str | None:
    """What a line that is no option was probably meant to be."""
    if (odd := foreign_character(text)) and "=" in as_ascii(text):
        return odd
    if re.match(r"<{7}|>{7}|={7}|\|{7}", text):
        return "a merge-conflict marker: resolve the conflict"
    if text.startswith(("//", "--", "%", "/*", "<!--")):
        return "a comment begins with '#' or ';'"
    if re.fullmatch(r"[-+.,\d \t]+", text):
        return "a list must be on one line"
    if header := re.fullmatch(r"[^\w\[]*\[([\w ]+)\].*|[({<]([\w ]+)[)}>]", text):
        return f"a section is a line that begins with '[': [{header[1] or header[2]}]"
    if pair := re.fullmatch(r"(\w+)(?:\s*:\s*|\s+)([-+.,\w]+)", text):
        return f"did you mean '{pair[1]}={pair[2]}'?"
    return foreign_character(text[:MAX_BYTES])


def _other_file(text: str) -> str:
    """What a text that does not begin with a section probably is instead, as the beginning of a hint."""
    start = text.lstrip()[:200].lower()
    if start.startswith("version https://git-lfs"):
        return "this is a pointer to a file that `git lfs pull` fetches; "
    if start.startswith(("<!doctype", "<html", "<?xml")):
        return "this is a web page: download the file that it shows; "
    if re.search(r"(?m)^[ \t]*(names|train|valid|backup)[ \t]*=", text):
        return "this looks like a .data file, for --names; "
    return "this is no cfg; " if not re.search(r"(?m)^[ \t]*\[[ \t]*\w", text) else ""


def _substitute_variables(sections: list[Section], found: Diagnostics) -> list[Section]:
    """Replace `key=$name` by the value of `name` in [net], as the JDE cfgs mean it (Darknet reads 0)."""
    if not sections:
        return sections
    net = sections[0]

    def substituted(option: Option) -> Option:
        if not (option.value and option.value.startswith("$")):
            return option
        named = net.find(option.value[1:])
        if named is None:
            return option  # reported when something wants its value
        found.warning(Code.VARIABLE, f"{option.value} is {named.value}; Darknet would read 0", option.value_span)
        return replace(option, value=named.value)

    return [replace(s, options=tuple(substituted(o) for o in s.options)) for s in sections]


def _span(token: Token, source: Source) -> Span:
    return _span_of(token.start_pos or 0, str(token), source)


def _span_of(start: int, text: str, source: Source) -> Span:
    return Span(source, start, start + len(text.rstrip()))
