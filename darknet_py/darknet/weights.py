"""The .weights file: a header, then float32 in the order in which the layers declared their parameters.

Decision: the list of parameters of the graph is the format. Reading, writing, the size check and the message that names
the layer where a file stops fitting all walk that one list. Files are mapped, not read.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import Code, Diagnostic, Severity, WeightsError
from ..files import replacing
from ..ir.graph import Graph, Param, Value
from .magic import LOOK, kind_of, text_kind_of

FLOAT_BYTES = 4
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
        """The header as the file has it."""
        return struct.pack("<iiiQ" if self.wide else "<iiiI", self.major, self.minor, self.revision, self.seen)

    @classmethod
    def from_bytes(cls, data: bytes, name: str = "the buffer") -> Header:
        """The header at the beginning of `data`; `WeightsError` if that is too short, or something else.

        With `LOOK` bytes of the file each kind of file that is no weights file is told from the others.
        """
        if kind := kind_of(data):
            raise WeightsError(f"{name} is no weights file, but {kind.title}", Code.WEIGHTS_HEADER, kind.remedy)
        if kind := text_kind_of(data):  # as a version: above 150 million
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
    numbers = np.abs(np.frombuffer(data, "<f4", len(data) // FLOAT_BYTES))
    if ((numbers == 0) | ((numbers > 1e-12) & (numbers < 1e6))).all():
        return "it has no header: its numbers begin at the first byte; put the 20 bytes of another file before them"
    return "this is no weights file, or one of another program"


@dataclass(frozen=True)
class Weights:
    """A weights file against a graph: its header, and an array for each parameter that it holds."""

    header: Header
    arrays: Mapping[Value, np.ndarray]


def read_header(path: Path) -> tuple[Header, int]:
    """The header of a weights file, and the length of the file in bytes. Raises `WeightsError`."""
    try:
        with path.open("rb") as file:
            start, size = file.read(LOOK), path.stat().st_size
    except OSError as e:
        raise WeightsError(f"cannot read {path}: {e.strerror or e}", Code.WEIGHTS_MISSING) from None
    except ValueError as e:  # a NUL in the name
        raise WeightsError(f"cannot read {str(path)!r}: {e}", Code.WEIGHTS_MISSING) from None
    if not path.is_file():
        raise WeightsError(f"{path} is a device or a pipe, which cannot be mapped", Code.WEIGHTS_MISSING)
    return Header.from_bytes(start, str(path)), size


def read_weights(path: str | Path, graph: Graph, *, allow_partial: bool = False) -> Weights:
    """Map a weights file and cut it into the parameters of `graph`.

    Raises `WeightsError` if the file is missing, too short or too long; `allow_partial` accepts a file that ends
    between two layers (such as `yolov4.conv.137`).
    """
    path = Path(path)
    header, size = read_header(path)
    return _cut(_Stored(str(path), header, size, path), graph, allow_partial)


def parse_weights(data: bytes, graph: Graph, name: str = "the buffer") -> Weights:
    """The same of the contents of a weights file, which messages call `name`."""
    return _cut(_Stored(name, Header.from_bytes(data[:LOOK], name), len(data), data), graph, False)


@dataclass(frozen=True)
class _Stored:
    """Where the numbers of a weights file are."""

    name: str
    header: Header
    size: int
    place: Path | bytes

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
        try:
            return np.memmap(self.place, np.float32, "r", self.start, (count,))
        except (OSError, ValueError) as e:
            raise WeightsError(f"cannot map {self.name}: {e}", Code.WEIGHTS_MISSING) from None

    def explain(self, graph: Graph) -> str:
        """Why it does not fit a graph."""
        from .misfit import Contents, explain  # compiles the cfg again: only after an error

        try:
            floats = self.floats(self.count)
        except WeightsError:  # too large to be mapped
            floats = None
        return explain(Contents(self.name, self.size, self.start, self.header.seen, floats), graph)


def explain_misfit(path: Path, header: Header, size: int, graph: Graph) -> str:
    """Why a weights file, whose header and size `read_header` gave, does not fit a graph, and what to do."""
    return _Stored(str(path), header, size, path).explain(graph)


def _cut(file: _Stored, graph: Graph, allow_partial: bool) -> Weights:
    wanted = sum(p.size for p in graph.params)
    floats = file.floats(min(file.count, wanted))
    arrays: dict[Value, np.ndarray] = {}
    at, begun = 0, -1
    for param in graph.params:
        left = len(floats) - at
        if param.size > left:
            if allow_partial and left == 0 and param.layer != begun and not file.odd:
                break
            raise _too_short(file, graph, param, at, left)
        arrays[param.value] = _from_stored(floats[at : at + param.size], param, file.header)
        at, begun = at + param.size, param.layer
    if at < file.count:
        more = file.count - at
        message = f"{file.name} holds {file.count:,} floats, and the network wants {at:,}: {more:,} too many"
        raise WeightsError(message, Code.WEIGHTS_LONG, file.explain(graph))
    if file.odd:
        message = f"{file.name} ends in the middle of a number ({file.odd} bytes too many)"
        raise WeightsError(message, Code.WEIGHTS_LONG, file.explain(graph))
    _refuse_swapped(floats, file.name)
    return Weights(file.header, arrays)


def _refuse_swapped(floats: np.ndarray, name: str) -> None:
    """Raise for numbers whose bytes are in the other order; Darknet reads them and computes nonsense."""
    some = np.abs(floats[:: max(1, len(floats) // 256)][:256])
    with np.errstate(invalid="ignore"):
        odd = np.count_nonzero(~((some == 0) | ((some > 1e-12) & (some < 1e6))))
    if odd < len(some) / 4:  # the usual case, without another import
        return
    from .misfit import are_swapped

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


def write_weights(path: str | Path, graph: Graph, weights: Weights, *, upto: int | None = None) -> None:
    """Write a weights file, of the layers before `upto` if given; the file appears whole or not at all."""
    path = Path(path)
    params = [p for p in graph.params if upto is None or p.layer < upto]
    missing = next((p for p in params if p.value not in weights.arrays), None)
    if missing:
        raise WeightsError(f"no array for {missing.value.name}", Code.WEIGHTS_SHORT)
    try:
        with replacing(path) as file:
            file.write(weights.header.to_bytes())
            for param in params:
                array = np.asarray(weights.arrays[param.value], np.float32)
                if _is_transposed(param, weights.header):
                    array = array.reshape(param.value.shape[0], -1).T
                file.write(np.ascontiguousarray(array).data)
    except OSError as e:
        raise WeightsError(f"cannot write {path}: {e.strerror or e}", Code.WEIGHTS_MISSING) from None


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
