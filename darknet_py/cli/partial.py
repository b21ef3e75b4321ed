"""`darknet-py partial`: Darknet's command line for the weights of the first layers: `cut` by its other name."""

from __future__ import annotations

from pathlib import Path

import click

from .darknet_options import ignored
from .options import replace_option
from .weights import cut

PLACE = ("As Darknet is called", 5)


@click.command("partial")
@click.argument("cfg")
@click.argument("weights", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.argument("layers", type=click.IntRange(1))
@replace_option
@ignored()
@click.pass_context
def command(ctx: click.Context, cfg: str, weights: Path, output: Path, layers: int, replace: bool) -> None:
    """Write the weights of the first LAYERS layers of CFG to OUTPUT.

    \b
    darknet-py partial my.cfg my.weights my.conv.2 2
    """
    ctx.invoke(cut, cfg=cfg, weights=weights, output=output, layers=layers, dialect=None, replace=replace)
