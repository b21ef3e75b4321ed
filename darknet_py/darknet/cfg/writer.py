"""Sections back to text, so that `parse(write(parse(text)))` is the same."""

from __future__ import annotations

from collections.abc import Iterable

from .model import Cfg, Option, Section


def write(sections: Cfg | Iterable[Section]) -> str:
    r"""The text of some sections, one blank line between them.

    >>> from darknet_py.darknet.cfg import parse
    >>> print(write(parse("[net]\n width = 416")), end="")
    [net]
    width=416
    """
    chosen = sections.sections if isinstance(sections, Cfg) else tuple(sections)
    return "\n".join(_section(section) for section in chosen)


def _section(section: Section) -> str:
    return "".join(f"{line}\n" for line in (f"[{section.name}]", *map(_option, section.options)))


def _option(option: Option) -> str:
    return option.key if option.value is None else f"{option.key}={option.value}"
