"""The size of the network at each iteration: with `random=` in the last head it changes every 10 iterations.

Decision: a pure function of the seed and the iteration, so that a run that goes on has the sizes that it would have
had. Darknet begins its tens anew with each start of the program; here they are those of the whole training.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ....darknet.layers.layer import Layer
from ....darknet.layers.net import Net
from ....darknet.layers.training import BoxTraining
from .chance import SIZES, chances

PERIOD = 10  # iterations of one size
FINAL = 100  # iterations at the end that have the largest size, in which statistics settle
USUAL = 1.4  # random=1 means up to this factor
LOOKED = 1000  # factors that are looked at, to know all sizes: sides are multiples of 32
SHARE = 0.8  # of a larger batch, if that is still more than the cfg's (detector.c: dynamic_minibatch)


@dataclass(frozen=True)
class NetSize:
    """The input of the network in one iteration, and how many pictures a mini batch has."""

    height: int
    width: int
    batch: int

    @property
    def size(self) -> tuple[int, int]:
        """(height, width)."""
        return self.height, self.width


@dataclass(frozen=True)
class Sizes:
    """All sizes of a training of a network of `height` and `width` with mini batches of `batch` pictures.

    `random` is the last head's option, `iterations` max_batches of [net]. `grows` are pairs of an iteration and the
    side from then on, in the place of all that; not Darknet's.
    """

    height: int
    width: int
    batch: int
    random: float = 0.0
    step: float = 32.0
    iterations: int = 0
    dynamic: bool = False
    seed: int = 0
    grows: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(
        cls, net: Net, head: Layer, *, seed: int, batch: int, grows: tuple[tuple[int, int], ...] = ()
    ) -> Sizes:  # fmt: skip
        """The sizes that the options of [net] and of the last head mean."""
        random = head.random if isinstance(head, BoxTraining) else 0.0
        return cls(
            net.height, net.width, batch, random, net.resize_step, net.max_batches, bool(net.dynamic_minibatch), seed,
            grows,
        )  # fmt: skip

    def at(self, iteration: int) -> NetSize:
        """The size of an iteration, which counts from 0: of those that were finished before it (detector.c:200).

        >>> [Sizes(416, 416, 4, random=1, iterations=500).at(i).size for i in (0, 9, 490)]
        [(608, 608), (608, 608), (608, 608)]
        >>> Sizes(416, 416, 4, grows=((0, 224), (100, 416))).at(100)
        NetSize(height=416, width=416, batch=4)
        """
        if self.grows:
            side = [side for first, side in self.grows if first <= iteration][-1]
            return NetSize(side, side, self.batch)
        if not self.random:
            return NetSize(self.height, self.width, self.batch)
        begin = iteration // PERIOD * PERIOD
        factor = USUAL if self.random == 1 else self.random
        largest = self.scaled(factor)
        if begin == 0 or begin > self.iterations - FINAL:
            height, width = largest
        else:
            height, width = self.scaled(random_scale(chances(self.seed, SIZES, begin), factor))
        return NetSize(height, width, self._pictures(height * width, largest[0] * largest[1]))

    def largest(self) -> tuple[int, int]:
        """The largest (height, width) of all, which is the one that needs most memory."""
        if self.grows:
            return (max(side for _, side in self.grows),) * 2
        return self.scaled(USUAL if self.random == 1 else self.random) if self.random else (self.height, self.width)

    def all(self) -> list[tuple[int, int]]:
        """Every (height, width) that there may be, from the smallest on.

        >>> Sizes(64, 64, 4, random=1).all()
        [(64, 64), (96, 96), (128, 128)]
        """
        if self.grows:
            return sorted({(side, side) for _, side in self.grows})
        if not self.random:
            return [(self.height, self.width)]
        most = USUAL if self.random == 1 else self.random
        return sorted({self.scaled(float(factor)) for factor in np.linspace(1 / most, most, LOOKED)})

    def scaled(self, factor: float) -> tuple[int, int]:
        """The (height, width) of a factor; below 1 it is never more than the cfg's."""
        height, width = (resized_side(side, factor, self.step) for side in (self.height, self.width))
        if factor < 1 and (height > self.height or width > self.width):
            return self.height, self.width
        return max(height, int(self.step)), max(width, int(self.step))

    def _pictures(self, area: int, largest: int) -> int:
        if not self.dynamic:
            return self.batch
        more = self.batch * largest // area
        less = int(more * SHARE)
        return less if less > self.batch else more


def resized_side(side: int, factor: float, step: float) -> int:
    """A side times a factor as a multiple of `step`, one more than the nearest (detector.c:208: the 1 is added inside).

    >>> resized_side(416, 1.0, 32), resized_side(416, 1.4, 32)
    (448, 608)
    """
    exact = np.float32(factor) * np.float32(side) / np.float32(step) + np.float32(1)
    return int(np.floor(exact + 0.5)) * int(step)


def random_scale(chance: np.random.Generator, factor: float) -> float:
    """A number from 1 to `factor`, or one over such a number (utils.c rand_scale).

    >>> 1 / 1.5 <= random_scale(chances(1), 1.5) <= 1.5
    True
    """
    how_far, inverse = map(float, chance.random(2))
    scale = 1 + how_far * (factor - 1)
    return scale if inverse < 0.5 else 1 / scale
