"""Why a weights file does not fit a network: the one cause that explains its number of bytes exactly, in words.

Decision: causes are computed, not listed. What the sizes alone decide comes first (a header too much, numbers of
another width, an end between two layers); then variants of the network (variants.py) are held against the file, and one
is only named if the file would fit to the last float and the stored variances are no negative numbers then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..ir import Graph, Param
from .numbers import are_plausible, are_swapped
from .variants import CHANGES, Variants, total
from .weights import FLOAT_BYTES

HEADERS = (0, 16, 20)  # bytes that there may be before the numbers; 0: somebody cut them off
WIDTHS = {2: "float16 (half precision)", 8: "float64 (double precision)", 1: "8-bit integers"}
IMAGES = 1 << 40  # more have been seen in no training
PAGE = 4096  # a transfer that stops leaves whole pages
LAYER = 6  # numbers: a layer has a bias and a weight of each filter, and a head at least six filters


@dataclass(frozen=True)
class Contents:
    """A weights file as it was read: its name, bytes, bytes of header, images seen, and the numbers after the header.

    `floats` is None where they could not be mapped.
    """

    name: str
    size: int
    header: int
    seen: int
    floats: np.ndarray | None

    @property
    def count(self) -> int:
        """Whole numbers after the header."""
        return (self.size - self.header) // FLOAT_BYTES

    @property
    def odd(self) -> int:
        """Bytes after the last whole number."""
        return (self.size - self.header) % FLOAT_BYTES


def explain(file: Contents, graph: Graph) -> str:
    """What is probably wrong with a file that has too many numbers for the graph, or too few, and what to do."""
    causes = (_other_width, _impossible_images, _boundary, _changed, _goes_on)
    return next((told for cause in causes if (told := cause(file, graph))), None) or _guess(file, graph)


def _other_width(file: Contents, graph: Graph) -> str | None:
    """A header of another length, or numbers of another width."""
    wanted = total(graph.params)
    for header in HEADERS:
        # A number in the place of the upper half of a count of images makes the count impossible; zeros do not.
        tells = header != 16 or file.seen >> 32
        if tells and header != file.header and file.size - header == wanted * FLOAT_BYTES:
            return _OTHER_HEADER[header]
    for header in (file.header, *HEADERS):
        for width, name in WIDTHS.items():
            if wanted and file.size - header == wanted * width:
                return f"its size is that of {wanted:,} numbers as {name}: convert them to float32, which Darknet reads"
    return None


_OTHER_HEADER = {
    0: "it has no header: its numbers begin at the first byte; put the 20 bytes of another weights file before them",
    16: "a header of 16 bytes, as a 32-bit Darknet writes it (images seen in 4 bytes), whose version says 20: insert "
    "four zero bytes after the first 16",
    20: "a header of 20 bytes (images seen in 8 bytes) whose version says 16: cut out bytes 16 to 19, or set the "
    "version to 0.2",
}


def _impossible_images(file: Contents, graph: Graph) -> str | None:
    if file.seen < IMAGES:
        return None
    return (
        f"its header says {file.seen:,} images seen, which cannot be: a 32-bit Darknet wrote a header of 16 bytes, or "
        "this is no weights file"
    )


def _boundary(file: Contents, graph: Graph) -> str | None:
    """An end exactly between two layers."""
    at, last = 0, None
    ends: dict[int, tuple[int | None, int]] = {}
    for param in graph.params:
        if param.layer != last:
            ends.setdefault(at, (last, param.layer))
        last, at = param.layer, at + param.size
    if file.count not in ends or file.odd:
        return None
    before, after = ends[file.count]
    if before is None:
        return "it has a header and no weights"
    heads = [h for h in graph.heads if before < h < after]
    if heads:
        return (
            f"it ends exactly after the head in layer {heads[-1]}: the weights of the same network with fewer heads "
            f"(without layers {after} and up)"
        )
    layers = _cut_at(file.name, before + 1, after)
    return (
        f"it ends exactly after layer {before}: the weights of the first {layers} layers only (a .conv.{layers} file, "
        "as `darknet-py cut` and Darknet's `partial` write them), for training; a detector needs the trained .weights, "
        "or --allow-partial for timing"
    )


def _cut_at(name: str, least: int, most: int) -> int:
    """How many layers a cut file has; layers without weights do not show, so its own name decides between these."""
    suffix = Path(name).suffix[1:]
    number = int(suffix) if suffix.isascii() and suffix.isdigit() else least
    return number if least <= number <= most else least


def _changed(file: Contents, graph: Graph) -> str | None:
    """The same network with one number changed."""
    variants = None if file.odd else Variants.of(graph)
    if variants is None:
        return None
    for change in CHANGES:
        made = [(told, variants.params(edits)) for told, edits in change(variants, file.count)]
        found = [told for told, params in made if params is not None and _fits(file, params)]
        if found:
            return f"it fits this network with {', or with '.join(found[:3])}"
    return None


def _fits(file: Contents, params: Sequence[Param]) -> bool:
    return total(params) == file.count and are_plausible(file.floats, params)


def _goes_on(file: Contents, graph: Graph) -> str | None:
    """A file whose first numbers are those of this network."""
    wanted = total(graph.params)
    if file.count <= wanted or not are_plausible(file.floats, graph.params, surely=True):
        return None
    if file.count - wanted < LAYER:
        return "its numbers may be this network's: something was written after their end"
    return (
        f"its first {wanted:,} numbers may be this network's: the weights of one that has more layers after these (one "
        "head more, for instance)"
    )


def _guess(file: Contents, graph: Graph) -> str:
    if file.floats is not None and are_swapped(file.floats):
        return "its numbers have the other order of bytes: they were written on another machine"
    if file.count > total(graph.params):
        return "is this the weights file of another cfg?"
    if file.size % PAGE == 0:
        return f"a truncated download: {file.size:,} bytes is where a transfer stops, not a network"
    return "a truncated download, or the weights file of another cfg"
