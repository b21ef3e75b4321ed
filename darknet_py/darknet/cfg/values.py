"""The text of a value as C reads it: numbers as `atoi` and `atof` do, switches, names and lists.

Every value that C reads in a surprising way is reported, with what was probably meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any, TypeVar

from ...errors import Code, Diagnostics, Span
from .characters import as_ascii, foreign_character
from .meanings import pair_hint
from .model import Option

T = TypeVar("T")

INT_LIMIT = 2**31 - 1  # a C int

# ASCII, because Python also takes the digits of other scripts, and C reads them as the end of the number.
_INT = re.compile(r"[+-]?\d+", re.ASCII)
_FLOAT = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def read_value(kind: str, option: Option, found: Diagnostics, known: Collection[str]) -> Any:
    """The value of an option, of a kind that `schema` names; what C reads otherwise than it is written goes to `found`.

    None where there is no such value. `known` are the options that the section may have: one may be what was meant.
    """
    return _READERS[kind](option, found, known)


def as_c(kind: str, text: str) -> Any:
    """Text as C's `atoi` (of a switch: is it 0?) and `atof` read it: 0 where it is no number; a name as it is."""
    if kind == "str":
        return text
    match = (_FLOAT if kind == "float" else _INT).match(text)
    if kind == "float":
        return float(match[0]) if match else 0.0
    number = _bounded_int(match[0]) if match else 0
    return bool(number) if kind == "bool" else number


def atoi(option: Option | None, default: int) -> int:
    """The value of an option that nothing else reads, as C's `atoi` reads it: 0 where it is no number."""
    return default if option is None else int(as_c("int", option.value or ""))


def is_number(kind: str, text: str) -> bool:
    """Whether C reads the whole of a text as a number of a kind, or of a list of that kind.

    >>> is_number("int", "-3"), is_number("ints", "1.5"), is_number("floats", "1.5")
    (True, False, True)
    """
    return (_FLOAT if kind.startswith("float") else _INT).fullmatch(text) is not None


def _read_int(option: Option, found: Diagnostics, known: Collection[str] = ()) -> int | None:
    _report_glued_pair(option, found, known)
    return _number(option.value or "", _INT, _bounded_int, option, option.value_span, found, known)


def _read_float(option: Option, found: Diagnostics, known: Collection[str] = ()) -> float | None:
    return _number(option.value or "", _FLOAT, float, option, option.value_span, found)


def _read_bool(option: Option, found: Diagnostics, known: Collection[str] = ()) -> bool | None:
    number = _read_int(option, found, known)
    if number is not None and number not in (0, 1):
        message = f"{option.key!r} is a switch: {number} means the same as 1"
        found.warning(Code.ODD_NUMBER, message, option.value_span)
    return None if number is None else bool(number)


def _read_str(option: Option, found: Diagnostics, known: Collection[str] = ()) -> str | None:
    return option.value


def _read_ints(option: Option, found: Diagnostics, known: Collection[str] = ()) -> tuple[int, ...] | None:
    return _list(option, _INT, _bounded_int, found)


def _read_floats(option: Option, found: Diagnostics, known: Collection[str] = ()) -> tuple[float, ...] | None:
    return _list(option, _FLOAT, float, found)


_READERS: dict[str, Callable[[Option, Diagnostics, Collection[str]], Any]] = {
    "int": _read_int, "float": _read_float, "bool": _read_bool, "str": _read_str,
    "ints": _read_ints, "floats": _read_floats,
}  # fmt: skip


def _bounded_int(text: str) -> int:
    # int() of a very long digit string is slow and raises; anything beyond a C int is out of range anyway
    return int(text) if len(text) < 20 else INT_LIMIT + 1


def _report_glued_pair(option: Option, found: Diagnostics, known: Collection[str]) -> None:
    """Warn of a number for each axis, with blanks between them, where there is one for both: `2 1` is read as 21."""
    raw = option.value_span.source.text[option.value_span.start : option.value_span.end]
    pair = re.match(r"(\d+)[ \t]+(\d+)[ \t]*(?:[#;]|$)", raw)
    hint = pair_hint(option.key, pair[1], pair[2], known) if pair else None
    if pair and hint:
        message = f"blanks but no comma in {option.key!r}: Darknet removes blanks and glues the two numbers"
        found.warning(Code.GLUED_LIST, message, _inside(option, 0, pair.end(2)), hint)


def _pair_hint(number: str, rest: str, option: Option, known: Collection[str]) -> str | None:
    """What to write for two whole numbers in the place of one, such as `2,1` or `3x3`."""
    pair = re.fullmatch(r"[,xX*](\d+)", rest)
    if not pair or (rest[0] != "," and number.lstrip("+-") == "0"):  # 0x10 is a number of another kind
        return None
    return pair_hint(option.key, number, pair[1], known)


