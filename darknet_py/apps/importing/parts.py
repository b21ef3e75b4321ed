"""Parts of a network: what computes a value, as one section of a cfg says it, and what those who look for parts ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ...errors import DataError
from ...ir import Op, Value
from .matching import Matcher, lowered
from .reader import ReadNetwork


@dataclass(frozen=True, eq=False)
class Part:
    """What computes a value: the section, what it reads, its options in the order of a cfg, and arrays by role.

    `main` is what has to be the layer before; `others` are named by the option `key`.
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
    """A network in which parts are looked for, and its operations."""

    network: ReadNetwork
    m: Matcher

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
        if pattern is None or self.m.source(pattern, value) is not source:
            return None
        return Part(section, value, source, options)


def in_cfg(value: float | np.ndarray) -> str:
    """A number as a cfg has it; of an array the first."""
    return f"{float(np.ravel(value)[0]):.9g}"
