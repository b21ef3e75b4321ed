"""How each kind of box looks, in every format: fill, outline, and the word for the legend.

Decision: tints of Okabe and Ito's palette, which the colour-blind tell apart; and every box says in words what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import wrap

from .drawing import Box, Drawing

WIDEST = 44  # characters in a line
TEXT = "#1a1a1a"
FRAME = "#f6f7f9"
FRAME_LINE = "#c3c9d1"
CSP_LINE = "#d55e00"
ARROW = "#4d4d4d"


@dataclass(frozen=True)
class Style:
    """Colours of a box, whether its outline is dashed, whether it is round, and its word in the legend."""

    fill: str
    line: str
    legend: str
    dashed: bool = False
    round: bool = False


STYLES = {
    "image": Style("#ffffff", "#4d4d4d", "input", round=True),
    "chain": Style("#eceff3", "#7a828c", "layers"),
    "bypass": Style("#fde3d3", "#d55e00", "CSP: bypass", dashed=True),
    "split": Style("#fde3d3", "#d55e00", "CSP: split"),
    "transition": Style("#e3e1f3", "#5b55a0", "CSP: transition"),
    "dense": Style("#fdeabf", "#b97f00", "dense layers"),
    "residual": Style("#d3eafa", "#0072b2", "residual layers"),
    "attention": Style("#f5dcea", "#a8487f", "attention"),
    "pyramid": Style("#fbf7b5", "#938800", "spatial pyramid"),
    "concat": Style("#ffffff", "#000000", "concatenation", round=True),
    "add": Style("#ffffff", "#000000", "sum", round=True),
    "join": Style("#ffffff", "#000000", "product", round=True),
    "head": Style("#c8eddf", "#007a59", "detection head"),
}


def style_name(box: Box) -> str:
    """The key of a box in `STYLES`."""
    return box.role or box.kind


def used_styles(drawing: Drawing) -> dict[str, Style]:
    """The styles that a drawing needs, in the order of the legend."""
    used = {style_name(box) for box in drawing.boxes}
    return {name: style for name, style in STYLES.items() if name in used}


def is_small(box: Box) -> bool:
    """Whether a box is a mere join, written in one line."""
    return STYLES[style_name(box)].round


def heading(box: Box) -> tuple[str, ...]:
    """The title of a box, in as many lines as it needs."""
    return tuple(wrap(box.caption, WIDEST))


def lines(box: Box) -> tuple[str, ...]:
    """What is written in a box."""
    if is_small(box):
        return (f"{box.title} · {box.numbers}",)
    return (*heading(box), *wrap(box.detail, WIDEST), box.numbers)
