"""Why a weights file does not fit a network: the one cause that explains its number of bytes exactly, in words.

Decision: causes are computed, not listed. What the sizes alone decide comes first (a header too much, numbers of
another width, an end between two layers); then the cfg is compiled again with one number changed, and a change is only
named if the file would fit to the last float and the stored variances are no negative numbers then.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from ..errors import Diagnostics
from ..ir import Graph, LayerInfo, Param
from .cfg import Section, parse
from .compile import Compilation, compile_cfg
from .dialects import DIALECTS

FLOAT = 4  # bytes
HEADERS = (0, 16, 20)  # bytes that there may be before the numbers; 0: somebody cut them off
WIDTHS = {2: "float16 (half precision)", 8: "float64 (double precision)", 1: "8-bit integers"}
IMAGES = 1 << 40  # more have been seen in no training
PAGE = 4096  # a transfer that stops leaves whole pages
VARIANCES = 1e12  # none is larger; as an integer or another width read wrong may be
LAYER = 6  # numbers: a layer has a bias and a weight of each filter, and a head at least six filters
WORK = 4000  # layers that are compiled at most to look for a changed `filters`
SIZES = range(1, 16)  # of a kernel

Edits = Mapping[tuple[int, str], int]  # (section, key): its value


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
        return (self.size - self.header) // FLOAT


def explain(file: Contents, graph: Graph) -> str:
    """What is probably wrong with a file that has too many numbers for the graph, or too few, and what to do."""
    causes = (_other_width, _impossible_images, _boundary, _changed, _goes_on)
    return next((told for cause in causes if (told := cause(file, graph))), None) or _guess(file, graph)


def are_swapped(floats: np.ndarray) -> bool:
    """Whether numbers look like those of a machine with the other order of bytes.

    >>> numbers = np.linspace(-1, 1, 64, dtype=np.float32)
    >>> are_swapped(numbers), are_swapped(numbers.byteswap())
    (False, True)
    """
    some = np.array(floats[:: max(1, len(floats) // 4096)][:4096], np.float32)
    return len(some) >= 16 and _sane(some) < 0.6 and _sane(some.byteswap()) > 0.95


def _sane(numbers: np.ndarray) -> float:
    """The share of numbers that a network may have."""
    with np.errstate(invalid="ignore"):
        size = np.abs(numbers)
        return float(((size == 0) | ((size > 1e-12) & (size < 1e6))).mean())


def _total(params: Sequence[Param]) -> int:
    return sum(p.size for p in params)


def _other_width(file: Contents, graph: Graph) -> str | None:
    """A header of another length, or numbers of another width."""
    wanted = _total(graph.params)
    for header in HEADERS:
        # A number in the place of the upper half of a count of images makes the count impossible; zeros do not.
        tells = header != 16 or file.seen >> 32
        if tells and header != file.header and file.size - header == wanted * FLOAT:
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
    if file.count not in ends or (file.size - file.header) % FLOAT:
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
    variants = _Variants(graph)
    if variants.base is None or (file.size - file.header) % FLOAT:
        return None
    for search in (_classes, _channels, _boxes, _normalized, _kernels, _filters):
        found = [told for told, edits in search(variants, file.count) if variants.fits(edits, file)]
        if found:
            return f"it fits this network with {', or with '.join(found[:3])}"
    return None


def _goes_on(file: Contents, graph: Graph) -> str | None:
    """A file whose first numbers are those of this network."""
    wanted = _total(graph.params)
    if file.count <= wanted or not _is_plausible(graph.params, file.floats, surely=True):
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
    if file.count > _total(graph.params):
        return "is this the weights file of another cfg?"
    if file.size % PAGE == 0:
        return f"a truncated download: {file.size:,} bytes is where a transfer stops, not a network"
    return "a truncated download, or the weights file of another cfg"


def _is_plausible(params: Sequence[Param], floats: np.ndarray | None, surely: bool = False) -> bool:
    """Whether the variances among the numbers are none that no training leaves; `surely`: and there are some."""
    at, seen = 0, 0
    for param in params if floats is not None else ():
        if param.role.endswith("variance"):
            assert floats is not None
            stored = np.asarray(floats[at : at + param.size])
            with np.errstate(invalid="ignore"):
                if not ((stored >= 0) & (stored < VARIANCES)).all():
                    return False
            seen += param.size
        at += param.size
    return seen > 0 or not surely


class _Variants:
    """The network of a graph compiled again from its cfg with some options changed."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.source = graph.layers[0].span.source if graph.layers else None
        shape = graph.image.shape
        self._size = (shape[1], shape[2]) if len(shape) == 3 else None
        self._options = self._find_options()
        self.base = self.params({})

    @cached_property
    def sections(self) -> tuple[Section, ...]:
        """[net] and the layers."""
        assert self.source is not None
        return parse(self.source.text, self.source.name, Diagnostics()).sections

    def params(self, edits: Edits) -> tuple[Param, ...] | None:
        """The parameters with these options; None where the network cannot be built then."""
        made = self._compile(self._edited(edits), *self._options) if self._options else None
        return made.graph.params if made and len(made.graph.layers) == len(self.graph.layers) else None

    def fits(self, edits: Edits, file: Contents) -> bool:
        """Whether a file fits the network with these options."""
        params = self.params(edits)
        return params is not None and _total(params) == file.count and _is_plausible(params, file.floats)

    def solve(self, edits_of: Mapping[int, Edits], value: int, wanted: int) -> int | None:
        """The value at which there are as many numbers as wanted, from one other value and the number there is now."""
        (other, edits), *_ = edits_of.items()
        params = self.params(edits)
        now = _total(self.base or ())
        slope = (_total(params) - now) / (other - value) if params else 0
        found = value + (wanted - now) / slope if slope else 0
        return int(found) if found == int(found) and found >= 1 and found != value else None

    def option(self, section: int, key: str) -> int | None:
        """The whole number that an option of a section is set to."""
        option = self.sections[section].find(key)
        text = option.value if option else None
        return int(text) if text and text.isascii() and text.isdigit() else None

    def _find_options(self) -> tuple[str | None, bool] | None:
        """The dialect, and whether it reads as Darknet does, with which the text has the parameters of the graph."""
        if self.source is None:
            return None
        sizes = [p.size for p in self.graph.params]
        for dialect in (None, *DIALECTS):
            for as_darknet in (False, True):
                made = self._compile(self.source.text, dialect, as_darknet)
                if made and [p.size for p in made.graph.params] == sizes:
                    return dialect, as_darknet
        return None

    def _compile(self, text: str, dialect: str | None, as_darknet: bool) -> Compilation | None:
        assert self.source is not None
        folder = str(Path(self.source.name).parent)
        return compile_cfg(
            text, self.source.name, folder=folder, dialect=dialect, size=self._size, as_darknet=as_darknet
        )

    def _edited(self, edits: Edits) -> str:
        assert self.source is not None
        places = []
        for (index, key), value in edits.items():
            section = self.sections[index]
            option = section.find(key)
            if option:
                places.append((option.value_span.start, option.value_span.end, str(value)))
            else:
                places.append((section.span.end, section.span.end, f"\n{key}={value}\n"))
        text = self.source.text
        for start, end, new in sorted(places, reverse=True):
            text = text[:start] + new + text[end:]
        return text


