"""The .weights file: a header, then float32 in the order in which the layers declared their parameters.

Decision: the list of parameters of the graph is the format. Reading, writing, the size check and the message that names
the layer where a file stops fitting all walk that one list. Files are read, not mapped: they may be rewritten later.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .. import files
from ..errors import Code, DataError, Diagnostic, Severity, WeightsError
from ..ir.graph import Graph, Param, Value
from .magic import LOOK, recognize, recognize_text
from .numbers import are_swapped, sane_share

FLOAT_BYTES = 4
EXPLAINED = 1 << 26  # numbers of a file that does not fit, which are looked at: 256 MB
VERSIONS = 1 << 16  # beyond any Darknet's; above 1000 a part of the version marks transposed matrices

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
        """The header as the file has it. Raises `WeightsError` for what it has no room for."""
        try:
            return struct.pack("<iiiQ" if self.wide else "<iiiI", self.major, self.minor, self.revision, self.seen)
        except struct.error:
            told = f"{self.seen!r} images seen: a header has a whole number below 2^{64 if self.wide else 32}"
            raise WeightsError(told, Code.WEIGHTS_HEADER) from None

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the buffer") -> Header:
        """The header at the beginning of `data`; `WeightsError` if that is too short, or something else.

        With `LOOK` bytes of the file each kind of file that is no weights file is told from the others.
        """
        if kind := recognize(data):
            raise WeightsError(f"{name} is no weights file, but {kind.title}", Code.WEIGHTS_HEADER, kind.remedy)
        if kind := recognize_text(data):  # as a version: above 150 million
            hint = kind.remedy if kind.title == "text" else f"it is {kind.title}: {kind.remedy}"
            raise WeightsError(f"{name} is text, not weights", Code.WEIGHTS_HEADER, hint)
        if len(data) < 12:
            raise WeightsError(f"{name}: {len(data)} bytes cannot hold a header", Code.WEIGHTS_HEADER)
        major, minor, revision = struct.unpack_from("<iii", data)
        if not _is_version(major, minor, revision):
            message = f"{name}: a version {major}.{minor}.{revision} is no Darknet's"
            raise WeightsError(message, Code.WEIGHTS_HEADER, _no_version(data))
        plain = cls(major, minor, revision)
        if len(data) < len(plain.to_bytes()):
            message = f"{name}: {len(data)} bytes cannot hold a header of version {major}.{minor}"
            raise WeightsError(message, Code.WEIGHTS_HEADER)
        (seen,) = struct.unpack_from("<Q" if plain.wide else "<I", data, 12)
        return cls(major, minor, revision, seen)


def _is_version(*parts: int) -> bool:
    return all(0 <= part < VERSIONS for part in parts)


def _no_version(data: bytes) -> str:
    """What a file is that has no version where Darknet writes one."""
    if _is_version(*struct.unpack_from(">iii", data)):
        return "the order of its bytes is the other one: it was written on another machine, and each number is reversed"
    if sane_share(np.frombuffer(data, "<f4", len(data) // FLOAT_BYTES)) == 1:
        return "it has no header: its numbers begin at the first byte; put the 20 bytes of another file before them"
    return "this is no weights file, or one of another program"


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
        with files.reading(path) as file:
            yield file
    except (DataError, OSError) as e:
        raise WeightsError(str(e), Code.WEIGHTS_MISSING) from None


def _read_header(file: BinaryIO, path: Path) -> tuple[Header, int]:
    return Header.from_bytes(file.read(LOOK), str(path)), os.fstat(file.fileno()).st_size


def read_weights(path: str | Path, graph: Graph, *, allow_partial: bool = False) -> Weights:
    """Read a weights file and cut it into the parameters of `graph`; what is in memory stays what it is.

    Raises `WeightsError` if the file is missing, too short or too long, or is written to at the same time;
    `allow_partial` accepts a file that ends between two layers (such as `yolov4.conv.137`).
    """
    path = Path(path)
    with _opened(path) as file:
        header, size = _read_header(file, path)
        before = os.fstat(file.fileno())
        weights = _cut(_Stored(str(path), header, size, file), graph, allow_partial)
        after = os.fstat(file.fileno())
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise _written_to(str(path))
    return weights


def _written_to(name: str) -> WeightsError:
    hint = "a training is saving them: try again"
    return WeightsError(f"{name} was written to while it was read", Code.WEIGHTS_MISSING, hint)


def parse_weights(data: bytes, graph: Graph, name: str = "the buffer") -> Weights:
    """The same of the contents of a weights file, which messages call `name`."""
    return _cut(_Stored(name, Header.from_bytes(data[:LOOK], name), len(data), data), graph, False)


@dataclass(frozen=True)
class _Stored:
    """Where the numbers of a weights file are."""

    name: str
    header: Header
    size: int
    place: BinaryIO | bytes

    @property
    def start(self) -> int:
        """Bytes before the numbers."""
        return len(self.header.to_bytes())

    @property
    def count(self) -> int:
        """Whole numbers in the file."""
        return (self.size - self.start) // FLOAT_BYTES

    @property
    def odd(self) -> int:
        """Bytes after the last whole number."""
        return (self.size - self.start) % FLOAT_BYTES

    def floats(self, count: int) -> np.ndarray:
        """The first numbers."""
        if not count:
            return np.zeros(0, np.float32)
        if isinstance(self.place, bytes):
            return np.frombuffer(self.place, np.float32, count, self.start)
        self.place.seek(self.start)
        floats = np.fromfile(self.place, np.float32, count)  # not mapped: a file may be rewritten, or cut, later
        if len(floats) != count:
            raise _written_to(self.name)
        return floats

    def explain(self, graph: Graph) -> str:
        """Why it does not fit a graph."""
        from .misfit import Contents, explain  # compiles the cfg again: only after an error

        floats = self.floats(self.count) if self.count <= EXPLAINED else None
        return explain(Contents(self.name, self.size, self.start, self.header.seen, floats), graph)


def explain_misfit(path: Path, header: Header, size: int, graph: Graph) -> str:
    """Why a weights file, whose header and size `read_header` gave, does not fit a graph, and what to do."""
    with _opened(path) as file:
        return _Stored(str(path), header, size, file).explain(graph)


def _cut(file: _Stored, graph: Graph, allow_partial: bool) -> Weights:
    params = _fitting(file, graph, allow_partial)
    floats = file.floats(sum(p.size for p in params))
    _refuse_swapped(floats, file.name)
    ends = accumulate(p.size for p in params)
    return Weights(
        file.header,
        {
            p.value: _from_stored(floats[end - p.size : end], p, file.header)
            for p, end in zip(params, ends, strict=True)
        },
    )


def _fitting(file: _Stored, graph: Graph, allow_partial: bool) -> list[Param]:
    """The parameters that a file of its length holds; `WeightsError` where it ends too early or too late."""
    params: list[Param] = []
    at, begun = 0, -1
    for param in graph.params:
        left = file.count - at
        if param.size > left:
            if allow_partial and left == 0 and param.layer != begun and not file.odd:
                break
            raise _too_short(file, graph, param, at, left)
        params.append(param)
        at, begun = at + param.size, param.layer
    if at < file.count:
        more = file.count - at
        message = f"{file.name} holds {file.count:,} floats, and the network wants {at:,}: {more:,} too many"
        raise WeightsError(message, Code.WEIGHTS_LONG, file.explain(graph))
    if file.odd:
        message = f"{file.name} ends in the middle of a number ({file.odd} bytes too many)"
        raise WeightsError(message, Code.WEIGHTS_LONG, file.explain(graph))
    return params


def _refuse_swapped(floats: np.ndarray, name: str) -> None:
    """Raise for numbers whose bytes are in the other order; Darknet reads them and computes nonsense."""
    if are_swapped(floats):
        hint = "it was written on another machine, or by a program that reversed each number"
        raise WeightsError(f"{name}: its numbers have the other order of bytes", Code.WEIGHTS_HEADER, hint)


def _too_short(file: _Stored, graph: Graph, param: Param, at: int, left: int) -> WeightsError:
    # Count from the beginning of the layer: the reader of the message thinks in layers.
    own = [p for p in graph.params if p.layer == param.layer]
    before = sum(p.size for p in own[: own.index(param)])
    wanted = sum(p.size for p in own)
    layer = graph.layer(param.layer)
    total = sum(p.size for p in graph.params)
    message = (
        f"{file.name} is too short: layer {layer.index} [{layer.section}] wants {wanted:,} floats, "
        f"{left + before:,} are left (the network has {total:,}, the file {at + left:,})"
    )
    return WeightsError(message, Code.WEIGHTS_SHORT, file.explain(graph))


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


def write_weights(
    path: str | Path, graph: Graph, weights: Weights, *, upto: int | None = None, replace: bool = False
) -> int:
    """Write a weights file, of the layers before `upto` if given; the file appears whole or not at all.

    Gives the number of its bytes.

    Raises `WeightsError` if it cannot, and `DataError` if there is a file that this package did not write, unless
    `replace` says that it may go.
    """
    path = Path(path)
    params = [p for p in graph.params if upto is None or p.layer < upto]
    missing = next((p for p in params if p.value not in weights.arrays), None)
    if missing:
        raise WeightsError(f"no array for {missing.value.name}", Code.WEIGHTS_SHORT)
    try:
        with files.replacing(path, replace=replace) as file:
            return sum(file.write(piece) for piece in _stored(params, weights))
    except OSError as e:
        raise WeightsError(f"cannot write {path}: {e.strerror or e}", Code.WEIGHTS_MISSING) from None


def cut_weights(weights: str | Path, graph: Graph, output: str | Path, layers: int, *, replace: bool = False) -> int:
    """Write the weights of the first layers of a network to a file of their own, as Darknet's `partial` does.

    So a backbone goes from a classifier to a detector. Gives the number of bytes. Raises as `read_weights` and
    `write_weights` do, and `WeightsError` for a file that ends before these layers do.
    """
    read = read_weights(weights, graph, allow_partial=True)
    lacking = next((p.layer for p in graph.params if p.layer < layers and p.value not in read.arrays), None)
    if lacking is not None:
        message = f"{weights} ends before layer {lacking}, and layers 0 to {layers - 1} were wanted"
        raise WeightsError(
            message, Code.WEIGHTS_SHORT, f"cut the whole file, or the first {lacking} layers of this one"
        )
    # darknet.c partial: the version it writes is its own, and the count of images starts again
    return write_weights(output, graph, Weights(Header(), read.arrays), upto=layers, replace=replace)


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
