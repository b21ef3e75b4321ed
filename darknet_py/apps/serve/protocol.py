"""The Open Inference Protocol, version 2, with its extension for binary tensors: bytes to tensors and back.

Decision: pure functions of bytes and arrays, which know no HTTP, no model and no queue. What a request says that is not
understood is an error and never passed over: a client that believes in a parameter which nobody reads is worse off.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...errors import DataError, shorten

HEAD_LENGTH = "inference-header-content-length"
SIZE, BINARY, ALL_BINARY = "binary_data_size", "binary_data", "binary_data_output"
BYTES = "BYTES"
DATATYPES: dict[str, type[np.generic]] = {
    "BOOL": np.bool_, "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64,
    "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "FP16": np.float16, "FP32": np.float32, "FP64": np.float64,
}  # fmt: skip
MAX_RANK = 8
MAX_ELEMENTS = 1 << 31  # of a tensor, which no body could bring
MAX_TENSORS = 64  # of a request
MAX_PARTS = 100_000  # lists, objects and texts of JSON: each takes 20 times the memory of its bytes
PREFIX = 4  # bytes of the length before each element of BYTES

REQUEST = frozenset(("id", "parameters", "inputs", "outputs"))
INPUT = frozenset(("name", "shape", "datatype", "parameters", "data"))
OUTPUT = frozenset(("name", "parameters"))


@dataclass(frozen=True, eq=False)
class NamedTensor:
    """An array with a name and a datatype of the protocol; that of BYTES has Python's bytes as its elements."""

    name: str
    datatype: str
    array: np.ndarray


@dataclass(frozen=True)
class AskedOutput:
    """An output that a request names, and whether it is to come as bytes."""

    name: str
    binary: bool


@dataclass(frozen=True, eq=False)
class InferRequest:
    """A request: its tensors, the outputs that it names (None: all), and parameters that are not the protocol's."""

    id: str
    inputs: tuple[NamedTensor, ...]
    outputs: tuple[AskedOutput, ...] | None
    binary: bool
    parameters: Mapping[str, Any] = field(default_factory=dict)


def parse_json(data: bytes, what: str) -> Any:
    """JSON of a client; `DataError` for anything else, however deep it is nested, and for what has too many parts."""
    if data.count(b"[") + data.count(b"{") + data.count(b'"') // 2 > MAX_PARTS:
        raise DataError(f"{what} has more than {MAX_PARTS:,} lists, objects and texts: send tensors as bytes")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as e:
        told = "nested too deep" if isinstance(e, RecursionError) else shorten(str(e), 120)
        raise DataError(f"{what} is no JSON: {told}") from None


def parse_request(body: bytes, head_length: str | None = None) -> InferRequest:
    r"""The request in a body; `head_length` is how long the JSON in front of binary tensors is, as a header says it.

    Raises `DataError` for what is not of the protocol.

    >>> body = b'{"inputs":[{"name":"x","shape":[2],"datatype":"UINT8","parameters":{"binary_data_size":2}}]}'
    >>> parse_request(body + b"\1\2", str(len(body))).inputs[0].array
    array([1, 2], dtype=uint8)
    """
    head, tail = _split(body, head_length)
    data = _object(parse_json(head, "the request"), "the request", REQUEST)
    inputs = data.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise DataError("the request has no inputs")
    if len(inputs) > MAX_TENSORS:
        raise DataError(f"the request has {len(inputs)} inputs, and at most {MAX_TENSORS} are read")
    tensors, rest = [], tail
    for entry in inputs:
        tensor, rest = _input(entry, rest)
        tensors.append(tensor)
    if len(rest):
        raise DataError(f"{len(rest):,} bytes of the body are in no input")
    parameters = _parameters(data, "the request")
    binary = _flag(parameters.pop(ALL_BINARY, False), ALL_BINARY)
    asked = _outputs(data.get("outputs"), binary)
    identity = data.get("id", "")
    if not isinstance(identity, str):
        raise DataError("the id of the request is no text")
    return InferRequest(identity, tuple(tensors), asked, binary, parameters)


def _split(body: bytes, head_length: str | None) -> tuple[bytes, memoryview]:
    if head_length is None:
        return body, memoryview(b"")
    if not (head_length.isascii() and head_length.isdigit() and len(head_length) < 12):
        raise DataError(f"Inference-Header-Content-Length is no number: {shorten(head_length, 40)!r}")
    length = int(head_length)
    if length > len(body):
        raise DataError(f"the header is said to have {length:,} bytes, and the body has {len(body):,}")
    return body[:length], memoryview(body)[length:]


