"""Cfg to graph: read the options of each section, resolve its references, lower it, and go on after an error.

Decision: compilation never stops at the first problem. A layer that cannot be built has no output; layers that read it
are skipped silently, so each message is about a cause and none about a consequence.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from .. import files
from ..contract.decoders import Decoder
from ..errors import (
    MAX_MESSAGE,
    CfgError,
    Code,
    Diagnostic,
    Diagnostics,
    Severity,
    Span,
    did_you_mean,
    shorten,
)  # fmt: skip
from ..ir import Graph, LayerInfo, ShapeError, Value, check
from ..ir.graph import Param
from .cfg import Cfg, Section, parse
from .cfg.characters import as_ascii, foreign_character
from .cfg.meanings import section_hint
from .cfg.options import Doubt, examine_training, find_unread, read
from .cfg.parser import MAX_BYTES
from .dialects import ALEXEYAB, DIALECTS, PJREDDIE, PYTORCH, Dialect, find_dialect
from .evidence import infer_dialect, may_be_pjreddies, report_dialect, report_silu, section_dialects
from .layers import LAYERS, Layer, LayerError, section_names
from .layers.heads.head import Head
from .layers.layer import Decoded, layer_of
from .layers.lowering import Lowering
from .layers.net import NET_SECTIONS, Net, lint_training
from .reading import Reading
from .sizes import RULE, Multiples, multiples, size_text

# After these the shape of a layer is not known; after an unknown activation it is, and the layers after it are built.
UNUSABLE = frozenset({Code.BAD_NUMBER, Code.OUT_OF_RANGE, Code.MISSING_OPTION, Code.VARIABLE})

MAX_ELEMENTS = 1 << 31  # of one tensor: 8 GB; a cfg that asks for more is a mistake or an attack


@dataclass(frozen=True)
class Compilation:
    """What a cfg became: `graph` holds the layers up to what could be built, `diagnostics` all that was found.

    `decoders` make boxes of the outputs of `graph.heads`, one each. `sampled` is the place of the first shortcut that
    only pjreddie's Darknet computes.
    """

    cfg: Cfg
    net: Net
    dialect: Dialect
    graph: Graph
    diagnostics: tuple[Diagnostic, ...]
    decoders: tuple[Decoder, ...] = ()
    sampled: Span | None = None

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that make the graph unusable."""
        return tuple(d for d in self.diagnostics if d.severity == "error")

    def check(self) -> Compilation:
        """Return self, or raise `CfgError` with every diagnostic if one is an error."""
        if self.errors:
            raise CfgError(self.diagnostics)
        return self


def read_cfg_file(path: str | Path) -> bytes:
    """The bytes of a cfg file, or more of it than a cfg can have; `DataError` where there is none."""
    return files.read_at_most(path, MAX_BYTES + 1)


def compile_file(path: str | Path, reading: Reading | None = None, **options: Any) -> Compilation:
    """`compile_cfg` of a file; side files such as trees are looked up beside it.

    `reading` says how it is read, or `options`, its fields, do.
    """
    return _compile(read_cfg_file(path), str(path), str(Path(path).parent), reading or Reading(**options))


def compile_cfg(
    data: str | bytes,
    name: str = "<cfg>",
    *,
    folder: str | None = None,
    dialect: str | None = None,
    size: tuple[int, int] | None = None,
    strict: bool = False,
    as_darknet: bool = False,
) -> Compilation:
    r"""Compile a cfg from its text or bytes; look at `.errors`, or call `.check()`.

    `dialect`, `size`, `strict` and `as_darknet` are those of `Reading`.

    >>> compile_cfg("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]").graph.layer_output(0).shape
    (3, 1, 1)
    """
    return _compile(data, name, folder, Reading(dialect, size, strict, as_darknet))


def examined_for_training(compilation: Compilation, reading: Reading) -> Diagnostics:
    """What is wrong with the options of a cfg that only training reads; compiling takes them as Darknet does."""
    found = Diagnostics(strict=reading.strict, as_darknet=reading.as_darknet)
    sections = compilation.cfg.sections
    examine_training(Net, sections[0], found)
    for info in compilation.graph.layers:
        examine_training(type(layer_of(info)), sections[info.index + 1], found)
    return found


def _compile(data: str | bytes, name: str, folder: str | None, reading: Reading) -> Compilation:
    with _uncollected():
        return _compiled(data, name, folder, reading)


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cyclic garbage: all that is made is kept, and it would look at all of it time and again.

    What is read is bounded (`MAX_BYTES`), and so is what is made of it.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _compiled(data: str | bytes, name: str, folder: str | None, reading: Reading) -> Compilation:
    found = Diagnostics(strict=reading.strict, as_darknet=reading.as_darknet)
    cfg = parse(data, name, found)
    result = _read_as(cfg, reading, folder, found.items)
    if not result.errors or not cfg.sections:
        return result
    if reading.size and not (own := _read_as(cfg, replace(reading, size=None), folder, found.items)).errors:
        return _blame_size(result, own, folder)
    if reading.dialect and not (own := _read_as(cfg, replace(reading, dialect=None), folder, found.items)).errors:
        return _blame_dialect(result, own)
    return result


