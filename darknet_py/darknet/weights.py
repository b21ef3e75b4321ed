"""The .weights file: a header, then float32 in the order in which the layers declared their parameters.

Decision: the list of parameters of the graph is the format. Reading, writing, the size check and the message that names
the layer where a file stops fitting all walk that one list. A file is read whole, once its length is known to fit: of a
mapped one the arrays would change when a training writes its next weights over it, and to cut it kills the process.
"""

from __future__ import annotations

import hashlib
import os
import stat
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ..errors import Code, Diagnostic, Severity, WeightsError
from ..files import replacing
from ..ir.graph import Graph, Param, Value

FLOAT_BYTES = 4
HEADER_BYTES = 20  # at most

NO_VARIANCE = -1e-4  # still negative with every dialect's epsilon added: its root is NaN

# Of random weights: the variance of a product times its inputs, and the scales of batch normalization. With these the
# activations of the deepest public networks stay between 0.02 and 10 (He's 2 and scales around 1 give resnet152 1e10).
GAIN, SCALES = 1.5, (0.6, 0.9)


@dataclass(frozen=True)
class Header:
    """The header: version, and the number of images seen in training.

    `seen` has 8 bytes when major * 10 + minor >= 2, else 4 (parser.c load_weights_upto). Major or minor above 1000
    marks transposed [connected] matrices.
    """

    major: int = 0
    minor: int = 2
    revision: int = 5
    seen: int = 0

    @property
    def wide(self) -> bool:
        """Whether `seen` has 8 bytes."""
        return self.major * 10 + self.minor >= 2

    @property
    def transposed(self) -> bool:
        """Whether [connected] matrices are stored column by column (parser.c load_connected_weights)."""
        return self.major > 1000 or self.minor > 1000

    def to_bytes(self) -> bytes:
        """The header as the file has it."""
        return struct.pack("<iiiQ" if self.wide else "<iiiI", self.major, self.minor, self.revision, self.seen)

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the buffer") -> Header:
        """The header at the beginning of `data`; `WeightsError` if that is too short, or text."""
        if data and all(32 <= byte < 127 or byte in b"\t\r\n" for byte in data):  # as a version: above 150 million
            hint = "a web page or a Git LFS pointer was saved in place of the file, or this is the cfg"
            raise WeightsError(f"{name} is text, not weights", Code.WEIGHTS_HEADER, hint)
        if len(data) < 12:
            raise WeightsError(f"{name}: {len(data)} bytes cannot hold a header", Code.WEIGHTS_HEADER)
        major, minor, revision = struct.unpack_from("<iii", data)
        plain = cls(major, minor, revision)
        if len(data) < len(plain.to_bytes()):
            message = f"{name}: {len(data)} bytes cannot hold a header of version {major}.{minor}"
            raise WeightsError(message, Code.WEIGHTS_HEADER)
        (seen,) = struct.unpack_from("<Q" if plain.wide else "<I", data, 12)
        return cls(major, minor, revision, seen)


@dataclass(frozen=True)
class Weights:
    """A weights file against a graph: its header, and an array for each parameter that it holds."""

    header: Header
    arrays: Mapping[Value, np.ndarray]


def read_header(path: Path) -> tuple[Header, int]:
    """The header of a weights file, and the length of the file in bytes. Raises `WeightsError`."""
    with _opened(path) as file:
        return _read_header(file, path)


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """A weights file to read; what goes wrong with it is a `WeightsError`."""
    try:
        if not stat.S_ISREG(mode := path.stat().st_mode) and not stat.S_ISDIR(mode):  # to open a pipe waits for ever
            raise WeightsError(f"{path} is a device or a pipe, and a weights file has an end", Code.WEIGHTS_MISSING)
        with path.open("rb") as file:
            yield file
    except OSError as e:
        raise WeightsError(f"cannot read {path}: {e.strerror or e}", Code.WEIGHTS_MISSING) from None
    except ValueError as e:  # a NUL in the path
        raise WeightsError(f"cannot read {str(path)!r}: {e}", Code.WEIGHTS_MISSING) from None


def _read_header(file: BinaryIO, path: Path) -> tuple[Header, int]:
    return Header.from_bytes(file.read(HEADER_BYTES), str(path)), os.fstat(file.fileno()).st_size


def read_weights(path: str | Path, graph: Graph, *, allow_partial: bool = False) -> Weights:
    """Read a weights file and cut it into the parameters of `graph`; what is in memory stays what it is.

    Raises `WeightsError` if the file is missing, too short or too long, or is written to at the same time;
    `allow_partial` accepts a file that ends between two layers (such as `yolov4.conv.137`).
    """
    path = Path(path)
    with _opened(path) as file:
        header, size = _read_header(file, path)
        start = len(header.to_bytes())
        whole, odd = divmod(size - start, FLOAT_BYTES)
        params = _fitting(whole, graph, str(path), allow_partial)
        if odd:
            raise _odd(str(path), odd)
        before = os.fstat(file.fileno())
        file.seek(start)
        floats = np.fromfile(file, np.float32, whole)
        after = os.fstat(file.fileno())
    if len(floats) != whole or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        hint = "a training is saving them: try again"
        raise WeightsError(f"{path} was written to while it was read", Code.WEIGHTS_MISSING, hint)
    return Weights(header, _cut(floats, params, header))


def parse_weights(data: bytes, graph: Graph, name: str = "the buffer") -> Weights:
    """The same of the contents of a weights file, which messages call `name`."""
    header = Header.from_bytes(data[:HEADER_BYTES], name)
    start = len(header.to_bytes())
    whole, odd = divmod(len(data) - start, FLOAT_BYTES)
    params = _fitting(whole, graph, name, False)
    if odd:
        raise _odd(name, odd)
    return Weights(header, _cut(np.frombuffer(data, np.float32, whole, start), params, header))


