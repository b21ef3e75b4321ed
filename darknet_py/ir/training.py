"""What training computes differently from inference, as plain data about the values of a graph.

Decision: an executor that trains follows these rules in training mode and nowhere else, and needs to know neither why
nor from which layers they come. A rule belongs to a value and says what becomes of it, or of its gradient, right after
it is computed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from .graph import Graph, Value

# Gradients that are known by the name of a function, from what comes back (g), the result (y) and the source (x):
# "share" g y, "positive share" the same and g where y is 0, "softmax share" g y (1 - y), and the true derivatives of
# functions whose kinks matter.
Slope = Literal["share", "positive share", "softmax share", "hard_mish", "plse", "lhtan", "stair"]


@dataclass(frozen=True)
class Dropout:
    """Each number is 0 with this probability, and the others are divided by what is kept.

    With a `block`, (height, width) in numbers, whole rectangles are 0. Probability and rectangles then grow from
    nothing until the iteration `ramp`.
    """

    probability: float
    block: tuple[float, float] | None = None
    ramp: float = 0.0


@dataclass(frozen=True)
class ClipGradient:
    """The gradient of the value, summed over all that read it, is kept between minus and plus `limit`.

    With `finite`, what is infinite or no number is 0.
    """

    limit: float
    finite: bool = False


@dataclass(frozen=True)
class ScaleGradient:
    """The gradient of the value is multiplied."""

    factor: float


@dataclass(frozen=True)
class StopGradient:
    """No gradient goes back through the value before the iteration `until`."""

    until: float = math.inf


@dataclass(frozen=True)
class Chained:
    """The gradient goes to `source` by a formula, and past the operations in between."""

    source: Value
    slope: Slope


Rule: TypeAlias = Dropout | ClipGradient | ScaleGradient | StopGradient | Chained


@dataclass(frozen=True, eq=False)
class Training:
    """A graph to train, and what is different in training: `rules` by value, one after another.

    Layers before `frozen` normalize with their stored statistics, and leave those as they are. Batch normalization of
    the others is (x - mean) / sqrt(variance + `epsilon`), and `momentum` the share of a batch in what is stored.
    """

    graph: Graph
    rules: Mapping[Value, tuple[Rule, ...]] = field(default_factory=dict)
    frozen: int = 0
    epsilon: float = 1e-5
    momentum: float = 0.01

    def source(self, value: Value) -> Value | None:
        """Where the gradient of a value goes, if not to what it was computed from."""
        return next((rule.source for rule in self.rules.get(value, ()) if isinstance(rule, Chained)), None)
