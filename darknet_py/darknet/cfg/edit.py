"""Some options of a cfg set anew, with every comment, blank and order of the text kept."""

from __future__ import annotations

import re
from collections.abc import Mapping

from .model import Cfg, Section


def edit(cfg: Cfg, changes: Mapping[tuple[int, str], str]) -> str:
    r"""The text of a cfg with new values: `changes` are by the number of the section (0 is [net]) and the key.

    A key that the section lacks is added under its last option.

    >>> from darknet_py.darknet.cfg import parse
    >>> edit(parse("[net]\nwidth = 416  # wide\n\n[yolo]\nmask=0"), {(0, "width"): "320", (1, "num"): "3"})
    '[net]\nwidth = 320  # wide\n\n[yolo]\nmask=0\nnum=3'
    """
    text = cfg.source.text
    places = sorted((_place(cfg.sections[i], key, value) for (i, key), value in changes.items()), reverse=True)
    for start, end, new in places:
        text = text[:start] + new + text[end:]
    return text


def _place(section: Section, key: str, value: str) -> tuple[int, int, str]:
    option = section.find(key)
    if option:
        span = option.value_span
        written = re.match(r"[^#;]*", span.source.text[span.start : span.end])
        end = span.start + len(written.group().rstrip()) if written else span.end
        return span.start, end, value
    end = (section.options[-1] if section.options else section).span.end
    return end, end, f"\n{key}={value}"
