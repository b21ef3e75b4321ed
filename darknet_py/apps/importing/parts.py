"""Parts of a network: what computes a value, as one section of a cfg says it, and what those who look for parts ask."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...errors import DataError
from ...ir import Op, State, Value
from ...ir.ops import Shape
from .matching import Matcher, lowered
from .reader import ReadNetwork
from .trees import Trees


@dataclass(frozen=True, eq=False)
class Part:
    """What computes a value: the section, what it reads, its options in the order of a cfg, and arrays by role.

    `main` is what has to be the layer before; `others` are named by the option `key`. `states` are what it remembers.
    """

    section: str
    value: Value
    main: Value
    options: Mapping[str, str] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    others: tuple[Value, ...] = ()
    key: str = ""
    before: str = ""  # the activation that the layer before has to end in
    head: bool = False
    states: tuple[State, ...] = ()

    @property
    def reads(self) -> tuple[Value, ...]:
        """All that it reads, each once."""
        return tuple(dict.fromkeys((self.main, *self.others)))


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of a network in the order of their nodes; `renamed` are values that are others in another shape."""

    parts: tuple[Part, ...]
    renamed: Mapping[Value, Value]

    def base(self, value: Value) -> Value:
        """The value that a part computes, which this one is in another shape."""
        while value in self.renamed:
            value = self.renamed[value]
        return value


@dataclass(frozen=True, eq=False)
class Finder:
    """A network in which parts are looked for, its operations, and its class trees."""

    network: ReadNetwork
    m: Matcher
    trees: Trees

    def refuse(self, op: Op, why: str) -> DataError:
        """The error of an operation that no section computes."""
        return self.network.refusal(op.layer, why)

    def needed(self, op: Op, index: int) -> np.ndarray:
        """The numbers of an operand that has to be a constant."""
        array = self.m.constant(op.inputs[index])
        if array is None:
            raise self.refuse(op, "its weights are no constant")
        return array

    def lowered(self, section: str, options: Mapping[str, str], source: Value, value: Value) -> Part | None:
        """The part that a section is, if it computes the value of the source."""
        pattern = lowered(section, options, source.shape)
        bound = self.m.bind(pattern, value) if pattern is not None else None
        if pattern is None or bound is None or bound.source is not source:
            return None
        found = {p.role: (p.value.shape, bound.arrays[p.value]) for p in pattern.params if p.value in bound.arrays}
        if any(math.prod(shape) != array.size for shape, array in found.values()):
            return None
        arrays = {role: array.reshape(shape) for role, (shape, array) in found.items()}
        return Part(section, value, source, options, arrays, states=bound.states)

    def fitted(self, section: str, options: Mapping[str, str], shape: Shape, value: Value) -> Part | None:
        """The same where the source is not known: `shape` is one that it may have, and what a section can stand on."""
        pattern = lowered(section, options, shape)
        source = self.m.source(pattern, value) if pattern is not None else None
        return None if source is None else self.lowered(section, options, source, value)


def in_cfg(value: float | np.ndarray) -> str:
    """A number as a cfg has it; of an array the first."""
    return f"{float(np.ravel(value)[0]):.9g}"
