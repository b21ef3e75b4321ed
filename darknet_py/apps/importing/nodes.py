"""A node of an ONNX file as translators see it, with what was computed before it.

Decision: the batch stays out of all shapes, so an axis is that of ONNX less one, and what would move, join or cut
samples is refused here, whatever the node. A file with a symbolic batch is read for one sample.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...ir import Value
from ...ir.builder import Builder


class Refused(Exception):
    """A node that cannot be read, without its name."""


@dataclass(frozen=True, eq=False)
class MishPart:
    """What is nothing by itself and a mish with what follows: softplus of x, and the tanh of that."""

    x: Value
    bounded: bool


Given = Value | np.ndarray | MishPart


@dataclass(frozen=True)
class Node:
    """A node: its kind, attributes, and inputs with their names; an input that is left out is None.

    `b` takes the operations that compute its `outputs`, `opset` is the version of the operators that its file is in,
    `batch` the number of samples.
    """

    kind: str
    at: Mapping[str, Any]
    names: tuple[str, ...]
    inputs: tuple[Given | None, ...]
    outputs: int
    opset: int
    batch: int
    b: Builder

    def has(self, index: int) -> bool:
        """Whether an input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def word(self, key: str, otherwise: str) -> str:
        """An attribute that is a word."""
        return str(self.at.get(key, otherwise.encode()).decode())

    def x(self, index: int = 0) -> Value:
        """An input that depends on the image."""
        value = self.inputs[index]
        if isinstance(value, MishPart):
            raise Refused("it reads a softplus, which Darknet has in a mish only")
        if not isinstance(value, Value):
            raise Refused("it wants what depends on the input where a constant is")
        return value

    def image(self) -> Value:
        """The first input, an image."""
        x = self.x()
        if len(x.shape) != 3:
            raise Refused(f"it reads an array of {('N', *x.shape)}, and Darknet's images have two axes and channels")
        return x

    def constant(self, index: int) -> np.ndarray:
        """An input that is a constant."""
        value = self.inputs[index]
        if not isinstance(value, np.ndarray):
            raise Refused(f"its input {self.names[index]!r} is no constant")
        return value

    def number(self, index: int, otherwise: float) -> float:
        """An input that is one number, and may be left out."""
        if not self.has(index):
            return float(otherwise)
        array = self.constant(index)
        if array.size != 1:
            raise Refused(f"its input {self.names[index]!r} has {array.size} numbers in place of one")
        return float(array.reshape(()))

    def integers(self, index: int, key: str) -> list[int]:
        """Numbers that are an input since some version, and an attribute before; none where they are not given."""
        if key in self.at:
            return [int(n) for n in self.at[key]]
        return [int(n) for n in self.constant(index).ravel()] if self.has(index) else []

    def axis(self, number: int, rank: int, does: str) -> int:
        """An axis of an array with so many axes beside the batch, which it is not; `does` is what would be done."""
        if not -rank <= number + 1 <= rank + 1:
            raise Refused(f"its axis {number} is none of an array of {rank + 1}")
        if number % (rank + 1) == 0:
            raise Refused(f"it {does} samples")
        return number % (rank + 1) - 1

    def operands(self) -> list[Value]:
        """All inputs, of which one depends on the image, with as many axes as that."""
        rank = max((len(v.shape) for v in self.inputs if isinstance(v, Value)), default=0)
        return [self._operand(i, rank) for i in range(len(self.inputs))]

    def _operand(self, index: int, rank: int) -> Value:
        value = self.inputs[index]
        if not isinstance(value, np.ndarray):
            return self.x(index)
        if value.size == 1:
            return self.b.const(value.reshape(()))
        shape = (1,) * (rank + 1 - value.ndim) + value.shape
        if len(shape) != rank + 1 or shape[0] not in (1, self.batch) or _varies(value.reshape(shape)):
            raise Refused(f"a constant of {value.shape} differs from sample to sample")
        return self.b.const(value.reshape(shape)[0])

    def whole(self, x: Value) -> tuple[int, ...]:
        """The shape of x with the batch axis."""
        return (self.batch, *x.shape)

    def shaped(self, x: Value, shape: Sequence[int]) -> Value:
        """x under a shape with the batch axis in front."""
        if not shape or shape[0] != self.batch:
            raise Refused(f"a shape of {tuple(shape)} mixes samples")
        return self.b.reshape(x, *shape[1:])


def _varies(array: np.ndarray) -> bool:
    """Whether an array has not the same numbers for each sample."""
    return len(array) > 1 and not np.array_equal(array, np.broadcast_to(array[:1], array.shape), equal_nan=True)
