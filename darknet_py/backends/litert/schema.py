"""The few tables of TensorFlow Lite's schema that a network of ours has, written as a FlatBuffer.

Decision: no converter. A file is a list of tensors and one of operators, and 150 lines write it exactly; converters
bring PyTorch or TensorFlow along and decide on layouts themselves. The numbers are those of `schema.fbs`, which only
grows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import flatbuffers
import numpy as np

from ...errors import BackendError

VERSION = 3
IDENTIFIER = b"TFL3"
ALIGNMENT = 16  # bytes, of the arrays
LIMIT = 2**31 - 2**20  # bytes of a file

TYPES = {"float32": 0, "float16": 1, "int32": 2, "int8": 9}  # TensorType
SAME, VALID = 0, 1  # Padding
NONE, RELU, RELU6 = 0, 1, 3  # ActivationFunctionType

# BuiltinOperator, and the number of the table of options in the union BuiltinOptions, 0 where there is none.
OPERATORS: Mapping[str, tuple[int, int]] = {
    "ADD": (0, 11), "AVERAGE_POOL_2D": (1, 5), "CONCATENATION": (2, 10), "CONV_2D": (3, 1),
    "DEPTHWISE_CONV_2D": (4, 2), "DEQUANTIZE": (6, 0), "FLOOR": (8, 0), "FULLY_CONNECTED": (9, 8), "LOGISTIC": (14, 0),
    "MAX_POOL_2D": (17, 5), "MUL": (18, 21), "RELU": (19, 0), "RELU6": (21, 0), "RESHAPE": (22, 17),
    "SOFTMAX": (25, 9), "TANH": (28, 0), "PAD": (34, 0), "GATHER": (36, 23), "TRANSPOSE": (39, 0), "MEAN": (40, 27),
    "SUB": (41, 28), "DIV": (42, 29), "STRIDED_SLICE": (45, 32), "EXP": (47, 0), "CAST": (53, 37), "MAXIMUM": (55, 0),
    "MINIMUM": (57, 0), "PADV2": (60, 0), "TRANSPOSE_CONV": (67, 49), "SUM": (74, 27), "SQRT": (75, 0),
    "POW": (78, 0), "REDUCE_MAX": (82, 27), "RESIZE_NEAREST_NEIGHBOR": (97, 74), "LEAKY_RELU": (98, 75),
    "CEIL": (104, 0), "QUANTIZE": (114, 0), "BATCH_MATMUL": (126, 101),
}  # fmt: skip
LAST_OLD = 127  # what is beyond did not fit into the field for the number of an operator that came first

# The version of an operator that a type of its operands came with, where that is not the first.
VERSIONS: Mapping[tuple[str, str], int] = {
    ("CONV_2D", "int8"): 3, ("DEPTHWISE_CONV_2D", "int8"): 3, ("FULLY_CONNECTED", "int8"): 4,
    ("TRANSPOSE_CONV", "float32"): 3, ("TRANSPOSE_CONV", "int8"): 3, ("DEQUANTIZE", "int8"): 2,
    ("DEQUANTIZE", "float16"): 3, ("CAST", "int8"): 1,
    **{(kind, "int8"): 2 for kind in (
        "ADD", "AVERAGE_POOL_2D", "CONCATENATION", "GATHER", "LEAKY_RELU", "LOGISTIC", "MAXIMUM", "MAX_POOL_2D", "MEAN",
        "MINIMUM", "MUL", "PAD", "PADV2", "QUANTIZE", "REDUCE_MAX", "RELU", "RELU6", "RESIZE_NEAREST_NEIGHBOR",
        "SOFTMAX", "STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE",
    )},
}  # fmt: skip


@dataclass(frozen=True)
class Scale:
    """How 8-bit numbers are read: (q - zero) * scale, for each index of `axis` where there are several."""

    scales: tuple[float, ...]
    zeros: tuple[int, ...]
    axis: int = 0


@dataclass(frozen=True)
class StoredTensor:
    """A tensor: its name, shape and type, its numbers if they are constant, and its scale if they are of 8 bits."""

    name: str
    shape: tuple[int, ...]
    type: str = "float32"
    data: np.ndarray | None = None
    scale: Scale | None = None


@dataclass(frozen=True)
class Operator:
    """An operator by name: tensors by number (-1: left out), its version, and options as (slot, kind, number)."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    version: int = 1
    options: tuple[tuple[int, str, float], ...] = ()