def _object(data: Any, what: str, known: Iterable[str]) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise DataError(f"{what} is no JSON object")
    if unknown := sorted(set(data) - set(known)):
        raise DataError(f"{what} has {shorten(', '.join(map(repr, unknown)), 80)}, which is not of the protocol")
    return data


def _parameters(data: dict[str, Any], what: str) -> dict[str, Any]:
    found = data.get("parameters", {})
    if not isinstance(found, dict):
        raise DataError(f"the parameters of {what} are no JSON object")
    return dict(found)


def _check_empty(parameters: Mapping[str, Any], what: str) -> None:
    if parameters:
        raise DataError(f"{what} has parameters that are not read here: {shorten(', '.join(parameters), 80)}")


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise DataError(f"{name} is true or false, not {shorten(repr(value), 40)}")
    return value


def _name(data: dict[str, Any], what: str) -> str:
    name = data.get("name")
    if not isinstance(name, str):
        raise DataError(f"{what} has no name")
    return name


def _input(entry: Any, rest: memoryview) -> tuple[NamedTensor, memoryview]:
    """A tensor of a request, and the bytes after it."""
    data = _object(entry, "an input", INPUT)
    name = _name(data, "an input")
    what = f"the input {shorten(name, 40)!r}"
    datatype, shape = data.get("datatype"), _shape(data.get("shape"), what)
    if not isinstance(datatype, str) or (datatype not in DATATYPES and datatype != BYTES):
        raise DataError(f"{what} is of the datatype {shorten(repr(datatype), 40)}, which is not read here")
    parameters = _parameters(data, what)
    size = parameters.pop(SIZE, None)
    _check_empty(parameters, what)
    if size is None:
        if "data" not in data:
            raise DataError(f"{what} has neither data nor {SIZE}")
        return NamedTensor(name, datatype, _from_json(data["data"], datatype, shape, what)), rest
    if "data" in data:
        raise DataError(f"{what} has both data and {SIZE}")
    if type(size) is not int or not 0 <= size <= len(rest):
        raise DataError(f"{what} is said to have {shorten(repr(size), 40)} bytes, and {len(rest):,} are left")
    return NamedTensor(name, datatype, _from_binary(rest[:size], datatype, shape, what)), rest[size:]


def _shape(value: Any, what: str) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > MAX_RANK or not all(type(n) is int and n >= 0 for n in value):
        raise DataError(f"the shape of {what} is no list of at most {MAX_RANK} whole numbers")
    if math.prod(n for n in value if n) > MAX_ELEMENTS:  # zeros too: NumPy counts what the other axes would hold
        raise DataError(f"the shape of {what} has more than {MAX_ELEMENTS:,} elements")
    return tuple(value)


def _from_binary(data: memoryview, datatype: str, shape: tuple[int, ...], what: str) -> np.ndarray:
    count = math.prod(shape)
    if datatype == BYTES:
        return _elements(_lengths_and_bytes(data, what), shape, what)
    size = count * np.dtype(DATATYPES[datatype]).itemsize
    if size != len(data):
        raise DataError(f"{what} of {list(shape)} has {size:,} bytes, and {len(data):,} came")
    little = np.dtype(DATATYPES[datatype]).newbyteorder("<")
    return np.frombuffer(data, little).astype(DATATYPES[datatype], copy=False).reshape(shape)


def _lengths_and_bytes(data: memoryview, what: str) -> list[bytes]:
    found, place = [], 0
    while place < len(data):
        length = int.from_bytes(data[place : place + PREFIX], "little")
        place += PREFIX
        if place + length > len(data):
            raise DataError(f"an element of {what} ends after the bytes that came")
        found.append(bytes(data[place : place + length]))
        place += length
    return found


def _elements(found: Sequence[bytes], shape: tuple[int, ...], what: str) -> np.ndarray:
    if len(found) != math.prod(shape):
        raise DataError(f"{what} of {list(shape)} has {len(found)} elements")
    array = np.empty(len(found), object)
    array[:] = found
    return array.reshape(shape)


