"""The ledger of a weights file: which bytes a network would read for which layer, and where a file stops fitting.

Decision: unlike `read_weights` this never fails over a length, because it is what one looks at after that failed.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from ..ir import Graph
from .weights import FLOAT_BYTES, Header, read_header


@dataclass(frozen=True)
class LedgerRow:
    """The parameters of a layer: byte offset in the file, floats, parts in file order, and whether they are there."""

    index: int
    name: str
    offset: int
    floats: int
    parts: tuple[tuple[str, int], ...]
    held: bool


@dataclass(frozen=True)
class Ledger:
    """A weights file against a network."""

    path: Path
    header: Header
    size: int
    wanted: int
    rows: tuple[LedgerRow, ...]

    @property
    def fits(self) -> bool:
        """Whether the file has exactly the bytes that the network wants."""
        return self.size == self.wanted

    @property
    def verdict(self) -> str:
        """In words whether it fits, and where it does not."""
        if self.fits:
            return f"fits: {self.size:,} bytes, {len(self.rows)} layers with parameters"
        if self.size > self.wanted:
            return f"too long: the network wants {self.wanted:,} bytes, {self.size - self.wanted:,} are left over"
        first = next(row for row in self.rows if not row.held)
        return f"too short: the network wants {self.wanted:,} bytes; the file ends in or before layer {first.name}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        layers = [{**asdict(r), "parts": dict(r.parts)} for r in self.rows]
        head = {"path": str(self.path), "header": asdict(self.header), "bytes": self.size, "wanted": self.wanted}
        return {**head, "fits": self.fits, "verdict": self.verdict, "layers": layers}


def read_ledger(path: str | Path, graph: Graph) -> Ledger:
    """Hold a weights file against a network. Raises `WeightsError` if it cannot be read or has no header."""
    path = Path(path)
    header, size = read_header(path)
    offset = len(header.to_bytes())
    rows = []
    for index, group in groupby(graph.params, key=lambda p: p.layer):
        parts = tuple((p.role, p.size) for p in group)
        floats = sum(n for _, n in parts)
        end = offset + floats * FLOAT_BYTES
        rows.append(LedgerRow(index, graph.layer(index).name, offset, floats, parts, end <= size))
        offset = end
    return Ledger(path, header, size, offset, tuple(rows))
