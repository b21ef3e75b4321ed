"""Sections and options: the text of a cfg with every position kept, and no knowledge of layers."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import Source, Span


@dataclass(frozen=True)
class Option:
    """`key=value`, both without blanks, as Darknet compares them; `value` is None where the line has no '='."""

    key: str
    value: str | None
    span: Span
    value_span: Span


@dataclass(frozen=True)
class Section:
    """`[name]` and the options under it, in the order of the text."""

    name: str
    options: tuple[Option, ...]
    span: Span

    def find(self, key: str) -> Option | None:
        """The first option called `key` that has a value: Darknet's choice (option_list.c option_find)."""
        return next((o for o in self.options if o.key == key and o.value is not None), None)


@dataclass(frozen=True)
class Cfg:
    """A parsed file: its source and its sections, `[net]` first when the file is sound."""

    source: Source
    sections: tuple[Section, ...]
