"""Cfg to graph: read the options of each section, resolve its references, lower it, and go on after an error.

Decision: compilation never stops at the first problem. A layer that cannot be built has no output; layers that read it
are skipped silently, so each message is about a cause and none about a consequence.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import files
from ..contract.decoders import Decoder
from ..errors import CfgError, Code, DataError, Diagnostic, Diagnostics, Span, did_you_mean
from ..ir import Graph, LayerInfo, ShapeError, Value, check
from .cfg import Cfg, Section, parse
from .cfg.options import read
from .cfg.parser import MAX_BYTES
from .dialects import ALEXEYAB, DIALECTS, PYTORCH, Dialect, find_dialect
from .evidence import infer_dialect, report_silu
from .layers import LAYERS, Layer, LayerError, section_names
from .layers.layer import Decoded, layer_of
from .layers.lowering import Lowering
from .layers.net import NET_SECTIONS, Net, lint_training
from .reading import Reading

# After these the shape of a layer is not known; after an unknown activation it is, and the layers after it are built.
UNUSABLE = frozenset({Code.BAD_NUMBER, Code.OUT_OF_RANGE, Code.MISSING_OPTION, Code.VARIABLE})

MAX_ELEMENTS = 1 << 31  # of one tensor: 8 GB; a cfg that asks for more is a mistake or an attack


@dataclass(frozen=True)
class Compilation:
    """What a cfg became: `graph` holds the layers up to what could be built, `diagnostics` all that was found.

    `decoders` make boxes of the outputs of `graph.heads`, one each.
    """

    cfg: Cfg
    net: Net
    dialect: Dialect
    graph: Graph
    diagnostics: tuple[Diagnostic, ...]
    decoders: tuple[Decoder, ...] = ()

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
    try:
        return files.read_at_most(path, MAX_BYTES + 1)
    except OSError as e:
        raise DataError(f"cannot read {path}: {e.strerror or e}") from None


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


def _compile(data: str | bytes, name: str, folder: str | None, reading: Reading) -> Compilation:
    found = Diagnostics(strict=reading.strict, as_darknet=reading.as_darknet)
    cfg = parse(data, name, found)
    chosen = find_dialect(reading.dialect) if reading.dialect else infer_dialect(cfg, found)
    report_silu(cfg, chosen, found)
    net = _read_net(cfg, reading.size, chosen, found)
    graph, decoders = _lower(cfg.sections[1:], net, chosen, folder, found)
    if chosen is ALEXEYAB and len(net.shape) == 3 and graph.outputs:
        _lint_area(graph, cfg.sections[0].span, found)
    if decoders:
        _lint_classifying(cfg.sections[0], found)
    return Compilation(cfg, net, chosen, graph, tuple(found.sorted()), decoders)


def _read_net(cfg: Cfg, size: tuple[int, int] | None, dialect: Dialect, found: Diagnostics) -> Net:
    if not cfg.sections:
        return Net()
    first = cfg.sections[0]
    if first.name not in NET_SECTIONS:
        hint = did_you_mean(first.name, NET_SECTIONS)
        found.error(Code.NO_NET, f"the first section must be [net], not [{first.name}]", first.span, hint)
        return Net()
    sound = len(found.errors)
    net = read(Net, first, found)
    lint_training(first, found)
    if size:
        net = dataclasses.replace(net, height=size[0], width=size[1])
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
    return net


def _lower(
    sections: tuple[Section, ...], net: Net, dialect: Dialect, folder: str | None, found: Diagnostics
) -> tuple[Graph, tuple[Decoder, ...]]:
    b = Lowering(dialect, folder)
    image = b.input("images", net.shape or (1,))
    infos: list[LayerInfo] = []
    decoders: dict[int, Decoder] = {}
    layers = [_read_layer(section, dialect, found) for section in sections]
    b.read_as_numbers = _read_as_numbers(layers)
    for index, (section, layer) in enumerate(zip(sections, layers, strict=True)):
        output: Value | None = None
        inputs: tuple[int, ...] = ()
        if layer is not None and net.shape:
            b.enter(index, section.name)
            output, inputs, decoder = _lower_layer(layer, section, b, image, found)
            if decoder is not None:
                decoders[index] = decoder
        b.layers.append(layer or Layer())
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
    return check(graph) if complete else graph, tuple(decoders.values())


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
            layer = dataclasses.replace(layer, activation="relu")  # type: ignore[call-arg]  # asked for above
        return None if any(d.code in UNUSABLE and d.severity == "error" for d in found.items[before:]) else layer
    others = [DIALECTS[d].title for name, d in LAYERS if name == section.name]
    if section.name in NET_SECTIONS:
        found.error(Code.UNKNOWN_SECTION, f"a second [{section.name}]; only the first section is one", section.span)
        return None
    hint = f"known to {' and '.join(others)}; see --dialect" if others else None
    message = f"{dialect.title} has no section [{section.name}]"
    hint = hint or did_you_mean(section.name, section_names(dialect.name))
    found.error(Code.UNKNOWN_SECTION, message, section.span, hint)
    return None


def _lower_layer(
    layer: Layer, section: Section, b: Lowering, image: Value, found: Diagnostics
) -> tuple[Value | None, tuple[int, ...], Decoder | None]:
    try:
        key = next((k for k in ("layers", "from") if section.find(k)), None)
        inputs = tuple(_resolve(r, b.index, key) for r in layer.references())
        values = [image if i < 0 else b.outputs[i] for i in inputs]
        if any(v is None for v in values):
            return None, inputs, None
        _check_blurred(layer, inputs, key, b)
        before = len(b.ops)
        lowered = layer.lower(b, *(v for v in values if v is not None))
        for op in b.ops[before:]:
            if math.prod(op.output.shape) > MAX_ELEMENTS:
                raise LayerError(Code.TOO_LARGE, f"a tensor of {op.output.shape} is too large")
        _warn_of_random(layer, b)
        for param in b.params:
            if param.layer == b.index and param.size > MAX_ELEMENTS:
                raise LayerError(Code.TOO_LARGE, f"{param.role} of {param.value.shape} are too large")
    except LayerError as e:
        found.error(e.code, f"[{section.name}] {e}", _span(section, e.key), e.hint)
        return None, (), None
    except ShapeError as e:
        found.error(Code.BAD_SHAPE, f"[{section.name}] {e}", section.span)
        return None, (), None
    finally:
        for w in b.warnings:
            found.warning(w.code, f"[{section.name}] {w.message}", _span(section, w.key), w.hint)
        b.warnings.clear()
    if isinstance(lowered, Decoded):
        return lowered.output, inputs, lowered.decoder
    return lowered, inputs, None


def _warn_of_random(layer: Layer, b: Lowering) -> None:
    """Warn about parameters that parser.c load_weights_upto passes over, without passing over them in the file."""
    roles = {p.role for p in b.params if p.layer == b.index}
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
