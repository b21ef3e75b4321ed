"""Cfg to graph: in which dialect and at which size it is read, and what errors come of those that were asked for."""

from __future__ import annotations

import gc
import math
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .. import files
from ..contract.decoders import Decoder
from ..errors import MAX_MESSAGE, CfgError, Code, Diagnostic, Diagnostics, Severity, Span, shorten
from ..ir import Graph
from ..spelling import did_you_mean
from .body import MAX_ELEMENTS, Body, lower_body
from .cfg import Cfg, Section, parse
from .cfg.characters import foreign_character
from .cfg.options import Doubt, examine_training, find_unread, read
from .cfg.parser import MAX_BYTES
from .dialects import ALEXEYAB, PJREDDIE, Dialect, find_dialect
from .evidence import infer_dialect, may_be_pjreddies, report_dialect, report_silu
from .layers.layer import layer_of
from .layers.net import NET_SECTIONS, Net, lint_training
from .reading import Reading
from .sizes import RULE, Multiples, multiples, size_text


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
        return _blame_size(result, own, folder, reading.size)
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
    body = lower_body(cfg.sections[1:], net, dialect, folder, found, doubt)
    graph = body.graph
    if dialect is ALEXEYAB and len(net.shape) == 3 and graph.outputs:
        _lint_area(graph, cfg.sections[0].span, found)
    if not found.errors and graph.heads:
        _lint_size(cfg, net, graph, reading, found)
    elif found.errors:
        _hint_at_size(cfg, net, body, dialect, folder, found)
    if body.decoders:
        _lint_classifying(cfg.sections[0], found)
    return Compilation(
        cfg, net, dialect, graph, tuple(found.sorted()), body.decoders, body.sampled if graph.outputs else None
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
    cfg: Cfg, net: Net, body: Body, dialect: Dialect, folder: str | None, places: Container[int | None]
) -> tuple[Multiples | None, list[tuple[int, int]]]:
    """What the size should be multiples of, and the sizes around it at which nothing is wrong at these places."""
    needed = multiples(body.graph, net)
    if needed is None or needed.fits:
        return needed, []
    fitting = []
    for height, width in needed.around():
        other = Diagnostics()
        lower_body(cfg.sections[1:], replace(net, height=height, width=width), dialect, folder, other, None)
        if not any(_start(d) in places for d in other.errors):
            fitting.append((height, width))
    return needed, fitting


def _start(d: Diagnostic) -> int | None:
    return d.span.start if d.span else None


def _hint_at_size(cfg: Cfg, net: Net, body: Body, dialect: Dialect, folder: str | None, found: Diagnostics) -> None:
    """Say of errors in shapes that another size of the input removes which size that is."""
    wrong = [d for d in found.errors if d.code in OF_SHAPES and d.span and d.span.source is cfg.source]
    if not wrong or len(net.shape) != 3:
        return
    needed, fitting = _fitting(cfg, net, body, dialect, folder, {_start(d) for d in wrong})
    if needed is None or not fitting:
        return
    hint = f"{needed.complaint}: {' or '.join(size_text(h, w) for h, w in fitting)} fits"
    found.items = [replace(d, hint=hint) if d in wrong else d for d in found.items]


def _blame_size(result: Compilation, own: Compilation, folder: str | None, asked: tuple[int, int]) -> Compilation:
    """The errors that only another size than the cfg's brings, as one about that size."""
    net, first = result.net, result.errors[0]
    body = Body(result.graph, result.decoders, None)
    places = {_start(d) for d in result.errors}
    needed, fitting = _fitting(result.cfg, net, body, result.dialect, folder, places)
    reason = needed.complaint if needed and fitting else first.message
    sizes = [size_text(h, w) for h, w in fitting if (h, w) != (own.net.height, own.net.width)]
    fits = " or ".join([*sizes, f"the cfg's own {size_text(own.net.height, own.net.width)}"])
    message = f"the size {size_text(*asked)} that was asked for {ASKED} does not fit: {reason}"
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


def _lint_classifying(net: Section, found: Diagnostics) -> None:
    for key in ("shorter_edge", "interpolation"):
        if option := net.find(key):
            found.warning(Code.NO_EFFECT, f"{key} is for classifiers: pictures of a detector are not cut", option.span)


def _lint_area(graph: Graph, span: Span, found: Diagnostics) -> None:
    first = ((i, (*graph.layer_inputs(i), graph.image)[0].shape) for i in graph.layers)
    if not any(layer_of(info).has_area(shape) for info, shape in first):
        message = "no layer reads an image of more than a row or column: AlexeyAB's Darknet divides by zero on it"
        found.warning(Code.NO_INPUT_SIZE, message, span)
