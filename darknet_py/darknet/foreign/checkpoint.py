"""A checkpoint file as named tensors: torch's zip and its older form, and safetensors.

Decision: NumPy and the standard library only. Nothing in the file is executed, nothing is unpacked to the disk, and
numbers are read one tensor at a time, so memory stays in proportion to the file.
"""

from __future__ import annotations

import io
import json
import re
import struct
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from zipfile import ZIP_STORED, BadZipFile, ZipFile

from ...errors import DataError
from ...files import reading
from .kinds import HEAD, checkpoint_kind
from .pickles import Bounded, Inert, Name, read_pickle
from .tensors import STORAGES, Storage, Tensor, contiguous, item_bytes, tensor

MAX_PICKLE = 1 << 26  # bytes: what describes the tensors, without their numbers
MAX_MODULES = 20_000  # of a model that was pickled whole: modules that contain each other have no end
LEGACY_MAGIC, LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # torch.serialization
SAFETENSORS = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "bfloat16", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1",
    "U8": "u1", "BOOL": "?",
}  # fmt: skip

# What a checkpoint may call besides tensors: classes, by their capital, and what torch, NumPy and Python rebuild by a
# function. All others (`torch.hub.load` is one) are an attack, and noted calls would let it pass for a checkpoint.
CALLED = re.compile(
    r"(builtins|collections|datetime)\.\w+|_codecs\.encode|copy_?reg\._reconstructor|torch\.device"
    r"|torch\.serialization\._get_layout|torch\._(utils|tensor)\._rebuild_\w+"
    r"|numpy\.(dtype|ndarray|_?core\.multiarray\.(scalar|_reconstruct)|random\.\w+\.__\w+)"
    r"|[\w.]+\._*[A-Z]\w*"
)

# Where programs keep the parameters, in the order in which they are taken: the running mean of them (ema) is what is
# evaluated, so it comes before the parameters of the last step.
NESTED = ("state_dict_ema", "model_ema", "ema", "state_dict", "model_state_dict", "model", "params", "net")

T = TypeVar("T")
Parameters = tuple[dict[str, Tensor], dict[str, float]]  # and the epsilons of modules


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """The tensors of a file by name, its form, and in which entry of the file they were ('' for the file itself).

    `epsilons` are those that normalizations of a model state which was saved whole, by the names of the modules.
    """

    path: Path
    form: str
    entry: str
    tensors: dict[str, Tensor]
    epsilons: dict[str, float]


def read_checkpoint(path: str | Path) -> Checkpoint:
    """The tensors of a checkpoint: those at its top, or under the first of `NESTED` that has any.

    Names lose the `module.` that training on several devices puts in front. Raises `DataError` if the file cannot be
    read, is no checkpoint, is damaged, asks for code to be run, or has no tensors.
    """
    path = Path(path)
    try:
        with reading(path) as file:
            size, start = path.stat().st_size, file.read(HEAD)
            file.seek(0)
            form, content = _read(path, file, size, start)
        entry, (tensors, epsilons) = _parameters(content)
    except OSError as e:
        raise DataError(f"cannot read {path}: {e.strerror or e}") from None
    except DataError as e:
        raise DataError(f"{path}: {e}") from None
    return Checkpoint(path, form, entry, _plain(tensors), _plain(epsilons))


def _plain(named: dict[str, T]) -> dict[str, T]:
    return {name.removeprefix("module."): value for name, value in named.items()}


def _read(path: Path, file: BinaryIO, size: int, start: bytes) -> tuple[str, Any]:
    kind = checkpoint_kind(start)
    if kind == "zip":
        return "torch", _read_zip(path, size)
    if kind == "pickle":
        return "torch (before 1.6)", _read_legacy(path, file, size)
    if kind == "safetensors":
        return "safetensors", _read_safetensors(path, file, size, start)
    raise DataError("it is no checkpoint: neither torch's zip or pickle, nor safetensors")


# -- torch -----------------------------------------------------------------------------------------------------------


