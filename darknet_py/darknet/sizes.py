"""Which input sizes a network takes: the pitch of its layers, and the multiples of it around a size that does not fit.

Decision: a size is suggested only after the network was lowered at it, so that what is said to fit does.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING

from ..ir import Graph
from .layers.layer import layer_of

if TYPE_CHECKING:
    from .layers.net import Net

Pitch = tuple[Fraction, Fraction]  # pixels of the image from one number to the next, (down, across)

RULE = 32  # detector.c: "must be divisible by 32 for default networks Yolo v1/v2/v3"
MAX_PITCH = 4096  # pixels: a network that wants multiples of more wants one size


@dataclass(frozen=True)
class Multiples:
    """What height and width have to be multiples of, and whether they are."""

    height: int
    width: int
    down: int
    across: int

    @property
    def fits(self) -> bool:
        """Whether both are."""
        return not (self.height % self.down or self.width % self.across)

    @property
    def as_darknet(self) -> Multiples:
        """The same with nothing wanted beyond what Darknet wants: networks with a larger stride were trained so."""
        return replace(self, down=gcd(self.down, RULE), across=gcd(self.across, RULE))

    @property
    def complaint(self) -> str:
        """What is no multiple of what, in words."""
        what = "the stride of the deepest layer"
        if self.height == self.width and self.down == self.across:
            return f"{self.width} is not a multiple of {self.across}, {what}"
        wrong = [
            f"{name} {length} is not a multiple of {step}"
            for name, length, step in (("width", self.width, self.across), ("height", self.height, self.down))
            if length % step
        ]
        return f"{' and '.join(wrong)}, {what}"

    def around(self) -> tuple[tuple[int, int], ...]:
        """The nearest (height, width) below and above that are multiples."""
        lengths = ((self.height, self.down), (self.width, self.across))
        below, above = (tuple(n if n % s == 0 else (n // s + more) * s for n, s in lengths) for more in (0, 1))
        return tuple((h, w) for h, w in (below, above) if h and w)


def multiples(graph: Graph, net: Net) -> Multiples | None:
    """What the size of [net] has to be multiples of for all layers to meet; None where nothing can be said."""
    if len(net.shape) != 3:
        return None
    pitches = layer_pitches(graph)
    steps = [[p[axis] for p in pitches.values() if p[axis].denominator == 1] for axis in (0, 1)]
    down, across = (lcm(*{int(s) for s in column}) if column else 1 for column in steps)
    if max(down, across) > MAX_PITCH:
        return None
    return Multiples(net.height, net.width, down, across)


def layer_pitches(graph: Graph) -> dict[int, Pitch]:
    """The pitch of each layer that is an image, by its number; a vector has none.

    It is what strides make it, however few pixels are left: at 31x31 a layer of one pixel has a pitch of 32 too.
    """
    found: dict[int, Pitch] = {-1: (Fraction(1), Fraction(1))}
    for info in graph.layers:
        shape = info.output.shape
        before = found.get(info.inputs[0]) if info.inputs else None
        if before is None or len(shape) != 3:
            continue
        down, across = layer_of(info).pitch
        found[info.index] = (before[0] * down, before[1] * across)
    return {index: pitch for index, pitch in found.items() if index >= 0}


def size_text(height: int, width: int) -> str:
    """A size as `--size` takes it.

    >>> size_text(416, 416), size_text(352, 608)
    ('416', '608x352')
    """
    return str(width) if height == width else f"{width}x{height}"
