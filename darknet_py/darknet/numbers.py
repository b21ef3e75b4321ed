"""What the numbers of a weights file look like: those that a network may have, and those of another order of bytes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ir import Param

TINY, HUGE = 1e-12, 1e6  # beyond these no number of a network is, but for zero
VARIANCES = 1e12  # none is larger; as an integer or another width read wrong may be
LOOKED_AT = 4096  # numbers of a file that are looked at


def sane_share(numbers: np.ndarray) -> float:
    """The share of numbers that a network may have, from 0 to 1.

    >>> sane_share(np.array([0.5, 0, 1e30, np.nan], np.float32))
    0.5
    """
    with np.errstate(invalid="ignore"):
        size = np.abs(numbers)
        return float(((size == 0) | ((size > TINY) & (size < HUGE))).mean())


def are_swapped(floats: np.ndarray) -> bool:
    """Whether numbers look like those of a machine with the other order of bytes.

    >>> numbers = np.linspace(-1, 1, 64, dtype=np.float32)
    >>> are_swapped(numbers), are_swapped(numbers.byteswap())
    (False, True)
    """
    some = np.array(floats[:: max(1, len(floats) // LOOKED_AT)][:LOOKED_AT], np.float32)
    return len(some) >= 16 and sane_share(some) < 0.6 and sane_share(some.byteswap()) > 0.95


def are_plausible(floats: np.ndarray | None, params: Sequence[Param], *, surely: bool = False) -> bool:
    """Whether the variances among the numbers are such as a training leaves; `surely`: and there are some."""
    at, seen = 0, 0
    for param in params if floats is not None else ():
        if param.role.endswith("variance"):
            assert floats is not None
            stored = np.asarray(floats[at : at + param.size])
            with np.errstate(invalid="ignore"):
                if not ((stored >= 0) & (stored < VARIANCES)).all():
                    return False
            seen += param.size
        at += param.size
    return seen > 0 or not surely
