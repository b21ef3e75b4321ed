"""The builder: what a layer may say while it is lowered."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .graph import Graph, Layout, Op, Param, State, Value
from .ops import PRIMITIVES, Shape

Operand = Value | float


class Builder:
    """Appends operations, parameters, constants and states, named after the layer that is being lowered."""

    def __init__(self) -> None:
        self.ops: list[Op] = []
        self.params: list[Param] = []
        self.states: list[State] = []
        self.data: dict[Value, np.ndarray] = {}
        self.index = -1
        self._scope = "net"
        self._params_of: dict[int, dict[str, Value]] = {}
        self._taken: dict[str, int] = {}

    def enter(self, index: int, section: str) -> None:
        """Begin layer `index`."""
        self.index, self._scope = index, f"{index}_{section}"

    def input(self, name: str, shape: Shape) -> Value:
        """A value that comes from outside, under its own name."""
        return Value(name, shape)

    def op(self, kind: str, *inputs: Operand, **attrs: Any) -> Value:
        """Apply a primitive; numbers become constants, and attributes that are not given have their defaults.

        Raises `ShapeError` where the operands do not fit.
        """
        values = [v if isinstance(v, Value) else self.const(v) for v in inputs]
        shape = PRIMITIVES[kind].shape(*(v.shape for v in values), **attrs)
        output = Value(self._name(kind), shape, any(v.batched for v in values))
        return self.compute(output, kind, *values, **attrs)

    def compute(self, output: Value, kind: str, *inputs: Value, **attrs: Any) -> Value:
        """The same where the value that is computed exists: what a pass puts in the place of an operation."""
        attrs = {**PRIMITIVES[kind].defaults, **attrs}
        self.ops.append(Op(kind, inputs, output, attrs, self.index))
        return output

    def param(self, role: str, shape: Shape, layout: Layout = "rows") -> Value:
        """The next parameter in the weights file."""
        value = Value(self._name(role), shape, batched=False)
        self.params.append(Param(value, self.index, role, layout))
        self._params_of.setdefault(self.index, {})[role] = value
        return value

    def const(self, array: ArrayLike) -> Value:
        """A float32 constant."""
        data = np.asarray(array, np.float32)
        value = Value(self._name("const"), data.shape, batched=False)
        self.data[value] = data
        return value

    def state(self, shape: Shape) -> Value:
        """Memory that starts as zeros; `keep` says what it becomes."""
        return Value(self._name("state"), shape)

    def keep(self, state: Value, becomes: Value) -> None:
        """At the next step, `state` is what `becomes` is now."""
        self.states.append(State(state, becomes))

    def params_of(self, index: int) -> dict[str, Value]:
        """The parameters of an earlier layer by role, for sharing."""
        return self._params_of.get(index, {})

    def graph(self, image: Value, *outputs: Value) -> Graph:
        """What has been built on an image, without layers: for passes to be shown and tested on."""
        return Graph(image, tuple(self.ops), tuple(self.params), (), outputs, (), tuple(self.states), self.data)

    # The operations that lowerings use most, by their own names.

    def add(self, a: Operand, b: Operand) -> Value:
        """a + b."""
        return self.op("add", a, b)

    def sub(self, a: Operand, b: Operand) -> Value:
        """a - b."""
        return self.op("sub", a, b)

    def mul(self, a: Operand, b: Operand) -> Value:
        """a * b."""
        return self.op("mul", a, b)

    def reshape(self, x: Value, *shape: int) -> Value:
        """The elements of x under another shape; x itself if that is its shape."""
        return x if x.shape == shape else self.op("reshape", x, shape=shape)

    def flatten(self, x: Value) -> Value:
        """x as a vector."""
        return self.reshape(x, math.prod(x.shape))

    def slice(self, x: Value, axis: int, start: int, stop: int, step: int = 1) -> Value:
        """Part of one axis; x itself if that is all of it."""
        if (start, stop, step) == (0, x.shape[axis], 1):
            return x
        return self.op("slice", x, axes=(axis,), starts=(start,), stops=(stop,), steps=(step,))

    def concat(self, values: list[Value], axis: int = 0) -> Value:
        """Values one after another; constants among batched values are repeated for each sample."""
        if len(values) == 1:
            return values[0]
        like = next((v for v in values if v.batched), None)
        if like is not None:
            values = [v if v.batched else self.op("repeat_batch", v, like) for v in values]
        return self.op("concat", *values, axis=axis)

    def _name(self, what: str) -> str:
        base = f"{self._scope}.{what}"
        count = self._taken[base] = self._taken.get(base, 0) + 1
        return base if count == 1 else f"{base}_{count}"
