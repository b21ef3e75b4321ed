"""Pictures that are made when they are wanted: whatever gives a picture and its objects for a number can be learned.

Decision: a source knows its pictures by number and draws them at the size that the network has, because a picture that
is drawn small is drawn faster, and sharper than one that is reduced. It is asked from any thread, in any order.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from ....vision.labels import Labels
from .geometry import Size


@runtime_checkable
class PictureSource(Protocol):
    """Labelled pictures by number, from 0 on; their number may be as large as one likes.

    `str` of it is what messages and the log call it.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its classes."""

    def __len__(self) -> int:
        """How many pictures there are."""

    def picture(self, number: int, size: Size) -> tuple[np.ndarray, Labels]:
        """The pixels (h, w[, c]) uint8 in BGR of a picture, for a network of (height, width), and its objects."""

    def describe(self) -> str:
        """In words, what there is."""

    def fingerprint(self) -> str:
        """A text that is another one where any picture is."""
