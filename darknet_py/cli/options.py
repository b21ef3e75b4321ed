"""What several commands share: options, the size `HxW`, and how messages are shown."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..darknet import dialects

if TYPE_CHECKING:
    from ..darknet.network import Network
    from ..errors import Diagnostic

F = TypeVar("F", bound=Callable[..., Any])

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
        if not all(n.isascii() and n.isdigit() and 0 < int(n) <= 65536 for n in numbers):
            self.fail(f"{value!r} is no size: write 416, or 608x352 for width x height", param, ctx)
        return tuple(int(n) for n in numbers)


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
)

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


def show(diagnostics: tuple[Diagnostic, ...]) -> None:
    """Diagnostics to stderr."""
    for diagnostic in diagnostics:
        message(str(diagnostic))


def message(text: str) -> None:
    """A line for people, to stderr."""
    click.echo(text, err=True)


def write_json(data: Any) -> None:
    """Data to stdout; NaN and infinity, which JSON has no words for, are null."""
    import json

    click.echo(json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False))


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    return [_finite(value) for value in data] if isinstance(data, list | tuple) else data
