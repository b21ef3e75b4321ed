"""A network as boxes, arrows and stages: what the pictures of `darknet-py graph` show, before anything is drawn.

Decision: a picture is data (`Drawing`) that each format writes in its own way, so Mermaid, DOT and SVG cannot disagree.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace

from ...darknet.layers.layer import layer_of
from ...ir.graph import Graph
from ..cost import cost
from .blocks import CspBlock, Unit, describe, family, find_csp_blocks, find_units
from .links import IMAGE, Links

LEAST = 0.0001  # BFLOPs that are worth a number
DETOUR = 12  # layers: a look back at another size, as in a stem, does not end a stage


@dataclass(frozen=True)
class Box:
    """One thing drawn: some layers, what they are, the shape of the output, and BFLOPs as the paper counts.

    `kind` is image, chain, residual, dense, attention, pyramid, concat, add or head; `role` says what it is for a CSP
    block: bypass, split, transition or nothing. `csp` numbers the block that it belongs to.
    """

    layers: tuple[int, ...]
    kind: str
    title: str
    shape: tuple[int, ...]
    bflops: float = 0.0
    detail: str = ""
    role: str = ""
    csp: int | None = None

    @property
    def caption(self) -> str:
        """The title with the role."""
        return f"{self.role}: {self.title}" if self.role else self.title

    @property
    def numbers(self) -> str:
        """The layers, the size of the output and the cost, in one line."""
        where = [ranges(self.layers)] if self.layers else []
        costs = [gigas(self.bflops)] if self.bflops else []
        return " · ".join([*where, "×".join(map(str, self.shape)), *costs])


@dataclass(frozen=True)
class Stage:
    """Boxes in a row that have one height and width; `boxes` are their positions in the drawing."""

    boxes: tuple[int, ...]
    title: str
    size: tuple[int, ...]
    layers: tuple[int, ...]
    bflops: float

    @property
    def notes(self) -> tuple[str, ...]:
        """What stands beside a stage: its resolution, its layers, its cost."""
        size = ["×".join(map(str, self.size))] if self.size else []
        layers = [f"layer{'s' if len(self.layers) > 1 else ''} {_span(self.layers)}"] if self.layers else []
        costs = [gigas(self.bflops)] if self.bflops else []
        return (*size, *layers, *costs)


@dataclass(frozen=True)
class Drawing:
    """Boxes, arrows between them (by position), and stages. Box 0 is the image, or the first input of a part."""

    title: str
    boxes: tuple[Box, ...]
    arrows: tuple[tuple[int, int], ...]
    stages: tuple[Stage, ...]
    part: tuple[int, int] | None = None  # the first and the last layer, where not all are drawn

    @property
    def csp_blocks(self) -> tuple[int, ...]:
        """The numbers of the CSP blocks."""
        return tuple(sorted({box.csp for box in self.boxes if box.csp is not None}))


def draw(graph: Graph, title: str = "", *, full: bool = False) -> Drawing:
    r"""The picture of a network; `full` draws every layer, otherwise blocks and chains of layers are one box each.

    >>> from darknet_py.darknet.compile import compile_cfg
    >>> conv = "[convolutional]\nsize=3\npad=1\nfilters=4\n"
    >>> cfg = "[net]\nwidth=8\nheight=8\nchannels=4\n" + conv + 2 * (2 * conv + "[shortcut]\nfrom=-3\n")
    >>> [box.title for box in draw(compile_cfg(cfg).graph).boxes]
    ['image', 'conv 3×3', 'residual ×2']
    """
    links = Links(graph)
    layers = zip(graph.layers, cost(graph).layers, strict=True)
    bflops = {info.index: own.bflops_paper for info, own in layers}
    boxes = _every_layer(links, bflops) if full else _collapsed(links, bflops)
    raw = {info.index: tuple(max(i, IMAGE) for i in info.inputs) for info in graph.layers}
    sources = raw if full else links.sources
    image = Box((), "image", "image", graph.image.shape)
    ordered = [image, *_in_order(boxes, sources)]
    at = {layer: i for i, box in enumerate(ordered) for layer in box.layers}
    at[IMAGE] = 0
    idle = {info.index for info in graph.layers} - set(at)
    return Drawing(title, tuple(ordered), _arrows(sources, at), stages_of(ordered, image.shape[1:], idle))


def ranges(layers: Sequence[int]) -> str:
    """Numbers as ranges: `12–18, 20`."""
    runs: list[list[int]] = []
    for n in sorted(layers):
        if runs and n == runs[-1][1] + 1:
            runs[-1][1] = n
        else:
            runs.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in runs)


def _span(layers: Sequence[int]) -> str:
    """The layers of a stage; where they are many pieces, only the ends."""
    pieces = ranges(layers)
    return pieces if pieces.count(",") < 2 else f"{min(layers)} … {max(layers)}"


def gigas(bflops: float) -> str:
    """BFLOPs with three digits that count: `0.0498 BF`."""
    return f"{bflops:.3g} BF" if bflops >= LEAST else f"<{LEAST} BF"


def _every_layer(links: Links, bflops: Mapping[int, float]) -> list[Box]:
    units = find_units(links)
    kinds = {layer: unit.kind for unit in units for layer in unit.layers}
    kinds |= dict.fromkeys(links.graph.heads, "head")
    boxes = []
    for info in links.graph.layers:
        kind = _join_kind(links, info.index) or kinds.get(info.index, "chain")
        title = describe(links, (info.index,))
        boxes.append(Box((info.index,), kind, title, info.output.shape, bflops[info.index]))
    return _with_roles(boxes, find_csp_blocks(links, units), links)


def _collapsed(links: Links, bflops: Mapping[int, float]) -> list[Box]:
    units = find_units(links)
    chains = _chains(links, {layer for unit in units for layer in unit.layers})
    idle = {info.index for info in links.graph.layers} - set(links.sources)
    boxes = [_unit_box(links, u) for u in units] + [_chain_box(links, c) for c in chains]
    boxes = _with_roles(boxes, find_csp_blocks(links, units), links)
    boxes = [replace(b, bflops=sum(bflops[i] for i in b.layers), layers=_filled(b.layers, idle)) for b in boxes]
    return sorted(boxes, key=lambda b: b.layers[0])


def _unit_box(links: Links, unit: Unit) -> Box:
    title = unit.name + (f" ×{unit.count}" if unit.count > 1 else "")
    return Box(tuple(sorted(unit.layers)), unit.kind, title, links.info(unit.join).output.shape, detail=unit.content)


def _chains(links: Links, taken: set[int]) -> list[list[int]]:
    """Layers that only read each other, at one size, until somebody else reads one of them."""
    chains: list[list[int]] = []
    last: dict[int, list[int]] = {}
    for layer, sources in links.sources.items():
        if layer in taken:
            continue
        before = last.get(sources[0]) if len(sources) == 1 else None
        if before and _follows(links, sources[0], layer):
            before.append(layer)
        else:
            before = [layer]
            chains.append(before)
        last[layer] = before
    return chains


def _follows(links: Links, before: int, layer: int) -> bool:
    alone = links.readers[before] == (layer,) and links.size(before) == links.size(layer)
    return alone and not _join_kind(links, before) and before not in links.graph.heads


def _join_kind(links: Links, layer: int) -> str | None:
    if len(links.sources.get(layer, ())) < 2:
        return None
    return {"concatenation": "concat", "addition": "add"}.get(family(links.info(layer)), "join")


def _chain_box(links: Links, chain: list[int]) -> Box:
    kind = "head" if chain[-1] in links.graph.heads else _join_kind(links, chain[0]) or "chain"
    return Box(tuple(chain), kind, describe(links, chain), links.info(chain[-1]).output.shape)


def _with_roles(boxes: Iterable[Box], blocks: Sequence[CspBlock], links: Links) -> list[Box]:
    found = list(boxes)
    at = {layer: i for i, box in enumerate(found) for layer in box.layers}
    for number, block in enumerate(blocks):
        main = list(dict.fromkeys(at[i] for i in block.main))
        _set(found, [*main, at[block.join], *(at[i] for i in block.bypass)], csp=number)
        _set(found, [at[i] for i in block.bypass], role="bypass")
        if found[main[0]].kind == "chain" and len(main) > 1 and links.size(block.start) == links.size(block.join):
            _set(found, main[:1], role="split")
        if _is_transition(found[main[-1]], links) and len(main) > 1:
            _set(found, main[-1:], role="transition")
        after = [at[r] for r in links.readers.get(block.join, ()) if _is_transition(found[at[r]], links)]
        _set(found, after, role="transition")
        _set(found, [i for i in after if found[i].shape[1:] == links.size(block.join)], csp=number)
    return found


def _set(boxes: list[Box], which: Iterable[int], **changes: object) -> None:
    """Change boxes where they still have nothing: of blocks within blocks, the inner one counts."""
    for i in which:
        new = {key: value for key, value in changes.items() if getattr(boxes[i], key) in (None, "")}
        boxes[i] = replace(boxes[i], **new)  # type: ignore[arg-type]  # fields by name


def _is_transition(box: Box, links: Links) -> bool:
    """Whether a box after a concatenation only mixes its channels, and perhaps pools."""
    infos = [links.info(i) for i in box.layers]
    convs = [i for i in infos if family(i) == "convolution"]
    pointwise = all(layer_of(i).columns().size == 1 for i in convs)
    only = all(family(i) in ("convolution", "max pool") for i in infos)
    return box.kind == "chain" and not box.role and len(convs) == 1 and pointwise and only


def _in_order(boxes: Sequence[Box], sources: Mapping[int, tuple[int, ...]]) -> list[Box]:
    """Boxes after what they read; one at the size of the box before comes first if it is only a detour away."""
    waiting, done, ordered = list(boxes), {IMAGE}, list[Box]()
    while waiting:
        size = ordered[-1].shape[1:] if ordered else ()
        near = [b for b in waiting if b.layers[0] <= waiting[0].layers[0] + DETOUR and b.shape[1:] == size]
        ready = [b for b in near if {s for i in b.layers for s in sources.get(i, ())} <= done | set(b.layers)]
        chosen = ready[0] if ready else waiting[0]
        waiting.remove(chosen)
        ordered.append(chosen)
        done.update(chosen.layers)
    return ordered


def _arrows(sources: Mapping[int, tuple[int, ...]], at: Mapping[int, int]) -> tuple[tuple[int, int], ...]:
    pairs = ((at[source], at[layer]) for layer in sources for source in sources[layer])
    return tuple(dict.fromkeys(p for p in pairs if p[0] != p[1]))


def stages_of(boxes: Sequence[Box], image: tuple[int, ...], idle: Set[int]) -> tuple[Stage, ...]:
    """Neighbours of one size; box 0 stands alone. `image` is its height and width; `idle` layers compute nothing."""
    groups: list[list[int]] = []
    for i, box in enumerate(boxes[1:], 1):
        if groups and _size(boxes[groups[-1][0]]) == _size(box):
            groups[-1].append(i)
        else:
            groups.append([i])
    return tuple(_stage(boxes, group, image, idle) for group in groups)


def _stage(boxes: Sequence[Box], group: Sequence[int], image: tuple[int, ...], idle: Set[int]) -> Stage:
    size = _size(boxes[group[0]])
    layers = _filled([layer for i in group for layer in boxes[i].layers], idle)
    return Stage(tuple(group), _scale(image, size), size, layers, sum(boxes[i].bflops for i in group))


def _filled(layers: Sequence[int], idle: Set[int]) -> tuple[int, ...]:
    """Layers with those in between that compute nothing."""
    return tuple(sorted({*layers, *(i for i in idle if layers and min(layers) < i < max(layers))}))


def _size(box: Box) -> tuple[int, ...]:
    """Height and width; () for a vector, however it is written."""
    return () if box.shape[1:] == (1, 1) else box.shape[1:]


def _scale(image: tuple[int, ...], size: tuple[int, ...]) -> str:
    """`1/8`, or the size where it is no such part of the image."""
    if not size:
        return "vector"
    ratios = {math.ceil(a / b) for a, b in zip(image, size, strict=False)}
    return f"1/{ratios.pop()}" if len(ratios) == 1 else "×".join(map(str, size))
