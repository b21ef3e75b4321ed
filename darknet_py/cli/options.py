"""What several commands share: options, the size `HxW`, and how messages are shown."""

from __future__ import annotations

import math
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from ..backends.backend import AUTO
from ..backends.precision import F32, KINDS
from ..darknet import dialects
from ..darknet.reading import MOST
from ..errors import LimitWarning, PictureWarning, json_escaped, printable

if TYPE_CHECKING:
    from ..darknet.network import Network
    from ..errors import Diagnostic
    from ..model.model import Model

F = TypeVar("F", bound=Callable[..., Any])

OWN_WARNINGS = (PictureWarning, LimitWarning)
DIALECTS = tuple(dialects.DIALECTS)


class Size(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """`416`, `608x352` (width x height) as (height, width)."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The (height, width) of the text."""
        if not isinstance(value, str):
            return value
        width, x, height = value.lower().partition("x")
        numbers = (height if x else width, width)
        if not all(n.isascii() and n.isdigit() for n in numbers):
            self.fail(f"{value!r} is no size: write 416, or 608x352 for width x height", param, ctx)
        if not all(0 < int(n) <= MOST for n in numbers):
            self.fail(f"{value!r} is no size: width and height are from 1 to {MOST:,} pixels", param, ctx)
        return tuple(int(n) for n in numbers)


class WorkersParam(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """A number of threads, or "auto"."""

    name = "N|auto"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """`int`, or the word."""
        if value == "auto":
            return value
        try:
            return click.IntRange(0).convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"want a number of threads, 0 or more, or 'auto', not {value!r}", param, ctx)


def _remember_verbose(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    ctx.meta[VERBOSE] = value  # shared with the group, which prints errors


VERBOSE = "darknet_py.verbose"

verbose_option = click.option(
    "--verbose",
    is_flag=True,
    expose_value=False,
    callback=_remember_verbose,
    help="Say which places were looked at for missing weights, and what was measured for an `auto`.",
)


def is_verbose(ctx: click.Context) -> bool:
    """Whether --verbose was given."""
    return bool(ctx.meta.get(VERBOSE))


def network_options(command: F) -> F:
    """The options that say which network is meant; `network_of` opens it from them."""
    for option in reversed(_NETWORK):
        command = option(command)
    return command


_NETWORK = (
    click.option("--dialect", type=click.Choice(DIALECTS), help="Whose Darknet the cfg is for (default: inferred)."),
    click.option("--size", type=Size(), help="Input size instead of the cfg's: 416, or WIDTHxHEIGHT."),
    click.option(
        "--random-weights",
        "random",
        type=click.IntRange(0),
        metavar="SEED",
        help="Random numbers instead of weights, for timing and shape checks.",
    ),
    click.option(
        "--allow-partial",
        is_flag=True,
        help="Accept weights of the first layers only, as `darknet-py cut` writes them; the others are random.",
    ),
    click.option("--strict", is_flag=True, help="Warnings about the cfg are errors."),
    click.option("--as-darknet", is_flag=True, help="Read what Darknet misreads silently as Darknet does."),
    verbose_option,
)

replace_option = click.option(
    "--replace",
    is_flag=True,
    help="Replace files that darknet-py did not write, or that were changed since; never one that is read.",
)


def exported_option(purpose: str) -> Callable[[F], F]:
    """Files of the network, as `files`; `purpose` is what is done with them, in words."""
    return click.option(
        "--exported",
        "files",
        multiple=True,
        type=click.Path(path_type=Path),
        metavar="FILE",
        help=f"A file that `export` wrote of CFG, {purpose}.",
    )


device_option = click.option(
    "--device",
    metavar="DEVICE",
    help="Where it computes: cpu, cuda[:N], tensorrt[:N], directml[:N], coreml, openvino:GPU … (default: cpu).",
)


def precision_options(command: F) -> F:
    """The options of what a network computes in, 'auto' among it; `precision_of` takes them out again."""
    return _of_precision(
        command, (*KINDS, AUTO.name), "; auto: the fastest here that loses at most --max-loss", " and auto",
        "default for auto: 0.005; for int8 it is only told",
    )  # fmt: skip


def named_precision_options(command: F) -> F:
    """`precision_options` of a command for which a precision has to be named, and is not to be found."""
    return _of_precision(command, tuple(KINDS), "", "", "default: it is only told")


def _of_precision(command: F, kinds: tuple[str, ...], auto: str, also: str, default: str) -> F:
    options = (
        click.option(
            "--precision", type=click.Choice(kinds), default=F32, show_default=True,
            help=f"What it computes in; int8 is calibrated on --data{auto}.",
        ),
        click.option(
            "--data", "precision_data", type=click.Path(path_type=Path), metavar="PICTURES",
            help=f"Pictures for --precision int8{also}: a .data file, a list, a folder; best with labels.",
        ),
        click.option(
            "--max-loss", type=click.FloatRange(0, 1), metavar="LOSS",
            help=f"How much mAP --precision may cost ({default}).",
        ),
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


def precision_of(options: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `load` that `precision_options` say, taken out of the options; what is a default is left out."""
    precision, data, max_loss = (options.pop(key) for key in ("precision", "precision_data", "max_loss"))
    given = {"precision": precision if precision != F32 else None, "data": data, "max_loss": max_loss}
    return {key: value for key, value in given.items() if value is not None}


weights_option = click.option(
    "-w",
    "--weights",
    type=click.Path(path_type=Path),
    help="The .weights file (default: looked for by the name of the cfg).",
)


def network_of(cfg: str, weights: Path | None, quiet: bool = False, **options: Any) -> Network:
    """Open the network; the warnings about its cfg go to stderr."""
    from ..darknet.network import open_network

    network = open_network(cfg, weights, say=message, **options)
    if not quiet:
        show(network.compilation.diagnostics)
    return network


def opened_of(cfg: str, weights: Path | None = None, **options: Any) -> Model:
    """`load`; the warnings about the network go to stderr."""
    from ..model.opening import load

    model = load(cfg, weights, say=message, **options)
    for diagnostic in model.contract.diagnostics:
        message(diagnostic)
    return model


def given_in(ctx: click.Context) -> set[str]:
    """The names of the parameters that the command line says, of those with defaults too."""
    return {name for name in ctx.params if ctx.get_parameter_source(name) is not ParameterSource.DEFAULT}


def show(diagnostics: tuple[Diagnostic, ...]) -> None:
    """Diagnostics to stderr."""
    from ..errors import told_once

    for diagnostic in told_once(diagnostics):
        message(str(diagnostic))


CLEAR = "\r\x1b[K"  # the line of a terminal
_unended: list[str] = []  # the line that `overwrite` has left on the terminal, if any


def overwrite(text: str) -> None:
    """A line for people that takes the place of the one before, on the terminal that is stderr."""
    _unended[:] = [text] if text else []
    click.echo(f"{CLEAR}{printable(text)}", nl=False, err=True)


def message(text: str) -> None:
    """A line for people, to stderr; it takes the place of one that `overwrite` has left there."""
    if _unended:
        overwrite("")
    click.echo(printable(text), err=True)


@contextmanager
def own_warnings() -> Iterator[None]:
    """A block in which each warning of ours is a message, once, in the place of Python's own lines on stderr."""
    told: set[str] = set()
    with warnings.catch_warnings():
        for own in OWN_WARNINGS:
            warnings.simplefilter("always", own)
        others = warnings.showwarning

        def show(text: Warning | str, category: type[Warning], *where: Any) -> None:
            if not issubclass(category, OWN_WARNINGS):
                others(text, category, *where)
            elif str(text) not in told:
                told.add(str(text))
                message(f"warning: {text}")

        warnings.showwarning = show  # type: ignore[assignment]  # the rest is passed on as it comes
        yield


def echo(text: object, nl: bool = True) -> None:
    """Text to stdout, which may be a terminal: what files say of themselves cannot command it."""
    click.echo(printable(str(text)), nl=nl)


def write_json(data: Any) -> None:
    """Data to stdout; NaN and infinity, which JSON has no words for, are null."""
    click.echo(_json(data))


def echo_whole(text: str) -> None:
    """Whole lines to stdout, which no signal cuts in two."""
    with uncut():
        _write(printable(text))


def write_json_line(data: Any) -> None:
    """Data as one line of JSON to stdout, which no signal cuts in two."""
    with uncut():
        _write(f"{_json(data, indent=None)}\n")


@contextmanager
def json_array() -> Iterator[Callable[[Any], None]]:
    """A function that writes the next item of an array to stdout.

    The array is closed however the block ends: what was found before an error or Ctrl-C is JSON too.
    """
    count = 0

    def add(item: Any) -> None:
        nonlocal count
        indented = "\n".join(f"  {line}" for line in _json(item).split("\n"))
        with uncut():
            _write(("[\n" if count == 0 else ",\n") + indented)
            count += 1

    try:
        yield add
    finally:
        with uncut():
            _write("\n]\n" if count else "[]\n")


def _write(text: str) -> None:
    """Text to stdout, to the last byte: where a pipe is full, a write ends early when a signal comes."""
    import os
    import sys

    stream = sys.stdout
    try:
        descriptor = stream.fileno()
    except (AttributeError, OSError, ValueError):  # one that a test has put there
        click.echo(text, nl=False)
        return
    stream.flush()
    data = text.encode(stream.encoding or "utf-8", stream.errors or "backslashreplace")
    while data:
        data = data[os.write(descriptor, data) :]


@contextmanager
def uncut() -> Iterator[None]:
    """A block that no signal cuts in two: what Ctrl-C raises is raised when it ends."""
    came: list[int] = []
    before = {}
    if threading.current_thread() is threading.main_thread():  # where Python handles signals
        numbers = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
        handled = {n: signal.getsignal(n) for n in numbers if n is not None}
        before = {n: handler for n, handler in handled.items() if callable(handler)}
    try:
        for number in before:
            signal.signal(number, lambda number, _: came.append(number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if came:
        signal.raise_signal(came[0])


def _json(data: Any, indent: int | None = 2) -> str:
    """JSON text that stdout can encode: ASCII, where it is no UTF-8."""
    import json
    import sys

    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    return json_escaped(json.dumps(_finite(data), indent=indent, ensure_ascii=encoding != "utf8", allow_nan=False))


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    return [_finite(value) for value in data] if isinstance(data, list | tuple) else data
