"""The ledger of a weights file: which bytes a network would read for which layer, and where a file stops fitting.

Decision: unlike `read_weights` this never fails over a length, because it is what one looks at after that failed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import Diagnostic, WeightsError
from ..files import reading
from ..ir import Graph, Param
from .weights import FLOAT_BYTES, Header, explain_misfit, find_wrong_values, read_header, read_weights

MANY = 0.5  # the share of numbers from which on zeros and denormal numbers are worth a word


@dataclass(frozen=True)
class LedgerRow:
    """The parameters of a layer: byte offset in the file, floats, parts in file order, and whether they are there.

    Of these floats `wrong` are NaN or infinite, `zeros` are 0, and `denormal` are too small for a normal float32.
    """

    index: int
    name: str
    offset: int
    floats: int
    parts: tuple[tuple[str, int], ...]
    held: bool
    wrong: int = 0
    zeros: int = 0
    denormal: int = 0

    @property
    def notes(self) -> tuple[str, ...]:
        """What is odd about the numbers, in words; empty where nothing is."""
        shares = (("NaN or infinite", self.wrong, 0), ("zero", self.zeros, MANY), ("denormal", self.denormal, MANY))
        return tuple(
            f"{_share(count, self.floats)} {name}" for name, count, above in shares if count > above * self.floats
        )


@dataclass(frozen=True)
class Ledger:
    """A weights file against a network."""

    path: Path
    header: Header
    size: int
    wanted: int
    rows: tuple[LedgerRow, ...]
    cause: str | None = None  # why it does not fit
    warning: Diagnostic | None = None  # what makes the network compute NaN

    @property
    def fits(self) -> bool:
        """Whether the file has exactly the bytes that the network wants."""
        return self.size == self.wanted

    @property
    def verdict(self) -> str:
        """In words whether it fits, and where it does not."""
        if self.fits:
            return f"fits: {self.size:,} bytes, {len(self.rows)} layers with parameters"
        return f"{self._misfit}\n  hint: {self.cause}" if self.cause else self._misfit

    @property
    def _misfit(self) -> str:
        if self.size > self.wanted:
            return f"too long: the network wants {self.wanted:,} bytes, {self.size - self.wanted:,} are left over"
        first = next(row for row in self.rows if not row.held)
        return f"too short: the network wants {self.wanted:,} bytes; the file ends in or before layer {first.name}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        layers = [{**asdict(r), "parts": dict(r.parts)} for r in self.rows]
        head = {"path": str(self.path), "header": asdict(self.header), "bytes": self.size, "wanted": self.wanted}
        told = [] if self.warning is None else [self.warning.to_dict()]
        return {**head, "fits": self.fits, "verdict": self.verdict, "diagnostics": told, "layers": layers}


def read_ledger(path: str | Path, graph: Graph) -> Ledger:
    """Hold a weights file against a network, and look at its numbers.

    Raises `WeightsError` if it cannot be read, has no header, or none of its numbers is what it was written as.
    """
    path = Path(path)
    header, size = read_header(path)
    offset = len(header.to_bytes())
    rows = []
    for index, group in groupby(graph.params, key=lambda p: p.layer):
        own = tuple(group)
        floats = sum(p.size for p in own)
        end = offset + floats * FLOAT_BYTES
        counts = _counts(path, offset, floats) if floats and end <= size else (0, 0, 0)
        rows.append(LedgerRow(index, graph.layer(index).name, offset, floats, _parts(own), end <= size, *counts))
        offset = end
    if size != offset:
        cause = explain_misfit(path, header, size, graph)
        return Ledger(path, header, size, offset, tuple(rows), cause, _warning_of_a_part(path, graph))
    return Ledger(path, header, size, offset, tuple(rows), None, find_wrong_values(read_weights(path, graph), graph))


def _parts(params: tuple[Param, ...]) -> tuple[tuple[str, int], ...]:
    return tuple((p.role, p.size) for p in params)


def _warning_of_a_part(path: Path, graph: Graph) -> Diagnostic | None:
    """What is wrong with the numbers of a file that ends between two layers; those of other files are not known."""
    try:
        return find_wrong_values(read_weights(path, graph, allow_partial=True), graph)
    except WeightsError:
        return None


def _counts(path: Path, offset: int, count: int) -> tuple[int, int, int]:
    """How many of some numbers of a file are no numbers, zero and denormal."""
    with reading(path) as file:
        file.seek(offset)
        floats = np.fromfile(file, np.float32, count)
    with np.errstate(invalid="ignore"):
        size = np.abs(floats)
        wrong = count - int(np.count_nonzero(np.isfinite(floats)))
        zeros = count - int(np.count_nonzero(floats))
        return wrong, zeros, int(np.count_nonzero((size > 0) & (size < np.finfo(np.float32).tiny)))


def _share(count: int, floats: int) -> str:
    """How many of the numbers, in words: a share that rounds to nothing is told as a count.

    >>> _share(8, 8), _share(4, 8), _share(1, 1000)
    ('all', '50%', '1 of 1,000')
    """
    if count == floats:
        return "all"
    return f"{count / floats:.0%}" if 0.01 <= count / floats <= 0.99 else f"{count:,} of {floats:,}"
