"""The body of a cfg, all after [net], to a graph: options are read, references resolved, layers lowered one by one.

Decision: compilation never stops at the first problem. A layer that cannot be built has no output; layers that read it
are skipped silently, so each message is about a cause and none about a consequence.
"""

from __future__ import annotations

import math
from collections.abc import Container, Sequence
from dataclasses import dataclass, replace
from functools import cache

from ..contract.decoders import Decoder
from ..errors import Code, Diagnostics, Span, shorten
from ..ir import Graph, LayerInfo, ShapeError, Value, check
from ..ir.graph import Param
from .cfg import Section
from .cfg.characters import as_ascii, foreign_character
from .cfg.meanings import section_hint
from .cfg.options import Doubt, find_unread, read
from .dialects import DIALECTS, PYTORCH, Dialect
from .evidence import section_dialects
from .layers import LAYERS, Layer, LayerError, section_names
from .layers.heads.head import Head
from .layers.layer import Decoded, layer_of
from .layers.lowering import Lowering
from .layers.net import NET_SECTIONS, Net

# After these the shape of a layer is not known; after an unknown activation it is, and the layers after it are built.
UNUSABLE = frozenset({Code.BAD_NUMBER, Code.OUT_OF_RANGE, Code.MISSING_OPTION, Code.VARIABLE})

MAX_ELEMENTS = 1 << 31  # of one tensor: 8 GB; a cfg that asks for more is a mistake or an attack


@dataclass(frozen=True)
class Body:
    """What the sections after [net] became; `sampled` is the place of a shortcut that only pjreddie's Darknet knows."""

    graph: Graph
    decoders: tuple[Decoder, ...]
    sampled: Span | None


def lower_body(
    sections: tuple[Section, ...],
    net: Net,
    dialect: Dialect,
    folder: str | None,
    found: Diagnostics,
    doubt: Doubt | None,
) -> Body:
    """The graph of the sections after [net], as far as there is one; what is wrong is added to `found`.

    `folder` is where files that a section names lie; `doubt` the first option of [net] that was not read whole.
    """
    image = Value("images", net.shape or (1,))
    b = Lowering(dialect, image, folder)
    infos: list[LayerInfo] = []
    decoders: dict[int, Decoder] = {}
    sampled: Span | None = None
    if doubt is not None:
        b.doubts[-1] = doubt
    layers = []
    for index, section in enumerate(sections):
        layers.append(layer := _read_layer(section, dialect, found))
        if layer is not None and found.items and (own := find_unread(type(layer), section)):
            b.doubts[index] = own
    b.read_as_numbers = _read_as_numbers(layers)
    for index, (section, layer) in enumerate(zip(sections, layers, strict=True)):
        output: Value | None = None
        inputs: tuple[int, ...] = ()
        if (section.name, dialect.name) not in LAYERS:
            _report_unknown(section, dialect, b, found)
        elif layer is not None and net.shape:
            b.enter(index, section.name)
            output, inputs, decoder = _lower_layer(layer, section, b, image, found)
            if decoder is not None:
                decoders[index] = decoder
            if b.sampled and sampled is None:
                sampled = _span(section, b.sampled.key)
        b.layers.append(layer or Layer())
        if isinstance(layer, Head):
            b.heads.append(layer)
        b.outputs.append(output)
        if layer is not None and output is not None:
            infos.append(LayerInfo(index, section.name, layer, section.span, inputs, output))
    if not sections and not found.errors:
        found.error(Code.EMPTY_FILE, "a network needs at least one layer", None)
    complete = not found.errors
    built = {i.index for i in infos}  # a layer that failed halfway leaves nothing in the graph
    ops = tuple(op for op in b.ops if op.layer in built)
    made = {op.output for op in ops}
    graph = Graph(
        image, ops, tuple(p for p in b.params if p.layer in built), tuple(infos),
        outputs=_outputs(infos, decoders) if complete else (), heads=tuple(decoders),
        states=tuple(s for s in b.states if s.output in made), data=b.data,
    )  # fmt: skip
    return Body(check(graph) if complete else graph, tuple(decoders.values()), sampled)


def _read_as_numbers(layers: Sequence[Layer | None]) -> frozenset[int]:
    """What is read by a layer that joins its input with others (parser.c clears `use_bin_output` of these)."""
    joining = ((index, layer) for index, layer in enumerate(layers) if layer is not None and layer.joined())
    return frozenset(r if r >= 0 else index + r for index, layer in joining for r in layer.references())


def _outputs(infos: list[LayerInfo], heads: Container[int]) -> tuple[Value, ...]:
    """The heads; without heads the last layer that computes something (network.c get_network_output skips costs)."""
    decoded = tuple(i.output for i in infos if i.index in heads)
    return decoded or tuple(i.output for i in infos if layer_of(i).may_be_output)[-1:] or (infos[-1].output,)


def _read_layer(section: Section, dialect: Dialect, found: Diagnostics) -> Layer | None:
    cls = LAYERS.get((section.name, dialect.name))
    if cls is not None:
        before = len(found.items)
        layer = read(cls, section, found)
        if found.as_darknet and dialect is not PYTORCH and getattr(layer, "activation", None) == "silu":
            layer = replace(layer, activation="relu")  # type: ignore[call-arg]  # asked for above
        return None if any(d.code in UNUSABLE and d.severity == "error" for d in found.items[before:]) else layer
    return None