def _read_as(cfg: Cfg, reading: Reading, folder: str | None, before: Sequence[Diagnostic]) -> Compilation:
    """A parsed cfg, of which `before` has been said: in its dialect, or the one that its behaviour gives away."""
    if reading.dialect:
        return _read_in(cfg, find_dialect(reading.dialect), reading, folder, before)
    found = Diagnostics(strict=reading.strict, as_darknet=reading.as_darknet)
    dialect = infer_dialect(cfg, found)
    result = _read_in(cfg, dialect, reading, folder, (*before, *found.items))
    if dialect is not ALEXEYAB or result.sampled is None or not may_be_pjreddies(cfg):
        return result
    report_dialect(PJREDDIE, "AlexeyAB's Darknet stops at a shortcut of another size", result.sampled, found)
    again = _read_in(cfg, PJREDDIE, reading, folder, (*before, *found.items))
    return result if len(again.errors) > len(result.errors) else again


def _read_in(
    cfg: Cfg, dialect: Dialect, reading: Reading, folder: str | None, before: Sequence[Diagnostic]
) -> Compilation:
    found = Diagnostics([*before], strict=reading.strict, as_darknet=reading.as_darknet)
    report_silu(cfg, dialect, found)
    net, doubt = _read_net(cfg, reading.size, dialect, found)
    lowered = _lower(cfg.sections[1:], net, dialect, folder, found, doubt)
    graph = lowered.graph
    if dialect is ALEXEYAB and len(net.shape) == 3 and graph.outputs:
        _lint_area(graph, cfg.sections[0].span, found)
    if not found.errors and graph.heads:
        _lint_size(cfg, net, graph, reading, found)
    elif found.errors:
        _hint_at_size(cfg, net, lowered, dialect, folder, found)
    if lowered.decoders:
        _lint_classifying(cfg.sections[0], found)
    return Compilation(
        cfg, net, dialect, graph, tuple(found.sorted()), lowered.decoders, lowered.sampled if graph.outputs else None
    )


# What is wrong with shapes, and may be the fault of the size of the input.
OF_SHAPES = frozenset({Code.BAD_SHAPE, Code.UNDEFINED, Code.HEAD_MISMATCH})

ASKED = "(--size, size=)"


def _lint_size(cfg: Cfg, net: Net, graph: Graph, reading: Reading, found: Diagnostics) -> None:
    """Warn of a size that is no multiple of the stride of the heads: cells at the edge see less than they should."""
    needed = multiples(graph, net)
    if needed is None or needed.as_darknet.fits:
        return
    needed = needed.as_darknet
    fitting = " or ".join(size_text(h, w) for h, w in needed.around())
    if reading.size:
        asked = f"the size {size_text(net.height, net.width)} that was asked for {ASKED}"
        found.warning(Code.OPTION, f"{asked}: {needed.complaint}", None, f"{fitting} fits")
        return
    key = "width" if needed.width % needed.across else "height"
    option = cfg.sections[0].find(key)
    rule = f"; Darknet wants sizes that are divisible by {RULE}" if RULE in (needed.down, needed.across) else ""
    message = f"{needed.complaint}{rule}"
    found.warning(Code.SUSPICIOUS, message, option.span if option else cfg.sections[0].span, f"{fitting} fits")


def _fitting(
    cfg: Cfg, net: Net, lowered: _Lowered, dialect: Dialect, folder: str | None, places: Container[int | None]
) -> tuple[Multiples | None, list[tuple[int, int]]]:
    """What the size should be multiples of, and the sizes around it at which nothing is wrong at these places."""
    needed = multiples(lowered.graph, net)
    if needed is None or needed.fits:
        return needed, []
    fitting = []
    for height, width in needed.around():
        other = Diagnostics()
        _lower(cfg.sections[1:], replace(net, height=height, width=width), dialect, folder, other, None)
        if not any(_start(d) in places for d in other.errors):
            fitting.append((height, width))
    return needed, fitting


def _start(d: Diagnostic) -> int | None:
    return d.span.start if d.span else None