@dataclass
class Flatbuffer:
    """What is written: tensors, operators in order, and which tensors go in and come out, by name."""

    tensors: list[StoredTensor] = field(default_factory=list)
    operators: list[Operator] = field(default_factory=list)
    inputs: dict[str, int] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)

    def to_buffer(self, description: str) -> memoryview:
        """The file, where it was written. Raises `BackendError` where it would be beyond 2 GB."""
        size = sum(t.data.nbytes + ALIGNMENT for t in self.tensors if t.data is not None)
        if size > LIMIT:
            raise BackendError(f"a .tflite file holds 2 GB, and the network has {size / 1e9:.1f}")
        b = flatbuffers.Builder(size + 512 * (len(self.tensors) + len(self.operators)) + 4096)
        b.ForceDefaults(True)
        codes = sorted({(op.kind, op.version) for op in self.operators})
        # Buffer 0 is empty, and that of every tensor without numbers.
        buffers = [_table(b)]
        tensors = []
        for tensor in self.tensors:
            if tensor.data is not None:
                buffers.append(_table(b, (0, "UOffsetTRelative", _bytes(b, tensor.data))))
            tensors.append(self._tensor(b, tensor, len(buffers) - 1 if tensor.data is not None else 0))
        operators = [self._operator(b, op, codes.index((op.kind, op.version))) for op in self.operators]
        parts = [
            (slot, "UOffsetTRelative", made)
            for slot, made in (
                (0, _offsets(b, tensors)), (1, _integers(b, self.inputs.values())),
                (2, _integers(b, self.outputs.values())), (3, _offsets(b, operators)),
            )
        ]  # fmt: skip
        graphs = _offsets(b, [_table(b, *parts)])
        model = _table(
            b, (0, "Uint32", VERSION), (1, "UOffsetTRelative", _offsets(b, [_code(b, *code) for code in codes])),
            (2, "UOffsetTRelative", graphs), (3, "UOffsetTRelative", b.CreateString(description)),
            (4, "UOffsetTRelative", _offsets(b, buffers)), (7, "UOffsetTRelative", self._signatures(b)),
        )  # fmt: skip
        b.Finish(model, IDENTIFIER)
        return memoryview(b.Bytes)[b.Head() :]

    def _tensor(self, b: Any, tensor: StoredTensor, buffer: int) -> int:
        fields: list[tuple[int, str, Any]] = [
            (0, "UOffsetTRelative", _integers(b, tensor.shape)), (1, "Int8", TYPES[tensor.type]),
            (2, "Uint32", buffer), (3, "UOffsetTRelative", b.CreateString(tensor.name)), (8, "Bool", True),
        ]  # fmt: skip
        if tensor.scale is not None:
            scales = b.CreateNumpyVector(np.array(tensor.scale.scales, np.float32))
            zeros = b.CreateNumpyVector(np.array(tensor.scale.zeros, np.int64))
            told = _table(
                b, (2, "UOffsetTRelative", scales), (3, "UOffsetTRelative", zeros), (6, "Int32", tensor.scale.axis)
            )
            fields.append((4, "UOffsetTRelative", told))
        return _table(b, *fields)

    def _operator(self, b: Any, op: Operator, code: int) -> int:
        fields: list[tuple[int, str, Any]] = [
            (0, "Uint32", code), (1, "UOffsetTRelative", _integers(b, op.inputs)),
            (2, "UOffsetTRelative", _integers(b, op.outputs)),
        ]  # fmt: skip
        if union := OPERATORS[op.kind][1]:
            fields += [(3, "Uint8", union), (4, "UOffsetTRelative", _table(b, *op.options))]
        return _table(b, *fields)

    def _signatures(self, b: Any) -> int:
        """The names under which programs give and take tensors."""
        maps = []
        for ports in (self.inputs, self.outputs):
            pairs = [(b.CreateString(name), number) for name, number in ports.items()]
            entries = [_table(b, (0, "UOffsetTRelative", name), (1, "Uint32", number)) for name, number in pairs]
            maps.append(_offsets(b, entries))
        key = b.CreateString("serving_default")
        fields = ((0, "UOffsetTRelative", maps[0]), (1, "UOffsetTRelative", maps[1]), (2, "UOffsetTRelative", key))
        return _offsets(b, [_table(b, *fields, (4, "Uint32", 0))])


def _code(b: Any, kind: str, version: int) -> int:
    number = OPERATORS[kind][0]
    return _table(b, (0, "Int8", min(number, LAST_OLD)), (2, "Int32", version), (3, "Int32", number))


def _table(b: Any, *fields: tuple[int, str, Any]) -> int:
    """A table of (slot, kind, value)."""
    b.StartObject(max((slot + 1 for slot, *_ in fields), default=0))
    for slot, kind, value in fields:
        getattr(b, f"Prepend{kind}Slot")(slot, value, 0)
    made: int = b.EndObject()
    return made


def _offsets(b: Any, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    made: int = b.EndVector()
    return made


def _integers(b: Any, numbers: Any) -> int:
    made: int = b.CreateNumpyVector(np.array(list(numbers), np.int32))
    return made


def _bytes(b: Any, array: np.ndarray) -> int:
    """The bytes of an array, where processors like them to begin."""
    data = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    b.StartVector(1, data.size, ALIGNMENT)
    b.head -= data.size
    b.Bytes[b.head : b.head + data.size] = data.data
    made: int = b.EndVector()
    return made
