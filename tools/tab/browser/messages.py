"""What the emitter uses of the package `onnx`, for where that cannot be had: messages that become the bytes of a file.

Decision: a stand-in under the same names, and the emitter stays one. Messages are described by a table of onnx.proto's
fields and written in the order of their numbers, so a file has the bytes that protobuf would give it
(tests/web/test_tab.py compares them); nothing is read, and nothing is checked.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

VARINT, LENGTH, FIXED32 = 0, 2, 5  # wire types

# Of each message its fields: number, type, and whether there are several.
Field = tuple[int, Any, bool]


class Message:
    """A message of protobuf: what is not set is not written, messages in it are made when they are first looked at."""

    FIELDS: Mapping[str, Field] = {}

    def __init__(self, **values: Any) -> None:
        for name, value in values.items():
            setattr(self, name, list(value) if self.FIELDS[name][2] else value)

    def __getattr__(self, name: str) -> Any:
        try:
            _, kind, several = self.FIELDS[name]
        except KeyError:
            raise AttributeError(name) from None
        made = Repeated(kind) if several else kind() if issubclass(kind, Message) else None
        if made is None:
            return kind()
        setattr(self, name, made)
        return made

    def __setattr__(self, name: str, value: Any) -> None:
        _, kind, several = self.FIELDS[name]
        super().__setattr__(name, Repeated(kind, value) if several and not isinstance(value, Repeated) else value)

    def CopyFrom(self, other: Message) -> None:  # noqa: N802 - protobuf's name
        """Become what another message is; its parts are shared, and none is changed in place."""
        self.__dict__.clear()
        for name, value in other.__dict__.items():
            self.__dict__[name] = Repeated(value.kind, value) if isinstance(value, Repeated) else value

    def ClearField(self, name: str) -> None:  # noqa: N802 - protobuf's name
        """Forget a field."""
        self.__dict__.pop(name, None)

    def SerializeToString(self) -> bytes:  # noqa: N802 - protobuf's name
        """The bytes of the message."""
        return b"".join(self._encoded())

    def ByteSize(self) -> int:  # noqa: N802 - protobuf's name
        """How many bytes that are."""
        return len(self.SerializeToString())

    def _encoded(self) -> Iterator[bytes]:
        for name, (number, kind, several) in sorted(self.FIELDS.items(), key=lambda field: field[1][0]):
            if name in self.__dict__:
                value = self.__dict__[name]
                yield from (_encode(number, kind, one) for one in (value if several else (value,)))


class Repeated(list[Any]):
    """The values of a field that has several."""

    def __init__(self, kind: type, values: Iterable[Any] = ()) -> None:
        super().__init__(values)
        self.kind = kind

    def add(self, **values: Any) -> Any:
        """A new message at the end."""
        self.append(self.kind(**values))
        return self[-1]


def _encode(number: int, kind: type, value: Any) -> bytes:
    if kind is int:
        return _varint(number << 3 | VARINT) + _varint(int(value) & 0xFFFFFFFFFFFFFFFF)  # negative ones as 64 bits
    if kind is float:
        return _varint(number << 3 | FIXED32) + struct.pack("<f", value)
    data = value.SerializeToString() if issubclass(kind, Message) else value.encode() if kind is str else bytes(value)
    return _varint(number << 3 | LENGTH) + _varint(len(data)) + data


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


class StringStringEntryProto(Message):
    """A key and a value."""

    FIELDS = {"key": (1, str, False), "value": (2, str, False)}


class TensorProto(Message):
    """An array."""

    FLOAT, UINT8, INT8, INT32, INT64, BOOL, FLOAT16, EXTERNAL = 1, 2, 3, 6, 7, 9, 10, 1
    FIELDS = {
        "dims": (1, int, True), "data_type": (2, int, False), "name": (8, str, False), "raw_data": (9, bytes, False),
        "external_data": (13, StringStringEntryProto, True), "data_location": (14, int, False),
    }  # fmt: skip


class AttributeProto(Message):
    """An attribute of a node."""

    FLOAT, INT, STRING, FLOATS, INTS = 1, 2, 3, 6, 7
    FIELDS = {
        "name": (1, str, False), "f": (2, float, False), "i": (3, int, False), "s": (4, bytes, False),
        "floats": (7, float, True), "ints": (8, int, True), "type": (20, int, False),
    }  # fmt: skip


class NodeProto(Message):
    """A node."""

    FIELDS = {
        "input": (1, str, True), "output": (2, str, True), "name": (3, str, False), "op_type": (4, str, False),
        "attribute": (5, AttributeProto, True), "doc_string": (6, str, False), "domain": (7, str, False),
    }  # fmt: skip


class Dimension(Message):
    """An axis: a length, or a name."""

    FIELDS = {"dim_value": (1, int, False), "dim_param": (2, str, False)}


class Shape(Message):
    """The axes of an array."""

    FIELDS = {"dim": (1, Dimension, True)}


class TensorType(Message):
    """The type of an array."""

    FIELDS = {"elem_type": (1, int, False), "shape": (2, Shape, False)}


class TypeProto(Message):
    """The type of a value."""

    FIELDS = {"tensor_type": (1, TensorType, False)}


class ValueInfoProto(Message):
    """An input or an output."""

    FIELDS = {"name": (1, str, False), "type": (2, TypeProto, False)}


class GraphProto(Message):
    """A network."""

    FIELDS = {
        "node": (1, NodeProto, True), "name": (2, str, False), "initializer": (5, TensorProto, True),
        "input": (11, ValueInfoProto, True), "output": (12, ValueInfoProto, True),
    }  # fmt: skip


class OperatorSetIdProto(Message):
    """A set of operators."""

    FIELDS = {"domain": (1, str, False), "version": (2, int, False)}


class ModelProto(Message):
    """A file."""

    FIELDS = {
        "ir_version": (1, int, False), "producer_name": (2, str, False), "graph": (7, GraphProto, False),
        "opset_import": (8, OperatorSetIdProto, True), "metadata_props": (14, StringStringEntryProto, True),
    }  # fmt: skip


# -- onnx.helper and onnx.numpy_helper -------------------------------------------------------------------------------

KINDS = {
    "float32": TensorProto.FLOAT, "uint8": TensorProto.UINT8, "int8": TensorProto.INT8, "int32": TensorProto.INT32,
    "int64": TensorProto.INT64, "bool": TensorProto.BOOL, "float16": TensorProto.FLOAT16,
}  # fmt: skip


def make_node(
    op_type: str, inputs: Sequence[str], outputs: Sequence[str], name: str | None = None,
    doc_string: str | None = None, domain: str | None = None, **attributes: Any,
) -> NodeProto:  # fmt: skip
    """A node; attributes in the order of their names, those that are None left out."""
    given = {"name": name, "doc_string": doc_string}
    node = NodeProto(input=inputs, output=outputs, op_type=op_type, **{k: v for k, v in given.items() if v})
    if domain is not None:
        node.domain = domain
    node.attribute = [make_attribute(k, v) for k, v in sorted(attributes.items()) if v is not None]
    return node


def make_attribute(name: str, value: Any) -> AttributeProto:
    """An attribute, whose type is that of its value."""
    if isinstance(value, str | bytes):
        data = value.encode() if isinstance(value, str) else value
        return AttributeProto(name=name, s=data, type=AttributeProto.STRING)
    if isinstance(value, Sequence):
        if all(isinstance(v, int) for v in value):
            return AttributeProto(name=name, ints=value, type=AttributeProto.INTS)
        return AttributeProto(name=name, floats=value, type=AttributeProto.FLOATS)
    if isinstance(value, int):
        return AttributeProto(name=name, i=value, type=AttributeProto.INT)
    return AttributeProto(name=name, f=float(value), type=AttributeProto.FLOAT)


def make_tensor_value_info(name: str, elem_type: int, shape: Sequence[int | str]) -> ValueInfoProto:
    """An input or an output with axes that have a length or a name."""
    dims = [Dimension(dim_param=d) if isinstance(d, str) else Dimension(dim_value=d) for d in shape]
    kind = TensorType(elem_type=elem_type, shape=Shape(dim=dims))
    return ValueInfoProto(name=name, type=TypeProto(tensor_type=kind))


def make_graph(
    nodes: Sequence[NodeProto], name: str, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto],
    initializer: Sequence[TensorProto] = (),
) -> GraphProto:  # fmt: skip
    """A network."""
    return GraphProto(node=nodes, name=name, initializer=initializer, input=inputs, output=outputs)


def make_opsetid(domain: str, version: int) -> OperatorSetIdProto:
    """A set of operators."""
    return OperatorSetIdProto(domain=domain, version=version)


def make_model(
    graph: GraphProto, *, opset_imports: Sequence[OperatorSetIdProto], ir_version: int, producer_name: str
) -> ModelProto:  # fmt: skip
    """A file."""
    return ModelProto(ir_version=ir_version, producer_name=producer_name, graph=graph, opset_import=opset_imports)


def set_model_props(model: ModelProto, properties: Mapping[str, str]) -> None:
    """Replace the metadata of a model."""
    model.metadata_props = [StringStringEntryProto(key=k, value=v) for k, v in properties.items()]


def np_dtype_to_tensor_dtype(dtype: Any) -> int:
    """The number that ONNX has for a type of NumPy's."""
    return KINDS[dtype.name]


def from_array(array: Any, name: str) -> TensorProto:
    """An array as a message."""
    kind = np_dtype_to_tensor_dtype(array.dtype)
    return TensorProto(dims=array.shape, data_type=kind, name=name, raw_data=array.tobytes())


def as_modules() -> dict[str, ModuleType]:
    """The modules of the package, by name, with what the emitter takes from each."""
    package, helper, numpy_helper = map(ModuleType, ("onnx", "onnx.helper", "onnx.numpy_helper"))
    for message in (
        AttributeProto, GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto, ValueInfoProto,
    ):  # fmt: skip
        setattr(package, message.__name__, message)
    for function in (
        make_graph, make_model, make_node, make_opsetid, make_tensor_value_info, np_dtype_to_tensor_dtype,
        set_model_props,
    ):  # fmt: skip
        setattr(helper, function.__name__, function)
    vars(numpy_helper)["from_array"] = from_array
    vars(package).update(helper=helper, numpy_helper=numpy_helper)
    return {module.__name__: module for module in (package, helper, numpy_helper)}
