"""The graph: values, the operations between them, parameters in file order, and the layers they came from.

Decision: everything is frozen and a pass returns a new graph; identity of values is identity of objects, names are for
people. The graph knows tensors; of Darknet it only carries what errors and reports need (`LayerInfo`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import Span
from .ops import PRIMITIVES, Shape

if TYPE_CHECKING:
    from ..darknet.layers.layer import Layer


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
    """One application of a primitive, and the index of the layer it was lowered from."""

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
    """A parameter: the value that holds it and how the weights file stores it.

    Arrays are stored in the order of `value.shape`, or, if `transposed`, as the transpose of the matrix that has the
    first axis as its rows (`flipped` convolutions). `transposable` marks the matrices that a header with major or
    minor > 1000 stores that way (parser.c load_connected_weights).
    """

    value: Value
    layer: int
    role: str
    transposed: bool = False
    transposable: bool = False

    @property
    def size(self) -> int:
        """Number of floats."""
        return int(np.prod(self.value.shape, dtype=np.int64))


@dataclass(frozen=True, eq=False)
class State:
    """Memory of a recurrent layer: what goes in, what comes out for the next step; it starts as zeros."""

    input: Value
    output: Value


@dataclass(frozen=True, eq=False)
class LayerInfo:
    """A Darknet layer after lowering: its number, section, options, place in the text, inputs and output."""

    index: int
    section: str
    layer: Layer
    span: Span
    inputs: tuple[int, ...]
    output: Value

    @property
    def name(self) -> str:
        """`17_shortcut`: the name by which errors, ONNX nodes and reports call it."""
        return f"{self.index}_{self.section}"


@dataclass(frozen=True, eq=False)
class Graph:
    """A whole network.

    `data` holds the arrays of constants, and of parameters once weights are loaded. `heads` are the indices of layers
    whose outputs are decoded. `outputs` are what an executor returns; `with_outputs` chooses others.
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

    def layer_output(self, index: int) -> Value:
        """The output of layer `index`, as Darknet numbers layers."""
        return self.layers[index].output

    def with_outputs(self, outputs: Iterable[Value]) -> Graph:
        """The same network returning other values, without the operations that these do not need."""
        wanted = tuple(outputs)
        live: set[Value] = {*wanted, *(s.output for s in self.states)}
        kept = []
        for op in reversed(self.ops):
            if op.output in live:
                kept.append(op)
                live.update(op.inputs)
        return replace(self, ops=tuple(reversed(kept)), outputs=wanted)

    def with_data(self, data: Mapping[Value, np.ndarray]) -> Graph:
        """The same network with more arrays."""
        return replace(self, data={**self.data, **data})

    def readers(self) -> dict[Value, list[Op]]:
        """Which operations read each value."""
        found: dict[Value, list[Op]] = {}
        for op in self.ops:
            for value in op.inputs:
                found.setdefault(value, []).append(op)
        return found
