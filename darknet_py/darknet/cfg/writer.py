"""Sections back to text, so that `parse(write(parse(text)))` is the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .model import Cfg, Option, Section


def write(sections: Cfg | Iterable[Section]) -> str:
    r"""The text of some sections, one blank line between them.

    >>> from darknet_py.darknet.cfg import parse
    >>> print(write(parse("[net]\n width = 416")), end="")
    [net]
    width=416
    """
    chosen = sections.sections if isinstance(sections, Cfg) else tuple(sections)
    return "\n".join(_text(section.name, map(_option, section.options)) for section in chosen)


def spell(sections: Iterable[tuple[str, Mapping[str, str]]]) -> str:
    r"""The text of sections that are in no file yet, each its name and options.

    >>> spell([("net", {"width": "416"}), ("avgpool", {})])
    '[net]\nwidth=416\n\n[avgpool]\n'
    """
    return "\n".join(_text(name, (f"{k}={v}" for k, v in options.items())) for name, options in sections)


def _text(name: str, lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in (f"[{name}]", *lines))


def _option(option: Option) -> str:
    return option.key if option.value is None else f"{option.key}={option.value}"