def _number(
    text: str,
    pattern: re.Pattern[str],
    convert: Callable[[str], T],
    option: Option,
    span: Span,
    found: Diagnostics,
    known: Collection[str] = (),
) -> T | None:
    match = pattern.match(text)
    if not match:
        code, message = Code.BAD_NUMBER, f"{option.key!r} wants a number, not {text[:60]!r}"
        if text.startswith("$"):
            code, message = Code.VARIABLE, f"[net] has no {text[1:60]!r}"
        if found.as_darknet:
            found.warning(code, f"{message}; read as 0, as Darknet does", span)
            return convert("0")
        found.error(code, message, span, f"{_no_number_hint(text)}Darknet silently reads 0 here")
        return None
    value: Any = convert(match[0])
    if match.end() < len(text):
        message = f"{text[:60]!r} is not a number that Darknet reads whole: it takes {match[0][:60]!r}"
        rest = text[match.end() : match.end() + 60]
        hint = _pair_hint(match[0], rest, option, known) if known else None
        found.warning(Code.ODD_NUMBER, message, span, hint or _rest_hint(match[0], rest, fraction=pattern is _FLOAT))
    if not abs(value) <= (INT_LIMIT if isinstance(value, int) else 3.4e38):
        found.error(Code.OUT_OF_RANGE, f"{option.key!r} is {text[:24]}, more than C can hold", span)
        return None
    return value


_SWITCHES = {"true": 1, "yes": 1, "on": 1, "false": 0, "no": 0, "off": 0}


def _no_number_hint(text: str) -> str:
    """What something that is no number was probably meant to be, as the beginning of a hint."""
    foreign = foreign_character(text)
    if text.lower() in _SWITCHES:
        return f"write {_SWITCHES[text.lower()]}; "
    if text.startswith("="):
        return "write one '='; "
    if text and text[0] in "\"'([{":
        return "write the number itself, without quotes, brackets or arithmetic; "
    return f"{foreign}; " if foreign else ""


def _rest_hint(number: str, rest: str, fraction: bool) -> str | None:
    """What the characters after a number were probably meant to be."""
    if odd := foreign_character(rest):
        return f"{odd}; separate numbers by ','" if as_ascii(rest)[:1] in (",", ";") else odd
    if re.match(r",\d", rest):
        return "this is one number, and its fraction begins with '.'" if fraction else "this is one number"
    if rest.startswith(("//", "/*")):
        return "a comment begins with '#' or ';', and has a line of its own"
    if re.match(r",?[A-Za-z_]\w*=", rest):
        return "write each option on a line of its own"
    if number in ("0", "-0", "+0") and rest[0] in "xX":
        return "write the number in decimal"
    if rest[0] == ";" or re.match(r"[+-]\d", rest):
        return "separate numbers by ','"
    if re.match(r"[eE][+-]?\d", rest):
        return "write the number without an exponent"
    return "write the number itself" if rest[0] in "*/+-(x" else None


def _list(
    option: Option, pattern: re.Pattern[str], convert: Callable[[str], T], found: Diagnostics
) -> tuple[T, ...] | None:
    raw = option.value_span.source.text[option.value_span.start : option.value_span.end]
    if glued := _glued(raw.partition("#")[0]):
        message = f"blanks but no comma in {option.key!r}: Darknet removes blanks and glues the two numbers"
        found.warning(Code.GLUED_LIST, message, _inside(option, *glued), "write a comma between them")
    items = (option.value or "").split(",")
    spans = _item_spans(option, raw, len(items))
    while items and not items[-1]:
        items.pop()
        message = f"{option.key!r} ends in a comma; Darknet reads one more item there, a 0"
        found.warning(Code.TRAILING_COMMA, message, option.value_span, "remove the comma")
    if found.as_darknet and len(items) < (option.value or "").count(",") + 1:
        items.append("0")
    values = tuple(_number(i, pattern, convert, option, s, found) for i, s in zip(items, spans, strict=False))
    return None if not values or None in values else values  # type: ignore[return-value]  # none is None


def _glued(text: str) -> tuple[int, int] | None:
    """Where two numbers stand with blanks between them, and nothing else.

    Found from the blanks outwards: a pattern that begins with the number tries each of its digits anew.
    """
    gap = re.search(r"(?<=[\d.])[ \t]+(?=[\d.+-])", text)
    if not gap:
        return None
    before, after = text[: gap.start()], text[gap.end() :]
    start = len(before.rstrip("0123456789."))
    start -= before[start - 1 : start] in ("-", "+")
    return start, gap.end() + len(after) - len(after.lstrip("0123456789.+-"))


def _inside(option: Option, start: int, end: int) -> Span:
    """Characters of the text of a value."""
    span = option.value_span
    return Span(span.source, span.start + start, span.start + end)


def _item_spans(option: Option, raw: str, count: int) -> list[Span]:
    """Where each item of a list is written; for one that is empty, or comes from a `$variable`, the whole value."""
    pieces = raw.split(",")
    if len(pieces) < count:
        return [option.value_span] * count
    spans, start = [], 0
    for piece in pieces[:count]:
        item = re.split("[#;]", piece)[0].strip() or piece.strip()
        at = start + piece.find(item)
        spans.append(_inside(option, at, at + len(item)) if item else option.value_span)
        start += len(piece) + 1
    return spans
