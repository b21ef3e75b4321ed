"""An ONNX file written piece by piece: the model without its large arrays, and these straight from where they are.

Decision: what protobuf would write, byte for byte one message, so every reader takes it; but no array is copied on the
way, and none is looked at by the checker, which takes them for inputs of the same type and shape.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import numpy as np
import onnx
from onnx import helper

from ..files import reading, scratch

# onnx.proto: field numbers, and the wire type of what has a length (protobuf's encoding).
LENGTH = 2
MODEL_GRAPH, MODEL_PROPS, GRAPH_INITIALIZER, TENSOR_RAW_DATA = 7, 14, 5, 9
SEAL = "darknet-py.sha256"  # the last field of a file that was written here: the digest of all bytes before it
BLOCK = 1 << 20  # bytes that are read at a time
PROTOBUF_LIMIT = 2**31 - 2**20  # a message stays under 2 GiB; beyond, arrays go to a file of their own

Arrays = Mapping[str, np.ndarray]


def assemble(model: onnx.ModelProto, arrays: Arrays) -> onnx.ModelProto:
    """The model with its arrays; `model` itself."""
    for name, array in arrays.items():
        tensor = model.graph.initializer.add()
        tensor.CopyFrom(_tensor(name, array))
        tensor.raw_data = array.tobytes()
    return model


def declare(model: onnx.ModelProto, arrays: Arrays) -> onnx.ModelProto:
    """The model with its arrays by name only, for a reader that is given these apart; `model` itself."""
    for name, array in arrays.items():
        tensor = _tensor(name, array)
        tensor.data_location = onnx.TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=name)
        model.graph.initializer.append(tensor)
    return model


def check_model(model: onnx.ModelProto, arrays: Arrays) -> None:
    """Raise what `onnx.checker` raises for a model with these arrays."""
    light = onnx.ModelProto()
    light.CopyFrom(model)
    infos = (helper.make_tensor_value_info(n, _tensor(n, a).data_type, a.shape) for n, a in arrays.items())
    light.graph.input.extend(infos)
    onnx.checker.check_model(light, full_check=True)


def write_model(file: BinaryIO, model: onnx.ModelProto, arrays: Arrays) -> None:
    """Write a model with its arrays, which takes no more memory than the model without."""
    outside = onnx.ModelProto()
    outside.CopyFrom(model)
    outside.ClearField("graph")
    body = model.graph.SerializeToString()
    heads = dict(zip(arrays, map(_head, arrays, arrays.values()), strict=True))
    size = len(body) + sum(len(heads[name]) + array.nbytes for name, array in arrays.items())
    file.write(outside.SerializeToString() + _key(MODEL_GRAPH, size) + body)
    for name, array in arrays.items():
        file.write(heads[name])
        file.write(np.ascontiguousarray(array).data)


def write_sealed(file: BinaryIO, model: onnx.ModelProto, arrays: Arrays) -> None:
    """`write_model`, and then a metadata entry by which `is_sealed` tells that nobody has changed the file since."""
    hashing = _Hashing(file)
    write_model(hashing, model, arrays)  # type: ignore[arg-type]  # of a file it only calls write
    file.write(_seal(hashing.digest.hexdigest()))


def is_sealed(path: str | Path) -> bool:
    """Whether a file is to the last byte what `write_sealed` wrote."""
    length = len(_seal("0" * 64))
    with reading(path) as file:
        size = file.seek(0, io.SEEK_END)
        if size <= length:
            return False
        file.seek(size - length)
        seal = file.read(length)
        if not seal.startswith(_seal("0" * 64)[:-64]):
            return False
        file.seek(0)
        digest = hashlib.sha256()
        left = size - length
        while left and (block := file.read(min(left, BLOCK))):
            digest.update(block)
            left -= len(block)
    return seal == _seal(digest.hexdigest())


class _Hashing:
    """A file to write that also takes the digest of what is written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def write(self, data: bytes | memoryview) -> int:
        self.digest.update(data)
        return self._file.write(data)


def _seal(digest: str) -> bytes:
    entry = onnx.StringStringEntryProto(key=SEAL, value=digest).SerializeToString()
    return _key(MODEL_PROPS, len(entry)) + entry


def fits(model: onnx.ModelProto, arrays: Arrays) -> bool:
    """Whether the model with its arrays is small enough for one message."""
    return model.ByteSize() + sum(a.nbytes for a in arrays.values()) < PROTOBUF_LIMIT


def serialize(model: onnx.ModelProto, arrays: Arrays) -> bytes:
    """The model with its arrays as one message."""
    file = io.BytesIO()
    write_model(file, model, arrays)
    return file.getvalue()


@contextmanager
def readable(model: onnx.ModelProto, arrays: Arrays) -> Iterator[bytes | Path]:
    """What a runtime reads: the model as one message, or, where it is too large for one, a file."""
    if fits(model, arrays):
        yield serialize(model, arrays)
        return
    with scratch() as folder:
        path = folder / "model.onnx"
        onnx.save_model(assemble(model, arrays), path, save_as_external_data=True, location="model.data")
        yield path


def _tensor(name: str, array: np.ndarray) -> onnx.TensorProto:
    kind = helper.np_dtype_to_tensor_dtype(array.dtype)
    return onnx.TensorProto(name=name, dims=array.shape, data_type=kind)


def _head(name: str, array: np.ndarray) -> bytes:
    """What comes before the bytes of an initializer."""
    tensor = _tensor(name, array).SerializeToString() + _key(TENSOR_RAW_DATA, array.nbytes)
    return _key(GRAPH_INITIALIZER, len(tensor) + array.nbytes) + tensor


def _key(field: int, length: int) -> bytes:
    return bytes([field << 3 | LENGTH, *_varint(length)])


def _varint(number: int) -> Iterator[int]:
    while number > 127:
        yield number & 127 | 128
        number >>= 7
    yield number