def _from_json(data: Any, datatype: str, shape: tuple[int, ...], what: str) -> np.ndarray:
    """A tensor in JSON, flat or nested; elements of BYTES are in base64, as JSON has no bytes."""
    if not isinstance(data, list):
        raise DataError(f"the data of {what} is no list")
    if datatype == BYTES:
        return _elements([_decoded(e, what) for e in _flat(data, what)], shape, what)
    leaves = set(map(type, _flat(data, what)))
    if not leaves <= {bool, int, float}:  # NumPy makes each text of an array as long as the longest
        raise DataError(f"the data of {what} is not {datatype} of {list(shape)}")
    try:
        array = np.array(data)
    except (ValueError, OverflowError, RecursionError):
        raise DataError(f"the data of {what} is ragged, or has numbers without end") from None
    wanted = np.dtype(DATATYPES[datatype])
    kinds = {"b": "b", "u": "iu", "i": "iu", "f": "iuf"}[wanted.kind]
    if array.size != math.prod(shape) or (array.size and array.dtype.kind not in kinds):
        raise DataError(f"the data of {what} is not {datatype} of {list(shape)}")
    if wanted.kind in "iu" and array.size:
        info = np.iinfo(wanted)
        if array.min() < info.min or array.max() > info.max:
            raise DataError(f"the data of {what} has numbers that are not {datatype}")
    with np.errstate(over="ignore"):
        return array.astype(wanted).reshape(shape)


def _flat(data: list[Any], what: str) -> list[Any]:
    depth = 0
    while data and isinstance(data[0], list):
        if depth == MAX_RANK or not all(isinstance(part, list) for part in data):
            raise DataError(f"the data of {what} is ragged")
        data, depth = [element for part in data for element in part], depth + 1
    return data


def _decoded(element: Any, what: str) -> bytes:
    try:
        return base64.b64decode(element, validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise DataError(f"the elements of {what} are to be base64: JSON has no bytes") from None


def _outputs(data: Any, binary: bool) -> tuple[AskedOutput, ...] | None:
    if data is None:
        return None
    if not isinstance(data, list) or len(data) > MAX_TENSORS:
        raise DataError(f"outputs is no list of at most {MAX_TENSORS}")
    found = []
    for entry in data:
        own = _object(entry, "an output", OUTPUT)
        name = _name(own, "an output")
        what = f"the output {shorten(name, 40)!r}"
        parameters = _parameters(own, what)
        as_bytes = _flag(parameters.pop(BINARY, binary), BINARY)
        _check_empty(parameters, what)
        found.append(AskedOutput(name, as_bytes))
    if len({one.name for one in found}) < len(found):
        raise DataError("the request names an output twice")
    return tuple(found) or None


def write_response(
    model: str, version: str, request: InferRequest, outputs: Sequence[NamedTensor], warning: str = ""
) -> tuple[bytes, int | None]:
    """The body of an answer with the outputs that the request names, and how long its JSON is if tensors follow it.

    A `warning` is among the parameters of the answer.
    Raises `DataError` for an output that there is not, and for NaN or infinity where JSON is to say it.
    """
    known = {t.name: t for t in outputs}
    asked = request.outputs or tuple(AskedOutput(name, request.binary) for name in known)
    if unknown := [a.name for a in asked if a.name not in known]:
        told = shorten(", ".join(unknown), 80)
        raise DataError(f"there is no output {told}: with these inputs there are {', '.join(known)}")
    entries: list[dict[str, Any]] = []
    parts: list[bytes] = []
    for one in asked:
        tensor = known[one.name]
        entry: dict[str, Any] = {"name": one.name, "datatype": tensor.datatype, "shape": list(tensor.array.shape)}
        if one.binary:
            parts.append(to_binary(tensor))
            entry["parameters"] = {SIZE: len(parts[-1])}
        else:
            entry["data"] = _to_json(tensor)
        entries.append(entry)
    head: dict[str, Any] = {"model_name": model, "model_version": version, "outputs": entries}
    if warning:
        head["parameters"] = {"warning": warning}
    if request.id:
        head["id"] = request.id
    text = json.dumps(head, separators=(",", ":")).encode()
    return b"".join([text, *parts]), len(text) if parts else None


def to_binary(tensor: NamedTensor) -> bytes:
    """A tensor as bytes, little-endian; elements of BYTES each after their length."""
    if tensor.datatype != BYTES:
        return tensor.array.astype(np.dtype(DATATYPES[tensor.datatype]).newbyteorder("<"), copy=False).tobytes()
    return b"".join(len(e).to_bytes(PREFIX, "little") + e for e in tensor.array.ravel())


def _to_json(tensor: NamedTensor) -> list[Any]:
    if tensor.datatype == BYTES:
        return [base64.b64encode(e).decode() for e in tensor.array.ravel()]
    if tensor.array.dtype.kind == "f" and not np.isfinite(tensor.array).all():
        raise DataError(f"{tensor.name} has NaN or infinity, which JSON cannot say: ask for binary_data")
    return tensor.array.ravel().tolist()
