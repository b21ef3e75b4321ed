"""The blocks of a network as people name them: residual and dense layers, attention, spatial pyramids, CSP blocks.

Decision: nothing is told, everything is found. Where ways part and meet again (a join and its immediate dominator) with
no way out in between, the sections in between say what it is. So drawings work for every cfg, not only for ours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from ...darknet.layers.layer import Family, layer_of
from ...ir.graph import LayerInfo
from .links import IMAGE, Links

LARGEST_UNIT = 100  # layers; what parts and meets over more of them is the shape of the network, not a unit
FEWEST_CONVOLUTIONS = 3  # on the main way of a CSP block: fewer are a fork, not a stage
ATTENTION = frozenset({"channel attention", "spatial attention"})
LONGEST = 120  # characters that say what is in a unit; more are counted instead


@dataclass(frozen=True)
class Unit:
    """Layers drawn as one box: `count` times the same thing from `start` to `join`."""

    kind: str  # residual, dense, attention or pyramid
    name: str
    start: int
    join: int
    layers: tuple[int, ...]
    content: str
    count: int = 1


@dataclass(frozen=True)
class CspBlock:
    """A cross stage partial block: the map at `start` goes two ways that meet in the concatenation `join`."""

    start: int
    join: int
    bypass: tuple[int, ...]
    main: tuple[int, ...]


def find_units(links: Links) -> list[Unit]:
    """The repeated layers of a network, outermost ones only, and alike ones in a row as one."""
    found: list[Unit] = []
    for join, sources in links.sources.items():
        if len(sources) > 1 and (unit := _unit(links, join, found)):
            found.append(unit)
    outer = [u for u in found if not any(set(u.layers) < set(o.layers) for o in found)]
    return _in_a_row(links, outer)


def find_csp_blocks(links: Links, units: Iterable[Unit]) -> list[CspBlock]:
    """The places where a map goes two ways, one of them short, and both are concatenated at the same resolution."""
    units = list(units)
    in_units = {layer for u in units for layer in u.layers}
    found = []
    for join, sources in links.sources.items():
        if len(sources) != 2 or family(links.info(join)) != "concatenation" or join in in_units:
            continue
        start = links.dominators[join]
        inside = links.between(start, join, taps=True) if start != IMAGE else None
        if not inside or any(links.size(i) != links.size(join) for i in inside if i not in in_units):
            continue
        if block := _csp_block(links, start, join, inside):
            found.append(block)
    return found


def is_slice(info: LayerInfo) -> bool:
    """Whether a layer takes a part of one layer's channels."""
    return layer_of(info).part() is not None


def family(info: LayerInfo) -> Family:
    """What people take a layer for."""
    return layer_of(info).family


def describe(links: Links, layers: Iterable[int]) -> str:
    """Layers in a few words: `conv 1×1, 3×3/2`."""
    words: list[str] = []
    before = ""
    for layer in layers:
        info = links.info(layer)
        word = _word(info)
        is_conv = family(info) == "convolution"
        words.append(word.removeprefix("conv ") if is_conv and before == "conv" else word)
        before = "conv" if is_conv else ""
    return ", ".join(_counted(words))


def _unit(links: Links, join: int, found: list[Unit]) -> Unit | None:
    start, info = links.dominators[join], links.info(join)
    if start == IMAGE:
        return None
    inside = links.between(start, join)
    if inside is None or len(inside) > LARGEST_UNIT or not set(inside).isdisjoint(links.graph.heads):
        return None
    direct = start in links.sources[join]
    kind = _kind(links, info, inside, direct, [u for u in found if u.join in inside])
    if kind is None:
        return None
    content = _ways(links, start, join, {u.join: u for u in found if u.kind == "attention"})
    name = _name(kind, info, content)
    if len(content) > LONGEST:
        name, content = name.replace("layer", "block"), _count(links, inside)
    return Unit(kind, name, start, join, (*inside, join), content)


