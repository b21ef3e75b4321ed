"""Sections and options: the text of a cfg with every position kept, and no knowledge of layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ...errors import Source, Span


@dataclass(frozen=True)
class Option:
    """`key=value`, both without blanks, as Darknet compares them; `value` is None where the line has no '='."""

    key: str
    value: str | None
    span: Span
    value_span: Span

    @property
    def bare(self) -> bool:
        """Whether the line has no '=': Darknet knows the key then, without a value, and looks no further for it."""
        return self.value is None and "=" not in self.span.source.text[self.span.start : self.span.end]


@dataclass(frozen=True)
class Section:
    """`[name]` and the options under it, in the order of the text."""

    name: str
    options: tuple[Option, ...]
    span: Span

    def find(self, key: str) -> Option | None:
        """The first option called `key`, if it has a value: Darknet's choice (option_list.c option_find).

        A line that ends in '=' never came into Darknet's list, so it does not count as the first.
        """
        first = self._first.get(key)
        return first if first and first.value is not None else None

    @cached_property
    def _first(self) -> dict[str, Option]:
        """The first option of each key: kept, because what looks for one may do so for every line of the file."""
        found: dict[str, Option] = {}
        for option in self.options:
            if option.value is not None or option.bare:
                found.setdefault(option.key, option)
        return found


@dataclass(frozen=True)
class Cfg:
    """A parsed file: its source and its sections, `[net]` first when the file is sound."""

    source: Source
    sections: tuple[Section, ...]