def _read_zip(path: Path, size: int) -> Any:
    try:
        with ZipFile(path) as archive:
            names = {info.filename: info for info in archive.infolist()}
            for info in names.values():
                # torch stores without compression: what is compressed is no checkpoint, or a bomb.
                if info.compress_type != ZIP_STORED or info.file_size > size:
                    raise DataError(f"its entry {info.filename[:80]!r} is compressed, as torch never writes it")
            pickled = [n for n in names if n == "data.pkl" or (n.endswith("/data.pkl") and n.count("/") == 1)]
            if len(pickled) != 1:
                raise DataError("it is a zip archive without torch's data.pkl")
            folder = pickled[0].removesuffix("data.pkl")
            if f"{folder}constants.pkl" in names:
                raise DataError("it is a TorchScript program: save its state_dict() with torch.save")
            if f"{folder}byteorder" in names and archive.read(f"{folder}byteorder") != b"little":
                raise DataError("its numbers are in the byte order of another machine")
            if names[pickled[0]].file_size > MAX_PICKLE:
                raise DataError(f"its data.pkl has more than {MAX_PICKLE:,} bytes")
            data = archive.read(pickled[0])
    except (BadZipFile, RuntimeError, NotImplementedError, ValueError, EOFError, struct.error) as e:
        raise DataError(f"the zip archive is damaged or cut short ({e})") from None

    def persist(key: Any) -> Storage:
        dtype, name, count = _storage(key)
        entry = names.get(f"{folder}data/{name}")
        if entry is None or entry.file_size < count * item_bytes(dtype):
            raise DataError(f"the numbers of storage {name[:40]!r} are missing or too few")
        return Storage(dtype, count, partial(member, entry.filename))

    member = lru_cache(1)(partial(_member, path))  # views of one storage follow each other
    return read_pickle(io.BytesIO(data), _call, persist)


def _member(path: Path, name: str) -> bytes:
    """The bytes of an entry, checked against its checksum."""
    try:
        with ZipFile(path) as archive:
            return archive.read(name)
    except (BadZipFile, RuntimeError, NotImplementedError, ValueError, EOFError, KeyError, struct.error) as e:
        raise DataError(f"{path}: the zip archive is damaged ({e})") from None


def _storage(key: Any) -> tuple[str, str, int]:
    """What a persistent id says: the type of the numbers, the name of the storage, and how many there are."""
    if not isinstance(key, tuple) or len(key) < 5 or key[0] != "storage" or not isinstance(key[1], Name):
        raise DataError("a storage is described as torch never does")
    dtype = STORAGES.get(key[1].name.removeprefix("torch."))
    if dtype is None:
        raise DataError(f"numbers of {key[1].name[:80]} cannot be read")
    if type(key[4]) is not int or key[4] < 0 or not isinstance(key[2], str):
        raise DataError("a storage is described as torch never does")
    return dtype, key[2], key[4]


def _call(name: str, args: tuple[Any, ...]) -> Any:
    if name in ("torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor"):
        if len(args) < 4:
            raise DataError("the checkpoint describes a tensor that is none")
        return tensor(*args[:4])
    if name.startswith("torch._utils._rebuild_parameter"):
        return args[0] if args else None
    if name in ("collections.OrderedDict", "builtins.dict"):
        pairs = args[0] if args and isinstance(args[0], list) else []
        sound = all(isinstance(p, tuple | list) and len(p) == 2 and isinstance(p[0], str) for p in pairs)
        return dict(pairs) if sound else {}
    if name == "torch.Size":
        return args[0] if args else ()
    if not CALLED.fullmatch(name):
        raise DataError(f"the pickle calls {name[:100]}, which no checkpoint needs; nothing was executed")
    return Inert(name, args)


def _read_legacy(path: Path, file: BinaryIO, size: int) -> Any:
    """Four pickles and the keys of the storages, then each storage: its length, and its numbers."""
    bounded, piece = Bounded(file, size), lru_cache(1)(partial(_piece, path))
    storages: dict[str, tuple[str, int]] = {}
    places: dict[str, int] = {}

    def persist(key: Any) -> Storage | Name:
        if isinstance(key, tuple) and len(key) > 1 and key[0] == "module" and isinstance(key[1], Name):
            return key[1]  # a class, with its source text beside it
        dtype, name, count = _storage(key)
        if len(key) > 5 and key[5] is not None:
            raise DataError("it has views of storages, which torch 0.4 and before wrote: save it again with torch")
        if count * item_bytes(dtype) > size or storages.setdefault(name, (dtype, count)) != (dtype, count):
            raise DataError(f"storage {name[:40]!r} has more numbers than the file, or two descriptions")
        return Storage(dtype, count, lambda: piece(places[name], count * item_bytes(dtype)))

    def no_storage(_: Any) -> Any:
        raise DataError("a storage is described as torch never does")

    magic = read_pickle(bounded, _call, no_storage)
    if magic != LEGACY_MAGIC:
        raise DataError("it is a pickle, and none that torch.save wrote")
    if read_pickle(bounded, _call, no_storage) != LEGACY_PROTOCOL:
        raise DataError("it is of a version of torch that is not known here")
    read_pickle(bounded, _call, no_storage)  # sizes of C's types
    content = read_pickle(bounded, _call, persist)
    keys = read_pickle(bounded, _call, no_storage)
    for key in keys if isinstance(keys, list) else ():
        if not isinstance(key, str) or key not in storages:
            raise DataError("its storages are not those that its tensors lie in")
        dtype, count = storages[key]
        length = bounded.read(8)
        places[key] = bounded.tell()
        end = places[key] + count * item_bytes(dtype)
        if len(length) < 8 or struct.unpack("<q", length)[0] != count or end > size:
            raise DataError(f"the file ends, or is damaged, in storage {key[:40]!r}")
        file.seek(end)
    if missing := storages.keys() - places.keys():
        raise DataError(f"the numbers of {len(missing)} storages are missing")
    return content