def _kind(links: Links, join: LayerInfo, inside: tuple[int, ...], direct: bool, nested: list[Unit]) -> str | None:
    if family(join) == "addition":
        return "residual"
    if not direct:
        return None
    if family(join) in ATTENTION:
        return "attention"
    if family(join) != "concatenation":
        return None
    if all(family(links.info(i)) == "max pool" for i in inside):
        return "pyramid"
    blocks = any(u.kind in ("dense", "residual") and u.start in links.sources[u.join] for u in nested)
    return None if blocks or any(is_slice(links.info(i)) for i in inside) else "dense"


def _name(kind: str, join: LayerInfo, content: str) -> str:
    if kind == "dense":
        return "two-way dense layer" if content.count("∥") == 1 else "dense layer"
    return family(join) if kind == "attention" else {"pyramid": "spatial pyramid"}.get(kind, kind)


def _ways(links: Links, start: int, join: int, named: dict[int, Unit]) -> str:
    """What lies on each way from `start` to `join`: `conv 1×1, 3×3 ∥ conv 1×1, 3×3, 3×3`."""
    ways = (_way(links, start, source, named) for source in links.sources[join])
    return " ∥ ".join(dict.fromkeys(filter(None, ways)))


def _way(links: Links, start: int, end: int, named: dict[int, Unit]) -> str:
    """What lies from `start` to `end`, where ways may part and meet again."""
    parts: list[str] = []
    run: list[int] = []
    while end not in (start, IMAGE):
        if len(links.sources[end]) == 1:
            run.append(end)
        else:
            parts += [describe(links, reversed(run))] if run else []
            run = []
            parts.append(
                named[end].name if end in named else _bracketed(_ways(links, links.dominators[end], end, named))
            )
        end = links.dominators[end]
    parts += [describe(links, reversed(run))] if run else []
    return ", ".join(reversed(parts))


def _bracketed(ways: str) -> str:
    return f"({ways})" if "∥" in ways else ways


def _count(links: Links, layers: Iterable[int]) -> str:
    infos = [links.info(i) for i in layers]
    convs, joins = sum(family(i) == "convolution" for i in infos), sum(len(links.sources[i.index]) > 1 for i in infos)
    return f"{convs} convolutions, {joins} {'join' if joins == 1 else 'joins'}"


def _in_a_row(links: Links, units: list[Unit]) -> list[Unit]:
    rows: list[Unit] = []
    for unit in sorted(units, key=lambda u: u.join):
        last = rows[-1] if rows else None
        if last and _continues(links, last, unit):
            rows[-1] = replace(last, join=unit.join, layers=last.layers + unit.layers, count=last.count + 1)
        else:
            rows.append(unit)
    return rows


def _continues(links: Links, last: Unit, unit: Unit) -> bool:
    same = (last.name, last.content, links.size(last.join)) == (unit.name, unit.content, links.size(unit.join))
    return same and unit.start == last.join and set(links.readers[last.join]) <= set(unit.layers)


def _csp_block(links: Links, start: int, join: int, inside: tuple[int, ...]) -> CspBlock | None:
    for short, long in (links.sources[join], links.sources[join][::-1]):
        bypass = () if short == start else (short,)
        main = tuple(i for i in inside if i not in bypass)
        if bypass and (links.sources[short] != (start,) or not _is_light(links.info(short))):
            continue
        if long != start and sum(family(links.info(i)) == "convolution" for i in main) >= FEWEST_CONVOLUTIONS:
            return CspBlock(start, join, bypass, main)
    return None


def _is_light(info: LayerInfo) -> bool:
    columns = layer_of(info).columns()
    return is_slice(info) or (family(info) == "convolution" and (columns.size == 1 or columns.groups > 1))


def _word(info: LayerInfo) -> str:
    return layer_of(info).word() or info.section


def _counted(words: list[str]) -> list[str]:
    """Words with long runs folded: `3×3, 3×3, 3×3` becomes `3 of 3×3`."""
    folded: list[tuple[str, int]] = []
    for word in words:
        if folded and folded[-1][0] == word:
            folded[-1] = (word, folded[-1][1] + 1)
        else:
            folded.append((word, 1))
    return [f"{count} of {word}" if count > 2 else ", ".join([word] * count) for word, count in folded]
