"""How a cfg is read, as one value: whoever opens a network hands it on whole, and only the compiler looks into it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Reading:
    """How a cfg is read.

    `dialect` is 'alexeyab', 'pjreddie' or 'pytorch' (None: inferred from the file, and reported); `size` overrides the
    (height, width) of [net]; `strict` makes errors of warnings; `as_darknet` reads silently wrong values as Darknet
    does.
    """

    dialect: str | None = None
    size: tuple[int, int] | None = None
    strict: bool = False
    as_darknet: bool = False
