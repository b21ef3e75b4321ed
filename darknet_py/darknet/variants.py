"""The network of a graph with one thing changed: another number of classes, of anchors, of filters, and what else is
changed in a cfg while its weights file stays.

Decision: nothing is predicted. The text that the graph came from is compiled again with other options, so a change is
judged by the parameters that it really gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..ir import Graph, LayerInfo, Param
from .cfg.edit import edit
from .compile import Compilation, compile_cfg
from .dialects import DIALECTS

WORK = 4000  # layers that are compiled at most to look for a changed `filters`
SIZES = range(1, 16)  # of a kernel

Edits = Mapping[tuple[int, str], int]  # (section, key): its value
Change = Iterator[tuple[str, Edits]]  # in words, and as options


def total(params: Sequence[Param]) -> int:
    """How many numbers parameters have."""
    return sum(p.size for p in params)


@dataclass(frozen=True, eq=False)
class Variants:
    """A graph, the text that it came from, compiled again, and how that was read."""

    graph: Graph
    own: Compilation
    dialect: str | None
    as_darknet: bool

    @classmethod
    def of(cls, graph: Graph) -> Variants | None:
        """Those of a graph; None where no reading of its text has its parameters."""
        if not graph.layers:
            return None
        sizes = [p.size for p in graph.params]
        for dialect in (None, *DIALECTS):
            for as_darknet in (False, True):
                own = _compiled(graph, graph.layers[0].span.source.text, dialect, as_darknet)
                if _is_whole(graph, own) and [p.size for p in own.graph.params] == sizes:
                    return cls(graph, own, dialect, as_darknet)
        return None

    def params(self, edits: Edits) -> tuple[Param, ...] | None:
        """The parameters with these options; None where the network cannot be built then."""
        text = edit(self.own.cfg, {place: str(value) for place, value in edits.items()})
        made = _compiled(self.graph, text, self.dialect, self.as_darknet)
        return made.graph.params if _is_whole(self.graph, made) else None

    def solve(self, edits: Callable[[int], Edits], now: int, wanted: int, other: int | None = None) -> int | None:
        """The value of `edits` with which there are as many numbers as wanted, by what an `other` one gives."""
        other = now + 1 if other is None else other
        params, count = self.params(edits(other)), total(self.graph.params)
        slope = (total(params) - count) / (other - now) if params else 0
        found = now + (wanted - count) / slope if slope else 0
        return int(found) if found == int(found) and found >= 1 and found != now else None

    def option(self, layer: int, key: str) -> int | None:
        """The whole number that an option of a layer is set to."""
        option = self.own.cfg.sections[layer + 1].find(key)
        text = option.value if option else None
        return int(text) if text and text.isascii() and text.isdigit() else None

    def outputs(self, layer: int) -> tuple[str, int] | None:
        """What a layer calls its number of channels, and that number; None for one that does not say it."""
        said = ((key, self.option(layer, key)) for key in ("filters", "output"))
        return next(((key, now) for key, now in said if now is not None), None)


def _compiled(graph: Graph, text: str, dialect: str | None, as_darknet: bool) -> Compilation:
    shape, name = graph.image.shape, graph.layers[0].span.source.name
    size = (shape[1], shape[2]) if len(shape) == 3 else None
    folder = str(Path(name).parent)
    return compile_cfg(text, name, folder=folder, dialect=dialect, size=size, as_darknet=as_darknet)


def _is_whole(graph: Graph, made: Compilation) -> bool:
    return len(made.graph.layers) == len(graph.layers)


# -- heads -------------------------------------------------------------------------------------------------------


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


def _heads(variants: Variants) -> list[_Head]:
    """The heads, if the numbers of each come from a layer of as many filters."""
    graph, found = variants.graph, []
    for index in graph.heads:
        info = graph.layer(index)
        learned = _learned(variants, info)
        classes = getattr(info.layer, "classes", 0)
        before = {"Gaussian_yolo": 9, "detection": 5 * getattr(info.layer, "num", 1)}.get(info.section, 5)
        if learned is None or classes < 1 or learned[2] % (before + classes):
            return []
        layer, key, now = learned
        found.append(_Head(index, classes, layer, key, now // (before + classes), before))
    return found


def _learned(variants: Variants, info: LayerInfo) -> tuple[int, str, int] | None:
    """The last layer before a layer that has weights, what it calls its number of channels, and that number."""
    while info.inputs and info.inputs[-1] >= 0:
        info = variants.graph.layer(info.inputs[-1])
        if (said := variants.outputs(info.index)) is not None:
            return info.index, *said
    return None


# -- changes -----------------------------------------------------------------------------------------------------


def _only(section: int, key: str) -> Callable[[int], Edits]:
    """One option as what is changed."""
    return lambda value: {(section, key): value}


def _classes(variants: Variants, wanted: int) -> Change:
    heads = _heads(variants)
    if not heads or len({h.classes for h in heads}) > 1:
        yield from _classes_of_classifier(variants, wanted)
        return

    def edits(classes: int) -> Edits:
        own = {(h.layer + 1, "classes"): classes for h in heads}
        return own | {(h.learned + 1, h.key): h.numbers(classes) for h in heads}

    now = heads[0].classes
    if found := variants.solve(edits, now, wanted):
        numbers = dict.fromkeys(f"{h.key}={h.numbers(found)}" for h in heads)
        yield f"classes={found} ({', '.join(numbers)}) in place of {now}", edits(found)


def _classes_of_classifier(variants: Variants, wanted: int) -> Change:
    """Another number of outputs of the last layer with weights of a network without heads."""
    graph = variants.graph
    if graph.heads or not graph.params:
        return
    last = graph.params[-1].layer
    if (said := variants.outputs(last)) is None:
        return
    key, now = said
    if found := variants.solve(_only(last + 1, key), now, wanted):
        yield f"{found} classes ({key}={found} in layer {last}) in place of {now}", {(last + 1, key): found}


def _channels(variants: Variants, wanted: int) -> Change:
    now = variants.graph.image.shape[0]
    if found := variants.solve(_only(0, "channels"), now, wanted):
        yield f"channels={found} in [net] in place of {now}", {(0, "channels"): found}


def _boxes(variants: Variants, wanted: int) -> Change:
    """Another number of anchors for each cell, the same more or less in all heads."""
    heads = [h for h in _heads(variants) if h.key == "filters"]
    if not heads:
        return
    now = heads[0].count

    def edits(count: int) -> Edits:
        return {(h.learned + 1, h.key): h.numbers(h.classes, h.count + count - now) for h in heads}

    found = variants.solve(edits, now, wanted)
    if found and all(h.count + found - now > 0 for h in heads):
        numbers = dict.fromkeys(f"filters={v}" for v in edits(found).values())
        yield f"{found} anchors for each cell ({', '.join(numbers)}) in place of {now}", edits(found)


def _layers(variants: Variants) -> list[tuple[int, str, int]]:
    """Each layer with weights and `filters` or `output`, the key, and its value."""
    learned = dict.fromkeys(p.layer for p in variants.graph.params)
    return [(index, *said) for index in learned if (said := variants.outputs(index)) is not None]


def _normalized(variants: Variants, wanted: int) -> Change:
    """`batch_normalize` the other way in one layer, or in all that have it, or in all that do not."""
    missing = wanted - total(variants.graph.params)
    layers = _layers(variants)
    on = {i: bool(variants.option(i, "batch_normalize")) for i, _, _ in layers}
    for index, _, n in layers:
        if missing == (-3 * n if on[index] else 3 * n):
            value = int(not on[index])
            yield f"batch_normalize={value} in layer {index}", {(index + 1, "batch_normalize"): value}
    last = {i for i, _, _ in layers[-1:]} | {h.learned for h in _heads(variants)}
    for state in (False, True):
        some = [(i, n) for i, _, n in layers if on[i] is state]
        for chosen, which in ((some, "all layers"), ([(i, n) for i, n in some if i not in last], "all but the last")):
            change = 3 * sum(n for _, n in chosen)
            if len(chosen) > 1 and missing == (-change if state else change):
                value = int(not state)
                yield f"batch_normalize={value} in {which}", {(i + 1, "batch_normalize"): value for i, _ in chosen}


def _kernels(variants: Variants, wanted: int) -> Change:
    """Another `size` or `groups` of one convolution."""
    missing = wanted - total(variants.graph.params)
    for param in variants.graph.params:
        shape = param.value.shape
        if param.role != "weights" or len(shape) != 4 or variants.option(param.layer, "filters") is None:
            continue
        for size in SIZES:
            if size != shape[2] and missing == shape[0] * shape[1] * (size * size - shape[2] * shape[3]):
                yield f"size={size} in layer {param.layer} in place of {shape[2]}", {(param.layer + 1, "size"): size}
        groups = variants.option(param.layer, "groups") or 1
        whole = param.size * groups  # of a convolution in one group
        now = whole // groups + missing
        if now > 0 and whole % now == 0 and (found := whole // now) != groups:
            told = f"groups={found} in layer {param.layer} in place of {groups}"
            yield told, {(param.layer + 1, "groups"): found}


def _filters(variants: Variants, wanted: int) -> Change:
    layers = _layers(variants)
    if len(layers) * len(variants.graph.layers) > WORK:
        return
    for index, key, now in layers:
        # Twice as many, which groups that divide the number divide too.
        if found := variants.solve(_only(index + 1, key), now, wanted, 2 * now):
            yield f"{key}={found} in layer {index} in place of {now}", {(index + 1, key): found}


# What gives a network so many numbers, the likeliest first.
CHANGES: tuple[Callable[[Variants, int], Change], ...] = (
    _classes, _channels, _boxes, _normalized, _kernels, _filters,
)  # fmt: skip
