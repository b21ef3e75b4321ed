"""The reference of sections and options, printed from the layer classes: their schema is the documentation."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

from ..errors import DataError
from ..spelling import did_you_mean
from .cfg.options import Phase, phase_of, schema
from .dialects import DIALECTS
from .layers import LAYERS, Layer, section_names
from .layers.net import NET_SECTIONS, Net

KINDS = {"ints": "int, int, …", "floats": "float, float, …"}
TITLES: dict[Phase, str] = {"infer": "", "train": "for training only:", "none": "known, and without effect here:"}


class OptionRow(NamedTuple):
    """An option as people read it: its name, type with range, default, and meaning.

    `choices` are the words that it knows, and `fallback` the one that Darknet silently takes for any other.
    """

    key: str
    kind: str
    default: str
    doc: str
    choices: tuple[str, ...] = ()
    fallback: str | None = None


def list_sections() -> str:
    """Every section with a sentence, and the dialects that know it where those are not all.

    >>> "maxpool" in list_sections()
    True
    """
    lines = [f"{'net':<20}{_sentence(Net)}"]
    for name in section_names():
        for cls, dialects in section_classes(name):
            known = "" if len(dialects) == len(DIALECTS) else f" ({', '.join(dialects)})"
            lines.append(f"{name:<20}{_sentence(cls)}{known}")
    return "\n".join(lines)


def describe_section(name: str) -> str:
    """What a section computes, and its options with types, defaults and ranges, those for inference first.

    Raises `DataError` for a section that nobody knows.

    >>> print(describe_section("sam").splitlines()[0])
    [sam] (alexeyab)
    """
    if name in NET_SECTIONS:
        return _describe("net", Net, list(DIALECTS))
    found = section_classes(name)
    if not found:
        hint = did_you_mean(name, section_names()) or "`darknet-py explain` lists them"
        raise DataError(f"no section [{name}]; {hint}")
    return "\n\n".join(_describe(name, cls, dialects) for cls, dialects in found)


def section_classes(name: str) -> list[tuple[type[Layer], list[str]]]:
    """What computes a section: its layer classes, each with the dialects for which it does.

    >>> [dialects for _, dialects in section_classes("upsample")]
    [['alexeyab', 'pjreddie', 'pytorch']]
    """
    found: dict[type[Layer], list[str]] = {}
    for dialect in DIALECTS:
        if cls := LAYERS.get((name, dialect)):
            found.setdefault(cls, []).append(dialect)
    return list(found.items())


def _sentence(cls: type) -> str:
    return (cls.__doc__ or "").strip().splitlines()[0]


def _describe(name: str, cls: type, dialects: list[str]) -> str:
    lines = [f"[{name}] ({', '.join(dialects)})", *(f"  {line.strip()}" for line in (cls.__doc__ or "").splitlines())]
    for phase, title in TITLES.items():
        rows = _rows(cls, phase)
        lines += [f"  {title}"] if title and rows else []
        lines += rows
    return "\n".join(line.rstrip() for line in lines)


def option_rows(cls: type, phase: Phase) -> list[OptionRow]:
    """The options of a section's class that a phase reads, in the order of the class."""
    options = [(key, kind, f) for key, (f, kind) in schema(cls).items() if phase_of(f) == phase]
    return [
        OptionRow(
            key, _kind(kind, f), _default(f), f.metadata["doc"], f.metadata["choices"] or (), f.metadata["fallback"]
        )
        for key, kind, f in options
    ]


def _rows(cls: type, phase: Phase) -> list[str]:
    """A line for each option of a phase, in columns."""
    rows = [(row.key, row.kind, row.default, row.doc) for row in option_rows(cls, phase)]
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(3)]
    return ["  ".join(["", *(c.ljust(w) for c, w in zip(row, widths, strict=False)), row[3]]) for row in rows]


def _kind(kind: str, field: dataclasses.Field[Any]) -> str:
    low, high = field.metadata["low"], field.metadata["high"]
    if low is None and high is None:
        return KINDS.get(kind, kind)
    return f"{KINDS.get(kind, kind)} {'' if low is None else low}..{'' if high is None else high}"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.metadata["required"]:
        return "required"
    return "" if field.default in (None, ()) else f"= {field.default}"
