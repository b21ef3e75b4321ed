"""A graph as a TensorFlow Lite file: one sample, images with their channels last.

Decision: a value is held in up to four ways, as it is in the graph or with channels last, in float or in 8 bits; each
rule says how it wants its operands, and what is missing is made once, by a TRANSPOSE, QUANTIZE or DEQUANTIZE. So a
network of convolutions has no transposition, and what has no rule in 8 bits is computed in float between two others.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...errors import BackendError
from ...ir.graph import Graph, Op, Value
from ...passes import fold_constants
from .schema import NONE, VERSIONS, Flatbuffer, Operator, Scale, StoredTensor

LAST = (1, 2, 0)  # an image's (channels, height, width) with the channels last
MOST_AXES = 5  # beside the batch axis, of what is moved


Rule = Callable[["LiteRTWriter"], None]
Options = Mapping[int, tuple[str, float]]  # of an operator: the kind and the number of each slot of its table
FUSED_NONE: Options = {0: ("Int8", NONE)}  # no activation after the operator
NO_MASKS: Options = dict.fromkeys(range(5), ("Int32", 0))  # of STRIDED_SLICE: all its bounds count


@dataclass(frozen=True)
class Eight:
    """How each value is read in 8 bits, and which operations are computed in float all the same."""

    scales: Mapping[Value, Scale]
    floats: Collection[Op] = ()


class LiteRTWriter:
    """Writes the operators of a graph; `op` is the operation that is being written, `eight` whether in 8 bits.

    `file` is what is written. `left` are the kinds of operations that were to be in 8 bits, and have no rule for that.
    """

    def __init__(
        self, graph: Graph, names: Sequence[str], rules: Mapping[str, Rule], *, half: bool = False,
        eight: Eight | None = None, eight_rules: Mapping[str, Rule] | None = None,
    ) -> None:  # fmt: skip
        self.graph = graph = fold_constants(graph)
        self.file, self.half, self._quantized = Flatbuffer(), half, eight
        self._rules, self._eight_rules = rules, eight_rules or {}
        self.left: set[str] = set()
        self._held: dict[tuple[Value, bool, bool], int] = {}  # by value, whether channels are last, and in 8 bits
        self._numbers: dict[Any, int] = {}
        self._constant = {op.output: op.inputs[0] for op in graph.ops if op.kind == "repeat_batch"}
        self.op, self.eight = graph.ops[0] if graph.ops else Op("none", (), graph.image, {}, 0), False
        for value in graph.inputs:
            number = self._tensor(value.name, self._shape(value, len(value.shape) == 3), self._scale_of(value))
            self._held[value, len(value.shape) == 3, self._scale_of(value) is not None] = number
            self.file.inputs[value.name] = number
        for op in graph.ops:
            if op.kind != "repeat_batch":
                self._write(op)
        for value, name in zip(graph.roots, names, strict=True):
            self.file.outputs[name] = self._output(value)

    # What a rule uses.

    def x(self, index: int = 0, *, last: bool | None = None) -> int:
        """The number of an operand: an image with its channels last, unless said otherwise."""
        value = self.op.inputs[index]
        return self.read(value, len(value.shape) == 3 if last is None else last, eight=self.eight)

    def read(self, value: Value, last: bool, *, eight: bool) -> int:
        """The number of the tensor that holds a value in a way, made now if it is not there."""
        value = self._constant.get(value, value)
        key = value, last, eight
        if key not in self._held:
            self._held[key] = self._constant_of(*key) if value in self.graph.data else self._made(*key)
        return self._held[key]

    def weights(self, index: int, order: Sequence[int] | None = None) -> np.ndarray:
        """The numbers of a constant operand, their axes in another order."""
        value = self.op.inputs[index]
        if value not in self.graph.data:
            raise BackendError(f"LiteRT has no {self.op.kind} by weights that are computed ({self.op.output})")
        array = self.graph.data[value]
        return array if order is None else array.transpose(order)  # in that order in memory only when it is written

    def result(
        self, kind: str, inputs: Sequence[int], *, last: bool | None = None, options: Options | None = None
    ) -> None:  # fmt: skip
        """Write the operator that gives the result of the operation."""
        value = self.op.output
        last = len(value.shape) == 3 if last is None else last
        scale = self._scale_of(value) if self.eight else None
        number = self._tensor(value.name, self._shape(value, last), scale)
        self._emit(kind, inputs, number, options)
        self._held[value, last, self.eight] = number

    def part(
        self, kind: str, inputs: Sequence[int], shape: Sequence[int], like: int | None = None,
        options: Options | None = None,
    ) -> int:  # fmt: skip
        """Write an operator on the way to the result: its number; `shape` is with the batch axis.

        In 8 bits it has the scale of the tensor `like`.
        """
        scale = self.file.tensors[like].scale if like is not None else None
        number = self._tensor(f"{self.op.output.name}.{kind.lower()}", tuple(shape), scale)
        self._emit(kind, inputs, number, options)
        return number

    def counted(self, kind: str, inputs: Sequence[int], shape: Sequence[int], options: Options) -> int:
        """The same of an operator that gives int32."""
        self.file.tensors.append(StoredTensor(f"{self.op.output.name}.{kind.lower()}", tuple(shape), "int32"))
        number = len(self.file.tensors) - 1
        self._emit(kind, inputs, number, options)
        return number

    def result_scale(self) -> Scale:
        """How the result of the operation is read in 8 bits."""
        scale = self._scale_of(self.op.output)
        assert scale is not None, "what is computed in 8 bits has a scale"
        return scale

    def rescaled(self, number: int, scale: Scale) -> int:
        """A tensor of 8 bits in another scale."""
        made = self._tensor(f"{self.file.tensors[number].name}.rescaled", self.shape_of(number), scale)
        self._emit("QUANTIZE", [number], made)
        return made

    def same(self, number: int, *, last: bool) -> None:
        """The result of the operation is a tensor that is there."""
        self._held[self.op.output, last, self.eight] = number

    def integers(self, *numbers: int) -> int:
        """A vector of int32, as shapes and axes are given."""
        return self._stored(("integers", numbers), np.array(numbers, np.int32), "numbers")

    def table(self, rows: Sequence[Sequence[int]]) -> int:
        """A matrix of int32, as paddings are given."""
        key = tuple(map(tuple, rows))
        return self._stored(("table", key), np.array(rows, np.int32), "paddings")

    def scalar(self, number: float, like: int | None = None) -> int:
        """A number, in 8 bits as the tensor `like` is read."""
        scale = self.file.tensors[like].scale if like is not None else None
        if scale is None:
            return self._stored(("scalar", number), np.array([number], np.float32), "number")
        stored = quantized(np.array([number]), scale)
        return self._stored(("scalar", int(stored[0]), scale), stored, "number", scale)

    def array(self, data: np.ndarray, name: str, scale: Scale | None = None) -> int:
        """A constant; weights of float are stored in float16 where that was asked for."""
        self.file.tensors.append(StoredTensor(name, data.shape, str(data.dtype), data, scale))
        number = len(self.file.tensors) - 1
        if not self.half or data.dtype != np.float32 or data.size < SMALL:
            return number
        self.file.tensors[number] = StoredTensor(f"{name}.half", data.shape, "float16", _to_half(data))
        whole = self._tensor(name, data.shape, None)
        self._emit("DEQUANTIZE", [number], whole)
        return whole

    def scale_of(self, number: int) -> Scale:
        """How a tensor of 8 bits is read."""
        scale = self.file.tensors[number].scale
        assert scale is not None, "a tensor of 8 bits has a scale"
        return scale

    def shape_of(self, number: int) -> tuple[int, ...]:
        """The shape of a tensor, with the batch axis."""
        return self.file.tensors[number].shape

    def axis(self, axis: int, *, last: bool) -> int:
        """Where an axis of an operand of the graph is in its tensor."""
        return 1 + (LAST.index(axis) if last else axis)

    def has(self, value: Value, *, last: bool) -> bool:
        """Whether a value is there with its channels last, or as it is in the graph."""
        return any((self._constant.get(value, value), last, eight) in self._held for eight in (False, True))

    # How.

    def _write(self, op: Op) -> None:
        self.op = op
        wanted = self._quantized is not None and op not in self._quantized.floats
        self.eight = wanted and op.kind in self._eight_rules
        if wanted and not self.eight:
            self.left.add(op.kind)
        if op.kind not in self._rules:
            raise BackendError(f"LiteRT has nothing for {op.kind}, which layer {op.layer} needs")
        (self._eight_rules if self.eight else self._rules)[op.kind](self)

    def _scale_of(self, value: Value) -> Scale | None:
        return self._quantized.scales.get(value) if self._quantized else None

    def _shape(self, value: Value, last: bool) -> tuple[int, ...]:
        shape = value.shape
        return (1, *((shape[i] for i in LAST) if last else shape))

    def _tensor(self, name: str, shape: tuple[int, ...], scale: Scale | None) -> int:
        self.file.tensors.append(StoredTensor(name, shape, "int8" if scale else "float32", None, scale))
        return len(self.file.tensors) - 1

    def _emit(self, kind: str, inputs: Sequence[int], output: int, options: Options | None = None) -> None:
        types = [self.file.tensors[i].type for i in inputs[:1] if i >= 0]
        version = max([1, *(VERSIONS.get((kind, t), 1) for t in types)])
        if kind == "CONV_2D" and self.shape_of(inputs[0])[3] != self.shape_of(inputs[1])[3]:
            version = GROUPED
        told = tuple((slot, *value) for slot, value in (options or {}).items())
        self.file.operators.append(Operator(kind, tuple(inputs), (output,), version, told))

    def _stored(self, key: Any, data: np.ndarray, name: str, scale: Scale | None = None) -> int:
        if key not in self._numbers:
            self.file.tensors.append(StoredTensor(name, data.shape, str(data.dtype), data, scale))
            self._numbers[key] = len(self.file.tensors) - 1
        return self._numbers[key]

    def _constant_of(self, value: Value, last: bool, eight: bool) -> int:
        data = self.graph.data[value]
        array = np.ascontiguousarray(data.transpose(LAST) if last else data, np.float32)
        array = array[None] if value.shape else array.reshape(1)
        if not eight:
            return self.array(array, value.name)
        scale = scale_of_range(float(array.min()), float(array.max()))
        return self.array(quantized(array, scale), value.name, scale)

    def _made(self, value: Value, last: bool, eight: bool) -> int:
        """A value in another way than it is there."""
        if (value, last, not eight) in self._held:
            return self._converted(value, self._held[value, last, not eight], eight)
        other = self.read(value, not last, eight=(value, not last, True) in self._held and eight)
        if (value, not last, eight) not in self._held:
            other = self.read(value, not last, eight=eight)
        shape = self._shape(value, last)
        if value.shape[1:] == (1, 1) or value.shape[0] == 1:
            return self._moved("RESHAPE", other, self.integers(*shape), shape, value.name)
        order = (0, 2, 3, 1) if last else (0, 3, 1, 2)
        return self._moved("TRANSPOSE", other, self.integers(*order), shape, value.name)

    def _moved(self, kind: str, number: int, how: int, shape: tuple[int, ...], name: str) -> int:
        moved = self._tensor(f"{name}.moved", shape, self.file.tensors[number].scale)
        self._emit(kind, [number, how], moved)
        return moved

    def _converted(self, value: Value, number: int, eight: bool) -> int:
        tensor = self.file.tensors[number]
        made = self._tensor(f"{value.name}.{'int8' if eight else 'float'}", tensor.shape,
                            self._scale_of(value) if eight else None)  # fmt: skip
        self._emit("QUANTIZE" if eight else "DEQUANTIZE", [number], made)
        return made

    def _output(self, value: Value) -> int:
        """The number of an output: in 8 bits where it is computed so, and a tensor that nothing else is."""
        last = len(value.shape) == 3
        value = self._constant.get(value, value)
        eight = any((value, w, True) in self._held for w in (False, True)) and value not in self.graph.data
        number = self.read(value, last, eight=eight)
        if number in (*self.file.inputs.values(), *self.file.outputs.values()) or value in self.graph.data:
            shape = self.shape_of(number)
            return self._moved("RESHAPE", number, self.integers(*shape), shape, value.name)
        return number


GROUPED = 6  # the version of CONV_2D that has groups
SMALL = 256  # numbers: fewer stay in float32
HALF_MAX = 65504.0  # the largest float16
LOW, HIGH = -128, 127


def _to_half(array: np.ndarray) -> np.ndarray:
    return np.clip(array, -HALF_MAX, HALF_MAX).astype(np.float16)


def scale_of_range(low: float, high: float) -> Scale:
    """The scale of 8 bits for numbers from `low` to `high`, in which 0 is exact.

    >>> scale_of_range(0.0, 1.0).zeros
    (-128,)
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / (HIGH - LOW) or 1.0
    zero = int(np.clip(round(LOW - low / scale), LOW, HIGH))
    return Scale((float(np.float32(scale)),), (zero,))


def quantized(array: np.ndarray, scale: Scale) -> np.ndarray:
    """Numbers in 8 bits."""
    return np.clip(np.rint(array / scale.scales[0]) + scale.zeros[0], LOW, HIGH).astype(np.int8)