def _hint_at_size(
    cfg: Cfg, net: Net, lowered: _Lowered, dialect: Dialect, folder: str | None, found: Diagnostics
) -> None:
    """Say of errors in shapes that another size of the input removes which size that is."""
    wrong = [d for d in found.errors if d.code in OF_SHAPES and d.span and d.span.source is cfg.source]
    if not wrong or len(net.shape) != 3:
        return
    needed, fitting = _fitting(cfg, net, lowered, dialect, folder, {_start(d) for d in wrong})
    if needed is None or not fitting:
        return
    hint = f"{needed.complaint}: {' or '.join(size_text(h, w) for h, w in fitting)} fits"
    found.items = [replace(d, hint=hint) if d in wrong else d for d in found.items]


def _blame_size(result: Compilation, own: Compilation, folder: str | None) -> Compilation:
    """The errors that only another size than the cfg's brings, as one about that size."""
    net, first = result.net, result.errors[0]
    lowered = _Lowered(result.graph, result.decoders, None)
    places = {_start(d) for d in result.errors}
    needed, fitting = _fitting(result.cfg, net, lowered, result.dialect, folder, places)
    reason = needed.complaint if needed and fitting else first.message
    sizes = [size_text(h, w) for h, w in fitting if (h, w) != (own.net.height, own.net.width)]
    fits = " or ".join([*sizes, f"the cfg's own {size_text(own.net.height, own.net.width)}"])
    message = f"the size {size_text(net.height, net.width)} that was asked for {ASKED} does not fit: {reason}"
    error = Diagnostic(Code.OPTION, Severity.ERROR, shorten(message, MAX_MESSAGE), None, f"{fits} fits")
    kept = (d for d in result.diagnostics if d.severity is not Severity.ERROR)
    return replace(result, diagnostics=(error, *kept))


def _blame_dialect(result: Compilation, own: Compilation) -> Compilation:
    """Errors that the dialect which was asked for brings, the first with the hint that says so."""
    first = result.errors[0]
    said = f"without --dialect {result.dialect.name} the file is read as {own.dialect.title} does, without an error"
    if not (first.hint and "--dialect" in first.hint):
        said = f"{first.hint}; {said}" if first.hint else said
        error = replace(first, hint=said)
        return replace(result, diagnostics=tuple(error if d is first else d for d in result.diagnostics))
    return result


def _read_net(cfg: Cfg, size: tuple[int, int] | None, dialect: Dialect, found: Diagnostics) -> tuple[Net, Doubt | None]:
    """[net], and its first option that was not read whole."""
    if not cfg.sections:
        return Net(), None
    first = cfg.sections[0]
    if first.name not in NET_SECTIONS:
        hint = did_you_mean(first.name, NET_SECTIONS)
        hint = foreign_character(first.name) or hint
        found.error(Code.NO_NET, f"the first section must be [net], not [{first.name[:60]}]", first.span, hint)
        return Net(), None
    sound = len(found.errors)
    net = read(Net, first, found)
    doubt = find_unread(Net, first) if found.items else None
    lint_training(first, found)
    if size:
        net = replace(net, height=size[0], width=size[1])
    if not net.shape and len(found.errors) == sound:
        hint = "set width, height and channels (or inputs)"
        missing = ", ".join(key for key in ("width", "height", "channels") if not getattr(net, key))
        message = f"[net] does not say how large the input is: no {missing}"
        found.error(Code.NO_INPUT_SIZE, message, first.span, hint)
    elif len(net.shape) == 1 and dialect is ALEXEYAB:
        message = "[net] has inputs but no width, height and channels: AlexeyAB's Darknet divides by zero on it"
        found.warning(Code.NO_INPUT_SIZE, message, first.span)
    elif math.prod(net.shape) > MAX_ELEMENTS:
        found.error(Code.TOO_LARGE, f"an input of {net.shape} is too large", first.span)
        net = Net()
    return net, doubt


@dataclass(frozen=True)
class _Lowered:
    """What the sections after [net] became; `sampled` is the place of a shortcut that only pjreddie's Darknet knows."""

    graph: Graph
    decoders: tuple[Decoder, ...]
    sampled: Span | None


def _lower(
    sections: tuple[Section, ...],
    net: Net,
    dialect: Dialect,
    folder: str | None,
    found: Diagnostics,
    doubt: Doubt | None,
) -> _Lowered:
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
    return _Lowered(check(graph) if complete else graph, tuple(decoders.values()), sampled)


def _lint_classifying(net: Section, found: Diagnostics) -> None:
    for key in ("shorter_edge", "interpolation"):
        if option := net.find(key):
            found.warning(Code.NO_EFFECT, f"{key} is for classifiers: pictures of a detector are not cut", option.span)


def _lint_area(graph: Graph, span: Span, found: Diagnostics) -> None:
    first = ((i, (*graph.layer_inputs(i), graph.image)[0].shape) for i in graph.layers)
    if not any(layer_of(info).has_area(shape) for info, shape in first):
        message = "no layer reads an image of more than a row or column: AlexeyAB's Darknet divides by zero on it"
        found.warning(Code.NO_INPUT_SIZE, message, span)


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
