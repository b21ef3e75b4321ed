"""The graph: values, the operations between them, parameters in file order, and the layers they came from.

Decision: everything is frozen and a pass returns a new graph; identity of values is identity of objects, names are for
people, and nothing is read out of one. The graph knows tensors; of layers it only carries what errors and reports need.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from ..errors import Span
from .ops import PRIMITIVES, Shape

Layout = Literal["rows", "columns", "either"]


@dataclass(frozen=True, eq=False)
class Value:
    """A tensor: its name, its shape without the batch axis, and whether it has one."""

    name: str
    shape: Shape
    batched: bool = True

    def __repr__(self) -> str:
        return f"%{self.name}:{'x'.join(map(str, self.shape)) or 'scalar'}"


@dataclass(frozen=True, eq=False)
class Op:
    """One application of a primitive, with all of its attributes, and the number of the layer it was lowered from."""

    kind: str
    inputs: tuple[Value, ...]
    output: Value
    attrs: Mapping[str, Any]
    layer: int

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one sample."""
        shapes = (v.shape for v in self.inputs)
        return PRIMITIVES[self.kind].macs(self.output.shape, *shapes, **self.attrs)

    def __repr__(self) -> str:
        attrs = "".join(f", {k}={v}" for k, v in self.attrs.items())
        return f"{self.output} = {self.kind}({', '.join(f'%{v.name}' for v in self.inputs)}{attrs})"


@dataclass(frozen=True, eq=False)
class Param:
    """A parameter: the value that holds it and how a file stores it.

    `layout` is of the matrix that has the first axis as its rows: stored row by row, which is the order of
    `value.shape`, column by column, or either way, as the file says.
    """

    value: Value
    layer: int
    role: str
    layout: Layout = "rows"

    @property
    def size(self) -> int:
        """Number of floats."""
        return math.prod(self.value.shape)


@dataclass(frozen=True, eq=False)
class State:
    """Memory of a recurrent layer: what goes in, what comes out for the next step; it starts as zeros."""

    input: Value
    output: Value


@dataclass(frozen=True, eq=False)
class LayerInfo:
    """A layer after lowering: its number, section, options, place in the text, inputs and output.

    `layer` is what the front end lowered, and only the front end's to open; of `inputs`, -1 is the image.
    """

    index: int
    section: str
    layer: object
    span: Span
    inputs: tuple[int, ...]
    output: Value

    @property
    def name(self) -> str:
        """`17_shortcut`: the name by which errors, ONNX nodes and reports call it."""
        return f"{self.index}_{self.section}"


@dataclass(frozen=True, eq=False)
class Graph:
    """A whole network, or the part of it that could be built.

    `data` holds the arrays of constants, and of parameters once weights are loaded. `layers` may lack some numbers.
    `heads` are the numbers of layers whose outputs are decoded. `outputs` are what an executor returns; `with_outputs`
    chooses others.
    """

    image: Value
    ops: tuple[Op, ...]
    params: tuple[Param, ...]
    layers: tuple[LayerInfo, ...]
    outputs: tuple[Value, ...]
    heads: tuple[int, ...] = ()
    states: tuple[State, ...] = ()
    data: Mapping[Value, np.ndarray] = field(default_factory=dict)

    @property
    def inputs(self) -> tuple[Value, ...]:
        """The image, then the state of each recurrent layer."""
        return (self.image, *(s.input for s in self.states))

    @property
    def roots(self) -> tuple[Value, ...]:
        """What has to be computed, whoever else reads it: the outputs, then what each state becomes."""
        return (*self.outputs, *(s.output for s in self.states))

    @cached_property
    def _by_number(self) -> dict[int, LayerInfo]:
        return {info.index: info for info in self.layers}

    def layer(self, index: int) -> LayerInfo:
        """The layer of that number; `IndexError` if there is none, or if it could not be built."""
        if index not in self._by_number:
            raise IndexError(f"the graph has no layer {index}")
        return self._by_number[index]

    def layer_output(self, index: int) -> Value:
        """The output of the layer of that number; `IndexError` as `layer`."""
        return self.layer(index).output

    def layer_inputs(self, info: LayerInfo) -> tuple[Value, ...]:
        """What a layer reads: the image, and outputs of layers."""
        return tuple(self.image if i < 0 else self.layer_output(i) for i in info.inputs)

    def with_outputs(self, outputs: Iterable[Value]) -> Graph:
        """The same network returning other values, without the operations that these do not need."""
        wanted = tuple(outputs)
        whole = replace(self, outputs=wanted)
        live = {*whole.roots}
        kept = []
        for op in reversed(self.ops):
            if op.output in live:
                kept.append(op)
                live.update(op.inputs)
        return replace(whole, ops=tuple(reversed(kept)))

    def with_data(self, data: Mapping[Value, np.ndarray]) -> Graph:
        """The same network with more arrays."""
        return replace(self, data={**self.data, **data})

    # Computed anew at each call: ask once, then look up.

    def producers(self) -> dict[Value, Op]:
        """The operation that computes each value."""
        return {op.output: op for op in self.ops}

    def readers(self) -> dict[Value, list[Op]]:
        """The operations that read each value, one twice that reads it twice."""
        return readers(self.ops)

    def sole_readers(self) -> dict[Value, Op]:
        """For each value that is read once and is no root, the operation that reads it."""
        return sole_readers(self.ops, self.roots)


def readers(ops: Iterable[Op]) -> dict[Value, list[Op]]:
    """`Graph.readers` of some operations."""
    found: dict[Value, list[Op]] = {}
    for op in ops:
        for value in op.inputs:
            found.setdefault(value, []).append(op)
    return found


def sole_readers(ops: Iterable[Op], roots: Iterable[Value]) -> dict[Value, Op]:
    """`Graph.sole_readers` of some operations, with what others want of them."""
    wanted = {*roots}
    return {v: found[0] for v, found in readers(ops).items() if len(found) == 1 and v not in wanted}