def _piece(path: Path, start: int, length: int) -> bytes:
    with reading(path) as file:
        file.seek(start)
        return file.read(length)


# -- safetensors -----------------------------------------------------------------------------------------------------


def _read_safetensors(path: Path, file: BinaryIO, size: int, start: bytes) -> dict[str, Tensor]:
    """A length, a JSON text of that many bytes, and the numbers of all tensors."""
    (length,) = struct.unpack_from("<Q", start)
    if length > min(MAX_PICKLE, size - 8):
        raise DataError("the file ends within the description of its tensors")
    file.seek(8)
    try:
        described = json.loads(file.read(length))
    except (ValueError, RecursionError):
        raise DataError("the description of its tensors is no JSON") from None
    tensors: dict[str, Tensor] = {}
    for name, of in described.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape, (begin, end) = SAFETENSORS[of["dtype"]], tuple(of["shape"]), of["data_offsets"]
        except (KeyError, TypeError, ValueError):
            raise DataError(f"tensor {name[:80]!r} is described wrongly, or of numbers that cannot be read") from None
        if any(type(n) is not int or n < 0 for n in (*shape, begin, end)) or end + length + 8 > size:
            raise DataError(f"tensor {name[:80]!r} does not lie in the file")
        count = max(end - begin, 0) // item_bytes(dtype)
        storage = Storage(dtype, count, partial(_piece, path, 8 + length + begin, count * item_bytes(dtype)))
        tensors[name] = tensor(storage, 0, shape, contiguous(shape))
    return tensors


# -- which tensors ---------------------------------------------------------------------------------------------------


def _parameters(content: Any) -> tuple[str, Parameters]:
    """The parameters and where they were: in an entry that programs keep them in, or at the top."""
    for key, inner in _nested(content):
        if found := _flat(inner):
            return key, found
        for name, deeper in _nested(inner):  # an averaged model has the model as a field
            if found := _flat(deeper):
                return f"{key}.{name}", found
    if found := _flat(content):
        return "", found
    raise DataError(f"no tensors at the top of the file or under {', '.join(NESTED)}")


def _nested(value: Any) -> list[tuple[str, Any]]:
    """The entries of a dictionary, or the fields of an object, in which programs keep parameters."""
    fields = value.state if isinstance(value, Inert) else value
    return [(key, fields[key]) for key in NESTED if key in fields] if isinstance(fields, dict) else []


def _flat(value: Any) -> Parameters | None:
    """The tensors, if any, of a dictionary or of a module that was pickled whole, by torch's names."""
    found: dict[str, Tensor] = {}
    epsilons: dict[str, float] = {}
    waiting = [("", value)]
    for _ in range(MAX_MODULES):
        if not waiting:
            return (found, epsilons) if found else None
        name, module = waiting.pop()
        prefix = f"{name}." if name else ""
        state = module.state if isinstance(module, Inert) else None
        nested: dict[Any, Any] = state if isinstance(state, dict) and "_modules" in state else {}
        for group in (nested.get("_parameters"), nested.get("_buffers"), module):
            if isinstance(group, dict):
                found |= {f"{prefix}{k}": v for k, v in group.items() if isinstance(v, Tensor)}
        if isinstance(epsilon := nested.get("eps"), float):
            epsilons[name] = epsilon
        modules = nested.get("_modules")
        if isinstance(modules, dict):
            waiting += [(f"{prefix}{child}", m) for child, m in modules.items()]
    raise DataError("its modules are nested without an end")