def _report_unknown(section: Section, dialect: Dialect, b: Lowering, found: Diagnostics) -> None:
    """Say of a section that this dialect does not know what it was meant to be, where `b` has come to."""
    if section.name in NET_SECTIONS:
        found.error(Code.UNKNOWN_SECTION, f"a second [{section.name}]; only the first section is one", section.span)
        return
    others = [DIALECTS[d] for d in section_dialects(section.name)]
    if others:
        titles, names = " and ".join(d.title for d in others), " or ".join(d.name for d in others)
        hint: str | None = f"known to {titles}; see --dialect {names}"
    elif odd := foreign_character(section.name):
        meant = "".join(as_ascii(section.name).split())
        hint = f"{odd}; did you mean [{meant}]?" if (meant, dialect.name) in LAYERS else odd
    else:
        before = b.outputs[-1] if b.outputs else b.image
        channels = before.shape[0] if before is not None and len(before.shape) == 3 else None
        hint = section_hint(section.name, _names_of(dialect.name), channels)
    message = f"{dialect.title} has no section [{shorten(section.name, 60)}]"
    found.error(Code.UNKNOWN_SECTION, message, section.span, hint)


@cache
def _names_of(dialect: str) -> tuple[str, ...]:
    return tuple(section_names(dialect))


def _lower_layer(
    layer: Layer, section: Section, b: Lowering, image: Value, found: Diagnostics
) -> tuple[Value | None, tuple[int, ...], Decoder | None]:
    inputs: tuple[int, ...] = ()
    try:
        key = next((k for k in ("layers", "from") if section.find(k)), None)
        inputs = tuple(_resolve(r, b.index, key) for r in layer.references())
        if b.index not in b.doubts and (doubtful := next((b.doubts[i] for i in inputs if i in b.doubts), None)):
            b.doubts[b.index] = doubtful
        values = [image if i < 0 else b.outputs[i] for i in inputs]
        if any(v is None for v in values):
            return None, inputs, None
        _check_blurred(layer, inputs, key, b)
        ops, params = len(b.ops), len(b.params)
        lowered = layer.lower(b, *(v for v in values if v is not None))
        for op in b.ops[ops:]:
            if math.prod(op.output.shape) > MAX_ELEMENTS:
                raise LayerError(Code.TOO_LARGE, f"a tensor of {op.output.shape} is too large")
        _warn_of_random(layer, b, b.params[params:])
        for param in b.params[params:]:
            if param.size > MAX_ELEMENTS:
                raise LayerError(Code.TOO_LARGE, f"{param.role} of {param.value.shape} are too large")
    except LayerError as e:
        _report_failed(e.code, str(e), _span(section, e.key), e.hint, section, b, found)
        return None, (), None
    except ShapeError as e:
        _report_failed(Code.BAD_SHAPE, str(e), section.span, None, section, b, found)
        return None, (), None
    finally:
        for w in b.warnings:
            tell = found.note if w.note else found.warning
            tell(w.code, f"[{section.name}] {w.message}", _span(section, w.key), w.hint)
        b.warnings.clear()
    if isinstance(lowered, Decoded):
        return lowered.output, inputs, lowered.decoder
    return lowered, inputs, None


def _report_failed(
    code: Code, message: str, span: Span, hint: str | None, section: Section, b: Lowering, found: Diagnostics
) -> None:
    """An error of a layer; where an option that it depends on was not read whole, that has to be mended first."""
    doubt = b.doubts.get(b.index)
    if doubt is not None:
        option = doubt.option
        hint = f"first mend {option.key[:60]!r} on line {option.span.line}, which is {doubt.how}"
        own = span.start <= option.span.start < (section.options or (option,))[-1].span.end
        span = (option.span if doubt.how == "ignored" else option.value_span) if own else span
    found.error(code, f"[{section.name}] {message}", span, hint)


def _warn_of_random(layer: Layer, b: Lowering, params: Sequence[Param]) -> None:
    """Warn about parameters that parser.c load_weights_upto passes over, without passing over them in the file."""
    roles = {p.role for p in params}
    keys = {"dontload": bool(roles) and layer.dontload, "dontloadscales": "scales" in roles and layer.dontloadscales}
    for key, matters in keys.items():
        if matters:
            message = f"{key}: Darknet leaves these weights as they are before training; here the file has them"
            b.warn(Code.UNDEFINED, message, key)


def _check_blurred(layer: Layer, inputs: tuple[int, ...], key: str | None, b: Lowering) -> None:
    """Raise where a layer is read by its number that has antialiasing with a stride.

    Only the next layer gets the shape after the blur (parser.c parse_network_cfg_custom); others take the memory for an
    image of the shape before, of which the blur has overwritten the beginning.
    """
    joined = layer.joined()
    for index in inputs[len(inputs) - len(joined) :]:
        before = b.blurred.get(index)
        after = b.outputs[index] if before else None
        if after is not None and after.shape != before:
            message = f"layer {index} has antialiasing: Darknet takes its {after.shape} for {before}"
            raise LayerError(Code.UNDEFINED, message, key, f"read the layer after layer {index}")


def _resolve(reference: int, index: int, key: str | None) -> int:
    """The absolute index of a reference; -1 is the input of the network (only as 'the layer before the first')."""
    absolute = reference if reference >= 0 else index + reference
    if absolute >= index:
        message = f"layer {reference} is not before this one, which is layer {index}"
        raise LayerError(Code.BAD_REFERENCE, message, key, "a layer can only read earlier layers")
    if absolute < (-1 if reference == -1 else 0):
        message = f"{reference} points before the first layer; this one is layer {index}"
        raise LayerError(Code.BAD_REFERENCE, message, key)
    return absolute


def _span(section: Section, key: str | None) -> Span:
    option = section.find(key) if key else None
    return option.span if option else section.span
