"""`darknet-py diff`: whether two cfgs describe the same network."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from .options import DIALECTS, Size, echo, message, show

if TYPE_CHECKING:
    from ..ir import Graph

PLACE = ("Check and compare", 3)


@click.command("diff")
@click.argument("first")
@click.argument("second")
@click.option("--size", type=Size(), help="Input size for both: 416, or WIDTHxHEIGHT (default: that of FIRST).")
@click.option("--dialect", type=click.Choice(DIALECTS), help="Whose Darknet the cfgs are for (default: inferred).")
@click.option("--as-darknet", is_flag=True, help="Read what Darknet misreads silently as Darknet does.")
@click.pass_context
def command(
    ctx: click.Context, first: str, second: str, size: tuple[int, int] | None, dialect: str | None, as_darknet: bool
) -> None:
    """Compare what FIRST and SECOND compute; exit with 1 if they differ.

    Names, comments and sections that compute nothing do not count. Equal networks take each other's weights files;
    otherwise the first difference is shown.

    \b
    darknet-py diff my.cfg csresnext50
    """
    from ..analysis.diff import diff

    a = _graph(first, size, dialect, as_darknet)
    height, width = a.image.shape[1:] if len(a.image.shape) == 3 else (None, None)
    b = _graph(second, size or ((height, width) if height and width else None), dialect, as_darknet)
    difference = diff(a, b)
    if difference is None:
        echo("equal")
        return
    echo(f"{first}: {difference.layer_a}\n{second}: {difference.layer_b}\n{difference.what}")
    ctx.exit(1)


def _graph(cfg: str, size: tuple[int, int] | None, dialect: str | None, as_darknet: bool) -> Graph:
    from ..darknet.compile import compile_file
    from ..zoo.find import find_cfg

    compilation = compile_file(find_cfg(cfg, message), dialect=dialect, size=size, as_darknet=as_darknet)
    show(compilation.check().diagnostics)
    return compilation.graph