def _odd(name: str, count: int) -> WeightsError:
    return WeightsError(f"{name} ends in the middle of a number ({count} bytes too many)", Code.WEIGHTS_LONG)


def _fitting(count: int, graph: Graph, name: str, allow_partial: bool) -> list[Param]:
    """The parameters that a file of so many floats holds; `WeightsError` where it ends too early or too late."""
    params: list[Param] = []
    at, begun = 0, -1
    for param in graph.params:
        left = count - at
        if param.size > left:
            if allow_partial and (left == 0 and param.layer != begun):
                return params
            raise _too_short(graph, param, at, left, name)
        params.append(param)
        at, begun = at + param.size, param.layer
    if at < count:
        message = f"{name} holds {count:,} floats, and the network wants {at:,}: {count - at:,} too many"
        raise WeightsError(message, Code.WEIGHTS_LONG, "is this the weights file of another cfg?")
    return params


def _cut(floats: np.ndarray, params: Sequence[Param], header: Header) -> dict[Value, np.ndarray]:
    ends = accumulate(param.size for param in params)
    return {p.value: _from_stored(floats[end - p.size : end], p, header) for p, end in zip(params, ends, strict=True)}


def _too_short(graph: Graph, param: Param, at: int, left: int, name: str) -> WeightsError:
    # Count from the beginning of the layer: the reader of the message thinks in layers.
    own = [p for p in graph.params if p.layer == param.layer]
    before = sum(p.size for p in own[: own.index(param)])
    wanted = sum(p.size for p in own)
    layer = graph.layer(param.layer)
    total = sum(p.size for p in graph.params)
    message = (
        f"{name} is too short: layer {layer.index} [{layer.section}] wants {wanted:,} floats, "
        f"{left + before:,} are left (the network has {total:,}, the file {at + left:,})"
    )
    return WeightsError(message, Code.WEIGHTS_SHORT, "a truncated download, or the weights file of another cfg")


def _is_transposed(param: Param, header: Header) -> bool:
    return param.layout == "columns" or (param.layout == "either" and header.transposed)


def _from_stored(stored: np.ndarray, param: Param, header: Header) -> np.ndarray:
    shape = param.value.shape
    if _is_transposed(param, header):
        return stored.reshape(-1, shape[0]).T.reshape(shape)
    return stored.reshape(shape)


def find_wrong_values(weights: Weights, graph: Graph) -> Diagnostic | None:
    """A warning about the first parameters that make the network compute NaN; Darknet does, and detects nothing."""
    for param in graph.params:
        wrong = _wrong_values(weights.arrays[param.value], param.role) if param.value in weights.arrays else None
        if wrong:
            layer = graph.layer(param.layer)
            message = f"layer {layer.index} [{layer.section}]: {wrong}, and the network computes NaN from here on"
            hint = "a training that diverged, or the weights file of another cfg of the same size"
            return Diagnostic(Code.WEIGHTS_VALUES, Severity.WARNING, message, layer.span, hint)
    return None


def _wrong_values(array: np.ndarray, role: str) -> str | None:
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum()  # several times as fast as a look at each number
    if not np.isfinite(total) and (count := array.size - np.count_nonzero(np.isfinite(array))):
        return f"{count:,} of {array.size:,} numbers of its {role} are NaN or infinite"
    if role.endswith("variance") and (count := np.count_nonzero(array < NO_VARIANCE)):
        return f"{count:,} of {array.size:,} numbers of its {role} are negative"
    return None


def write_weights(path: str | Path, graph: Graph, weights: Weights, *, upto: int | None = None) -> None:
    """Write a weights file, of the layers before `upto` if given; the file appears whole or not at all."""
    path = Path(path)
    params = [p for p in graph.params if upto is None or p.layer < upto]
    missing = next((p for p in params if p.value not in weights.arrays), None)
    if missing:
        raise WeightsError(f"no array for {missing.value.name}", Code.WEIGHTS_SHORT)
    try:
        with replacing(path) as file:
            for piece in _stored(params, weights):
                file.write(piece)
    except OSError as e:
        raise WeightsError(f"cannot write {path}: {e.strerror or e}", Code.WEIGHTS_MISSING) from None


def hash_weights(graph: Graph, weights: Weights) -> str:
    """The SHA-256 of the file that weights were read from, whatever has become of it since."""
    digest = hashlib.sha256()
    for piece in _stored([p for p in graph.params if p.value in weights.arrays], weights):
        digest.update(piece)
    return digest.hexdigest()


def _stored(params: Sequence[Param], weights: Weights) -> Iterator[bytes | memoryview]:
    """The pieces of a weights file: its header, and each array as it is stored."""
    yield weights.header.to_bytes()
    for param in params:
        array = np.asarray(weights.arrays[param.value], np.float32)
        if _is_transposed(param, weights.header):
            array = array.reshape(param.value.shape[0], -1).T
        yield np.ascontiguousarray(array).data


def random_weights(graph: Graph, seed: int) -> Weights:
    """Seeded random parameters that keep activations in range: for timing and shape checks, never for results."""
    rng = np.random.default_rng(seed)
    return Weights(Header(), {p.value: _random_array(p, rng) for p in graph.params})


def _random_array(param: Param, rng: np.random.Generator) -> np.ndarray:
    shape = param.value.shape
    if param.role.endswith("variance"):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    if param.role.endswith("scales"):
        return rng.uniform(*SCALES, shape).astype(np.float32)
    if len(shape) == 1:
        return rng.normal(0, 0.1, shape).astype(np.float32)
    fan_in = max(1, param.size // shape[0])
    return (rng.standard_normal(shape, np.float32) * np.float32((GAIN / fan_in) ** 0.5)).astype(np.float32)
