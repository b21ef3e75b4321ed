"""Options to dataclass fields: the class body is the schema.

A field made with `opt` states everything about an option: its type (the annotation), Darknet's default, its range and
a line of documentation. The reader below, its error messages and the reference documentation all come from those
fields. What is written as a value is read by `values`, as C reads it.

Decision: an option also states its phase. Only what inference needs is examined. The value of another option is taken
as Darknet takes it, which never fails, so that no network is refused for how it was trained.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable
from functools import cache
from typing import Any, Literal, TypeVar

from ...errors import Code, Diagnostics
from ...spelling import did_you_mean
from .characters import as_ascii, foreign_character
from .meanings import option_hint
from .model import Option, Section
from .values import as_c, is_number, read_value

T = TypeVar("T")

# What reads an option: inference, training, or parts of Darknet that change neither (printing, tracking, CUDA streams).
Phase = Literal["infer", "train", "none"]

MAX_HINTS = 200  # looking for similar words takes time, and nobody reads that many


def opt(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: Iterable[str] | None = None,
    required: bool = False,
    code: Code = Code.BAD_CHOICE,
    fallback: str | None = None,
    comments: bool = False,
    phase: Phase = "infer",
    usual: tuple[float, float] | None = None,
) -> Any:
    """A dataclass field that is a cfg option; a trailing `_` in its name is not part of the key (`from_`).

    `low` and `high` bound the value (each item of a list), `choices` names the legal strings, and a `required` option
    has no default in Darknet. Where Darknet silently takes an unknown choice for a known one, that is `fallback`; with
    `comments` it ends a list at a '#'. Values outside `usual` are computed, and warned of, because nobody means them.
    Sections that differ only in options of other phases than `infer` are equal.
    """
    known = tuple(choices) if choices is not None else None
    metadata = dict(
        doc=doc, low=low, high=high, choices=known, required=required, code=code, fallback=fallback, comments=comments,
        phase=phase, usual=usual,
    )  # fmt: skip
    needed = phase == "infer"
    return dataclasses.field(default=default, repr=needed, compare=needed, metadata=metadata)


@cache
def schema(cls: type) -> dict[str, tuple[dataclasses.Field[Any], str]]:
    """The options of a class: key → (field, kind), where kind is 'int', 'float', 'bool', 'str', 'ints' or 'floats'."""
    return {f.name.rstrip("_"): (f, _kind(f)) for f in dataclasses.fields(cls) if "doc" in f.metadata}


def phase_of(field: dataclasses.Field[Any]) -> Phase:
    """What reads an option; a field that is no option is a matter of inference."""
    return field.metadata.get("phase", "infer")


def _kind(field: dataclasses.Field[Any]) -> str:
    """From the annotation as it is written: to evaluate those of all options takes longer than to read a file."""
    written = field.type if isinstance(field.type, str) else getattr(field.type, "__name__", str(field.type))
    return _KINDS[written.removesuffix(" | None")]


_KINDS = {
    "int": "int", "float": "float", "str": "str", "bool": "bool",
    "tuple[int, ...]": "ints", "tuple[float, ...]": "floats",
}  # fmt: skip


@cache
def _required(cls: type) -> tuple[str, ...]:
    return tuple(key for key, (field, _) in schema(cls).items() if field.metadata["required"])


def read(cls: type[T], section: Section, found: Diagnostics) -> T:
    """Fill the dataclass `cls` from a section; what is wrong with it goes to `found`."""
    options = schema(cls)  # type: ignore[arg-type]  # a class is hashable
    values: dict[str, Any] = {}
    first: dict[str, Option] = {}
    given = {o.key for o in section.options if o.key in options}
    for option in section.options:
        if option.bare:
            first.setdefault(option.key, option)
        if option.value is None:
            continue
        if option.key in first:
            _report_duplicate(first[option.key], option, found)
            continue
        first[option.key] = option
        if option.key not in options:
            hint = _key_hint(option.key, options, given) if len(found.items) < MAX_HINTS else None
            message = f"[{section.name}] has no option {option.key!r}; it is ignored"
            found.warning(Code.UNKNOWN_KEY, message, option.span, hint)
            continue
        field, kind = options[option.key]
        before = len(found.items)
        value = (
            _examined(field, kind, option, found, options)
            if phase_of(field) == "infer"
            else _taken(field, kind, option)
        )
        if value is not None:
            values[field.name] = value
            if len(found.items) == before:
                _compare_with_usual(field, value, option, found)
    for key in _required(cls):  # type: ignore[arg-type]  # as above
        if key not in first or first[key].bare:
            doc = options[key][0].metadata["doc"]
            found.error(Code.MISSING_OPTION, f"[{section.name}] needs {key!r}: {doc}", section.span)
    return cls(**values)


# What decides shapes: others (batch_normalize, activation) may be misspelt, and what is said of a shape is true.
OF_SHAPE = frozenset(
    "width height channels inputs time_steps batch filters size stride stride_x stride_y pad padding dilation groups "
    "group_id output reverse layers from local_width classes num mask anchors coords side sqrt maxpool_depth "
    "out_channels antialiasing".split()
)


@dataclasses.dataclass(frozen=True)
class Doubt:
    """A line that has to be mended before what depends on it can be judged, and what became of it, in words."""

    option: Option
    how: Literal["not read whole", "ignored"]


def find_unread(cls: type, section: Section) -> Doubt | None:
    """The first option of a section that a number was taken from which is not all that is written there.

    A line that was passed over, and means an option that the section does not have otherwise, is one too: what is said
    of the network without it leads astray.
    """
    options = schema(cls)
    given = {o.key for o in section.options if o.key in options and not o.bare}
    for option in section.options:
        field, kind = options.get(option.key, (None, "str"))
        if field is None or option.bare:
            if _means_another(option, options, given):
                return Doubt(option, "ignored")
            continue
        if kind == "str" or option.value is None or phase_of(field) != "infer":
            continue
        text = _ended(field, option)
        items = text.split(",") if kind.endswith("s") else (text,)
        if _is_cut(option) or not all(is_number(kind, item) for item in items if item):
            return Doubt(option, "not read whole")
    return None


def _means_another(option: Option, known: Collection[str], given: Collection[str]) -> bool:
    """Whether a line that is ignored means an option that counts."""
    if option.bare:
        text = as_ascii(option.span.source.text[option.span.start : option.span.end]).strip()
        key = re.match(r"(\w+)\s*[=:]|(\w+)\s+[-+.\w]+$", text)
        meant = key and (key[1] or key[2])
        return meant in known and meant not in given and meant in OF_SHAPE
    said = re.search(r"did you mean '(\w+)'", _key_hint(option.key, known, given) or "")
    return option.key not in known and said is not None and said[1] in OF_SHAPE


def _is_cut(option: Option) -> bool:
    """Whether what Darknet takes for a comment after a number goes on with numbers: `0;1;2`."""
    written = option.value_span.source.text[option.value_span.start : option.value_span.end]
    return re.search(r"\d[ \t]*;[ \t]*-?\d", written) is not None


def _examined(
    field: dataclasses.Field[Any], kind: str, option: Option, found: Diagnostics, known: Collection[str]
) -> Any:
    """The value of an option, or None where there is something wrong with it, which goes to `found`."""
    text = _ended(field, option)
    ended = option if text == option.value else dataclasses.replace(option, value=text)
    value = _choice(field, read_value(kind, ended, found, known), option, found)
    return value if value is not None and _in_range(field, value, option, found) else None


def examine_training(cls: type, section: Section, found: Diagnostics) -> None:
    """Report what is wrong with the values of a section's options that only training reads.

    `read` takes them as Darknet does, without a word: a network that is only run needs none of them.
    """
    options, seen = schema(cls), set()
    for option in section.options:
        field, kind = options.get(option.key, (None, "str"))
        if field is None or option.value is None or option.key in seen:
            continue
        seen.add(option.key)
        if phase_of(field) == "train":
            _examined(field, kind, option, found, options)


def _taken(field: dataclasses.Field[Any], kind: str, option: Option) -> Any:
    """The value of an option as Darknet takes it, whatever is written there."""
    text, choices = _ended(field, option), field.metadata["choices"]
    if kind in ("ints", "floats"):
        return tuple(as_c(kind.removesuffix("s"), item) for item in text.split(","))
    value = as_c(kind, text)
    return value if not choices or value in choices else field.metadata["fallback"]


def plain_value(section: object, option: Option) -> str:
    """The value of an option as any reader reads it: what is written, if that is read whole, else what was read.

    `section` is what `read` filled, and the option one of its class that has a value.
    """
    field, kind = schema(type(section))[option.key]  # type: ignore[arg-type]  # a class is hashable
    text = option.value or ""
    if kind == "str" or phase_of(field) != "infer":
        return text
    fraction = kind.startswith("float")
    value = getattr(section, field.name)
    values = value if isinstance(value, tuple) else (value,)
    items = text.split(",") if isinstance(value, tuple) else [text]
    if len(items) == len(values) and all(is_number(kind, item) for item in items):
        return text
    return ",".join(str(float(v) if fraction else int(v)) for v in values)


def _ended(field: dataclasses.Field[Any], option: Option) -> str:
    text = option.value or ""
    return text.partition("#")[0] if field.metadata["comments"] else text


def _key_hint(key: str, known: Collection[str], given: Collection[str]) -> str | None:
    if key.startswith("//"):
        return "a comment begins with '#' or ';'"
    if odd := foreign_character(key):
        meant = "".join(as_ascii(key).split())
        return f"{odd}; did you mean {meant!r}?" if meant in known else odd
    return option_hint(key, known, given)


def _report_duplicate(first: Option, again: Option, found: Diagnostics) -> None:
    line = first.span.line
    if first.bare:
        message = f"{again.key!r} is already on line {line}, without a value; Darknet takes that, and so the default"
        found.warning(Code.DUPLICATE_KEY, message, again.span)
        return
    if first.value == again.value:
        found.note(Code.DUPLICATE_KEY, f"{again.key!r} is repeated from line {line}", again.span)
        return
    message = f"{again.key!r} was already {first.value!r} on line {line}; Darknet keeps the first"
    found.warning(Code.DUPLICATE_KEY, message, again.span)


def _choice(field: dataclasses.Field[Any], value: Any, option: Option, found: Diagnostics) -> Any:
    choices, code, fallback = (field.metadata[k] for k in ("choices", "code", "fallback"))
    if value is None or not choices or value in choices:
        return value
    message = f"unknown {option.key} {value[:60]!r}"
    hint = foreign_character(value) or did_you_mean(value[:60], choices) or f"one of {', '.join(choices)}"
    if fallback and found.as_darknet:
        found.warning(code, f"{message}, read as {fallback!r} as Darknet does", option.value_span, hint)
        return fallback
    if fallback:
        hint += f" (Darknet silently takes {fallback!r}; --as-darknet does the same)"
    found.error(code, message, option.value_span, hint)
    return None


def _compare_with_usual(field: dataclasses.Field[Any], value: Any, option: Option, found: Diagnostics) -> None:
    usual = field.metadata["usual"]
    if usual is None or option.value is None:
        return
    low, high = usual
    if low <= value <= high:
        return
    message = f"{option.key!r} is {option.value[:24]}, and it is meant to be from {low:g} to {high:g}"
    percent = high <= 1 < value <= 100 and low >= 0
    hint = f"write {value / 100:g} for {value:g} %" if percent else None
    tell = found.warning if phase_of(field) == "infer" else found.note  # how it was trained stops nobody
    tell(Code.SUSPICIOUS, message, option.value_span, hint)


def _in_range(field: dataclasses.Field[Any], value: Any, option: Option, found: Diagnostics) -> bool:
    low, high = field.metadata["low"], field.metadata["high"]
    items = value if isinstance(value, tuple) else (value,)
    if low is not None and min(items) < low:
        message = f"{option.key!r} is {option.value}; it must be at least {low}"
        found.error(Code.OUT_OF_RANGE, message, option.value_span)
        return False
    if high is not None and max(items) > high:
        message = f"{option.key!r} is {option.value}; it must be at most {high}"
        found.error(Code.OUT_OF_RANGE, message, option.value_span)
        return False
    return True
