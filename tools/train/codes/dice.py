"""The random choices of one picture, from one seed.

Decision: only `Generator.random()` decides anything, as in the trainer, because its numbers are the same in every
version of NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


class Dice:
    """Random choices. Two with the same numbers roll the same, in any process.

    >>> Dice(1, 7).below(100) == Dice(1, 7).below(100)
    True
    """

    def __init__(self, *place: int) -> None:
        self._numbers = np.random.Generator(np.random.PCG64(np.random.SeedSequence(place)))

    def yes(self, chance: float) -> bool:
        """True with that chance."""
        return self._numbers.random() < chance

    def between(self, low: float, high: float) -> float:
        """A number of an interval."""
        return low + (high - low) * self._numbers.random()

    def ratio(self, low: float, high: float) -> float:
        """A number of an interval, as likely in each of its octaves."""
        return math.exp(self.between(math.log(low), math.log(high)))

    def around(self, middle: float, spread: float) -> float:
        """A number within `spread` of the middle, which is likeliest."""
        return middle + spread * (self._numbers.random() + self._numbers.random() - 1)

    def below(self, count: int) -> int:
        """A whole number from 0 on."""
        return int(self._numbers.random() * count)

    def whole(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return low + self.below(high - low + 1)

    def of(self, things: Sequence[T]) -> T:
        """One of some things."""
        return things[self.below(len(things))]

    def weighted(self, things: Sequence[tuple[float, T]]) -> T:
        """One of some things, each with its weight."""
        left = self._numbers.random() * sum(weight for weight, _ in things)
        for weight, thing in things:
            left -= weight
            if left < 0:
                return thing
        return things[-1][1]

    def text(self, letters: str, length: int) -> str:
        """Letters by chance."""
        return "".join(letters[i] for i in (self._numbers.random(length) * len(letters)).astype(int))

    def array(self, *shape: int) -> np.ndarray:
        """Numbers from 0 to 1, float32."""
        return self._numbers.random(shape, dtype=np.float32)

    def colour(self, low: float = 0, high: float = 255) -> np.ndarray:
        """Blue, green and red, float32 (3,)."""
        return low + (high - low) * self.array(3)
