"""[softmax]: over all numbers, over equal groups of them, over the groups of a class tree, or over channels."""

from __future__ import annotations

import math
from itertools import accumulate

from ...errors import Code
from ...ir.graph import Value
from ..cfg.options import opt
from .heads.tree import find_tree
from .layer import Layer, LayerError, image, layer
from .lowering import Lowering
from .training import train


@layer
class Softmax(Layer):
    """exp(x / temperature) divided by its sum; the result is a vector."""

    sections = ("softmax", "soft")

    groups: int = opt(1, "that many equal parts, each with its own softmax", low=1)
    temperature: float = opt(1.0, "divisor of the input; larger is softer")
    tree: str | None = opt(None, "file of a class hierarchy: one softmax for the children of each node")
    spatial: int = opt(0, "over the channels of each pixel, without temperature")
    noloss: int = train(0, "1: no loss is computed here")

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x, count = inputs[0], math.prod(inputs[0].shape)
        if not self.temperature:
            raise LayerError(Code.OUT_OF_RANGE, "the input cannot be divided by a temperature of 0", "temperature")
        tree = find_tree(b, self.tree, count) if self.tree else None
        if tree is not None:
            return softmax_by_groups(b, self._cooled(b, b.flatten(x)), tree.groups)
        if self.spatial:
            # softmax_layer.c: only the GPU code looks at this option; the CPU takes the softmax of everything.
            image(x)
            return b.flatten(b.op("softmax", x, axis=0))
        if count % self.groups:
            raise LayerError(Code.BAD_SHAPE, f"{self.groups} groups do not divide {count} numbers evenly", "groups")
        parts = self._cooled(b, b.reshape(x, self.groups, count // self.groups))
        return b.flatten(b.op("softmax", parts, axis=1))

    def _cooled(self, b: Lowering, x: Value) -> Value:
        return x if self.temperature == 1 else b.op("div", x, self.temperature)


def softmax_by_groups(b: Lowering, x: Value, groups: tuple[int, ...], axis: int = 0) -> Value:
    """A softmax for each of the groups that follow one another along an axis."""
    ends = list(accumulate(groups))
    parts = [b.slice(x, axis, end - size, end) for size, end in zip(groups, ends, strict=True)]
    return b.concat([b.op("softmax", part, axis=axis) for part in parts], axis)
