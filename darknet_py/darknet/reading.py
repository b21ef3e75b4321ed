"""How a cfg is read, as one value: whoever opens a network hands it on whole, and only the compiler looks into it."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from ..errors import DataError

MOST = 1 << 16  # pixels of a side


@dataclass(frozen=True)
class Reading:
    """How a cfg is read.

    `dialect` is 'alexeyab', 'pjreddie' or 'pytorch' (None: inferred from the file, and reported); `size` overrides the
    (height, width) of [net]; `strict` makes errors of warnings; `as_darknet` reads silently wrong values as Darknet
    does. Raises `DataError` for a size that no picture has.
    """

    dialect: str | None = None
    size: tuple[int, int] | None = None
    strict: bool = False
    as_darknet: bool = False

    def __post_init__(self) -> None:
        if self.size is not None and not _is_size(self.size):
            hint = f"\n  hint: size=({self.size}, {self.size})" if _is_size((self.size, self.size)) else ""
            raise DataError(f"size is (height, width), each from 1 to {MOST:,} pixels, not {self.size}{hint}")


def _is_size(size: object) -> bool:
    """Whether it is (height, width) in pixels, whatever a caller without types gave."""
    if not isinstance(size, (tuple, list)) or len(size) != 2:
        return False
    return all(isinstance(n, Integral) and not isinstance(n, bool) and 0 < int(n) <= MOST for n in size)
