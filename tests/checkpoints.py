"""Checkpoints written without PyTorch: torch's zip, its older form, and safetensors, byte by byte.

A value is a dictionary, list, tuple, text, number, None, an array (a tensor), a `Module`, or `Raw` pickle operations.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile, ZipInfo

import numpy as np

STORAGES = {"f4": "FloatStorage", "f2": "HalfStorage", "f8": "DoubleStorage", "i8": "LongStorage"}
PROTOCOL = b"\x80\x02"
MAGIC = 0x1950A86A20F9469CFC6C


@dataclass(frozen=True)
class Raw:
    """Operations of a pickle that leave one value."""

    operations: bytes


@dataclass(frozen=True)
class Module:
    """A module as it is pickled whole: its class, its parameters, the modules in it, and its other fields."""

    name: str
    tensors: dict[str, Any]
    modules: dict[str, Any]
    fields: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Storage:
    """Persistent ids that lie about what a storage is."""

    key: str
    count: int
    kind: str = "FloatStorage"


def call(module: str, name: str, *args: Any) -> Raw:
    """What pickle writes for `module.name(*args)`."""
    return Raw(f"c{module}\n{name}\n".encode() + pickled(tuple(args), lambda _: b"") + b"R")


def pickled(value: Any, tensor: Callable[[np.ndarray], bytes]) -> bytes:
    """The operations that make a value; `tensor` writes those of an array."""
    if isinstance(value, Raw):
        return value.operations
    if isinstance(value, Module):
        room, _, name = value.name.rpartition(".")
        state = {"_parameters": value.tensors, "_buffers": {}, "_modules": value.modules, **value.fields}
        return f"c{room}\n{name}\n".encode() + b")\x81" + pickled(state, tensor) + b"b"
    if isinstance(value, np.ndarray):
        return tensor(value)
    if value is None or isinstance(value, bool):
        return {None: b"N", True: b"\x88", False: b"\x89"}[value]
    if isinstance(value, int):
        size = (value.bit_length() + 8) // 8
        return bytes((0x8A, size)) + value.to_bytes(size, "little", signed=True)
    if isinstance(value, float):
        return b"G" + struct.pack(">d", value)
    if isinstance(value, str):
        text = value.encode()
        return b"X" + struct.pack("<I", len(text)) + text
    if isinstance(value, tuple | list):
        items = b"".join(pickled(v, tensor) for v in value)
        return b"(" + items + b"t" if isinstance(value, tuple) else b"](" + items + b"e"
    assert isinstance(value, dict), type(value)
    pairs = b"".join(pickled(k, tensor) + pickled(v, tensor) for k, v in value.items())
    return b"}(" + pairs + b"u"


def tensor_operations(storage: Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...]) -> bytes:
    """A tensor as torch writes it."""
    plain = lambda value: pickled(value, lambda _: b"")  # noqa: E731 - short, and twice below
    persistent = plain("storage") + f"ctorch\n{storage.kind}\n".encode()
    persistent += plain(storage.key) + plain("cpu") + plain(storage.count)
    rest = plain(offset) + plain(shape) + plain(strides) + b"\x89" + b"ccollections\nOrderedDict\n)R"
    return b"ctorch._utils\n_rebuild_tensor_v2\n((" + persistent + b"tQ" + rest + b"tR"


class _Arrays:
    """The arrays of a file by the keys of their storages."""

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}

    def __call__(self, array: np.ndarray) -> bytes:
        key = str(len(self.arrays))
        self.arrays[key] = array
        strides = tuple(int(np.prod(array.shape[i + 1 :])) for i in range(array.ndim))
        storage = Storage(key, array.size, STORAGES[array.dtype.str[1:]])
        return tensor_operations(storage, 0, array.shape, strides)


def write_zip(path: Path, value: Any, folder: str = "archive") -> Path:
    """A file as torch.save writes it since 1.6."""
    arrays = _Arrays()
    data = PROTOCOL + pickled(value, arrays) + b"."
    entries = {"data.pkl": data, "byteorder": b"little", "version": b"3\n"}
    entries |= {f"data/{key}": np.ascontiguousarray(a).tobytes() for key, a in arrays.arrays.items()}
    with ZipFile(path, "w", ZIP_STORED) as archive:
        for name, content in entries.items():
            archive.writestr(ZipInfo(f"{folder}/{name}"), content)
    return path


def write_legacy(path: Path, value: Any) -> Path:
    """A file as torch.save wrote it before 1.6."""
    arrays, none = _Arrays(), lambda _: b""
    content = pickled(value, arrays)
    parts = [pickled(v, none) for v in (MAGIC, 1001, {"little_endian": True})]
    parts += [content, pickled([*arrays.arrays], none)]
    data = b"".join(PROTOCOL + part + b"." for part in parts)
    for array in arrays.arrays.values():
        data += struct.pack("<q", array.size) + np.ascontiguousarray(array).tobytes()
    path.write_bytes(data)
    return path


def write_safetensors(path: Path, tensors: dict[str, np.ndarray]) -> Path:
    """A file as safetensors writes it."""
    names = {"f4": "F32", "f2": "F16", "i8": "I64", "f8": "F64"}
    described: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    data = b""
    for name, array in sorted(tensors.items()):
        raw = np.ascontiguousarray(array).tobytes()
        where = [len(data), len(data) + len(raw)]
        described[name] = dict(dtype=names[array.dtype.str[1:]], shape=list(array.shape), data_offsets=where)
        data += raw
    text = json.dumps(described).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    return path