Search = Iterator[tuple[str, Edits]]


@dataclass(frozen=True)
class _Head:
    """A head: its classes, and the option that says how many numbers come before it, n (before + classes)."""

    layer: int
    classes: int
    learned: int
    key: str
    count: int
    before: int

    def numbers(self, classes: int, count: int | None = None) -> int:
        return (count or self.count) * (self.before + classes)


def _heads(variants: _Variants) -> list[_Head]:
    """The heads whose numbers come from a layer of as many filters."""
    graph, found = variants.graph, []
    for index in graph.heads:
        info = graph.layer(index)
        learned, key = _learned(variants, info)
        classes = getattr(info.layer, "classes", 0)
        now = variants.option(learned + 1, key) if learned is not None else None
        before = {"Gaussian_yolo": 9, "detection": 5 * getattr(info.layer, "num", 1)}.get(info.section, 5)
        if learned is None or now is None or classes < 1 or now % (before + classes):
            return []
        found.append(_Head(index, classes, learned, key, now // (before + classes), before))
    return found


def _learned(variants: _Variants, info: LayerInfo) -> tuple[int | None, str]:
    """The last layer before a layer that has weights, and what it calls its number of channels."""
    graph = variants.graph
    while info.inputs and info.inputs[-1] >= 0:
        info = graph.layer(info.inputs[-1])
        for key in ("filters", "output"):
            if variants.option(info.index + 1, key) is not None:
                return info.index, key
    return None, ""


def _classes(variants: _Variants, wanted: int) -> Search:
    heads = _heads(variants)
    if not heads or len({h.classes for h in heads}) > 1:
        yield from _classes_of_classifier(variants, wanted)
        return

    def edits(classes: int) -> Edits:
        own = {(h.layer + 1, "classes"): classes for h in heads}
        return own | {(h.learned + 1, h.key): h.numbers(classes) for h in heads}

    now = heads[0].classes
    found = variants.solve({now + 1: edits(now + 1)}, now, wanted)
    if found:
        numbers = dict.fromkeys(f"{h.key}={h.numbers(found)}" for h in heads)
        yield f"classes={found} ({', '.join(numbers)}) in place of {now}", edits(found)


def _classes_of_classifier(variants: _Variants, wanted: int) -> Search:
    """Another number of outputs of the last layer with weights of a network without heads."""
    graph = variants.graph
    if graph.heads or not graph.params:
        return
    last = graph.params[-1].layer
    for key in ("filters", "output"):
        now = variants.option(last + 1, key)
        if now is None:
            continue
        found = variants.solve({now + 1: {(last + 1, key): now + 1}}, now, wanted)
        if found:
            yield f"{found} classes ({key}={found} in layer {last}) in place of {now}", {(last + 1, key): found}


def _channels(variants: _Variants, wanted: int) -> Search:
    now = variants.graph.image.shape[0]
    found = variants.solve({now + 1: {(0, "channels"): now + 1}}, now, wanted)
    if found:
        yield f"channels={found} in [net] in place of {now}", {(0, "channels"): found}


def _boxes(variants: _Variants, wanted: int) -> Search:
    """Another number of anchors for each cell, the same more or less in all heads."""
    heads = [h for h in _heads(variants) if h.key == "filters"]

    def edits(more: int) -> Edits:
        return {(h.learned + 1, h.key): h.numbers(h.classes, h.count + more) for h in heads}

    if not heads:
        return
    now = heads[0].count
    found = variants.solve({now + 1: edits(1)}, now, wanted)
    if found and all(h.count + found - now > 0 for h in heads):
        numbers = dict.fromkeys(f"filters={v}" for v in edits(found - now).values())
        yield f"{found} anchors for each cell ({', '.join(numbers)}) in place of {now}", edits(found - now)


def _learned_layers(variants: _Variants) -> list[tuple[int, str, int]]:
    """Each layer with `filters` or `output`, the key, and its value."""
    found = []
    for index in dict.fromkeys(p.layer for p in variants.graph.params):
        for key in ("filters", "output"):
            now = variants.option(index + 1, key)
            if now is not None:
                found.append((index, key, now))
    return found


def _normalized(variants: _Variants, wanted: int) -> Search:
    """`batch_normalize` the other way in one layer, or in all that have it, or in all that do not."""
    missing = wanted - _total(variants.graph.params)
    layers = _learned_layers(variants)
    on = {i: bool(variants.option(i + 1, "batch_normalize")) for i, _, _ in layers}
    for index, _, n in layers:
        if missing == (-3 * n if on[index] else 3 * n):
            value = int(not on[index])
            yield f"batch_normalize={value} in layer {index}", {(index + 1, "batch_normalize"): value}
    for state in (False, True):
        some = [(i, n) for i, _, n in layers if on[i] is state]
        last = {i for i, _, _ in layers[-1:]} | {h.learned for h in _heads(variants)}
        for chosen, which in ((some, "all layers"), ([(i, n) for i, n in some if i not in last], "all but the last")):
            change = 3 * sum(n for _, n in chosen)
            if len(chosen) > 1 and missing == (-change if state else change):
                value = int(not state)
                yield f"batch_normalize={value} in {which}", {(i + 1, "batch_normalize"): value for i, _ in chosen}


def _kernels(variants: _Variants, wanted: int) -> Search:
    """Another `size` or `groups` of one convolution."""
    missing = wanted - _total(variants.graph.params)
    for param in variants.graph.params:
        shape = param.value.shape
        if param.role != "weights" or len(shape) != 4 or variants.option(param.layer + 1, "filters") is None:
            continue
        for size in SIZES:
            if size != shape[2] and missing == shape[0] * shape[1] * (size * size - shape[2] * shape[3]):
                yield f"size={size} in layer {param.layer} in place of {shape[2]}", {(param.layer + 1, "size"): size}
        groups = variants.option(param.layer + 1, "groups") or 1
        whole = param.size * groups  # of a convolution in one group
        now = whole // groups + missing
        if now > 0 and whole % now == 0 and (found := whole // now) != groups:
            told = f"groups={found} in layer {param.layer} in place of {groups}"
            yield told, {(param.layer + 1, "groups"): found}


def _filters(variants: _Variants, wanted: int) -> Search:
    layers = _learned_layers(variants)
    if len(layers) * len(variants.graph.layers) > WORK:
        return
    for index, key, now in layers:
        # Twice as many, which groups that divide the number divide too.
        found = variants.solve({2 * now: {(index + 1, key): 2 * now}}, now, wanted)
        if found:
            yield f"{key}={found} in layer {index} in place of {now}", {(index + 1, key): found}
