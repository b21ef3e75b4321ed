"""The candidates of all heads of a network.

Decision: heads that are alike and neighbours are decoded together. There are few boxes in most pictures, for which
NumPy's calls take longer than their arithmetic, so a call for all heads takes no longer than one for a single head.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Any, TypeVar

import numpy as np

from ...errors import DataError
from ..candidates import Candidates, join
from .anchors import AnchorDecoder
from .decoder import Decoder

T = TypeVar("T")


def decode_heads(
    heads: Sequence[tuple[Decoder, np.ndarray]], net_size: tuple[int, int], threshold: float, *, raw: bool = False
) -> Candidates:
    """The candidates of heads and their outputs for one sample, head by head, as `Decoder.decode` gives them.

    Raises `DataError` for an array that is not the output of its head.
    """
    found: list[Candidates] = []
    for _, group in groupby(heads, lambda head: head[0].alike):
        alike = list(group)
        first = alike[0][0]
        if isinstance(first, AnchorDecoder):
            picked = [(d, _told(d.pick, d, a, threshold, raw)) for d, a in alike if isinstance(d, AnchorDecoder)]
            found.append(first.decode_alike(picked, net_size, threshold, raw=raw))
        else:
            found += [_told(d.decode, d, a, net_size, threshold, raw=raw and d.reads_input) for d, a in alike]
    return join(found)


def _told(step: Callable[..., T], decoder: Decoder, array: np.ndarray, *more: Any, **options: Any) -> T:
    try:
        return step(array, *more, **options)
    except (ValueError, IndexError):
        raise DataError(f"an array of {array.shape} is not the output of a {decoder.kind} head") from None
