"""`darknet-py check`: what will go wrong before a day of training."""

from __future__ import annotations

from pathlib import Path

import click

from .options import Size, echo, message, replace_option, write_json
from .progress import Progress

PLACE = ("Train", 0)


@click.command("check")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("cfg")
@click.option("--size", type=Size(), help="Input size instead of the cfg's: 416, or WIDTHxHEIGHT.")
@click.option(
    "--plot", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.png", help="Draw boxes against anchors."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with every place.")
@replace_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    data: Path,
    cfg: str,
    size: tuple[int, int] | None,
    plot: Path | None,
    as_json: bool,
    replace: bool,
) -> None:
    """Check the data set DATA, alone and against CFG.

    Faulty labels by file and line, classes against names and cfg, pictures that cannot be read, are there twice, or in
    train and valid; boxes that leave the picture or are tiny at the input's size; anchors that do not fit. Exits with 1
    if something would break the training.

    \b
    darknet-py check my.data my.cfg
    darknet-py check my.data my.cfg --plot sizes.png
    """
    from ..analysis.chart import check_chart
    from ..apps.datasets.check import check_data, plot_sizes
    from ..zoo.find import find_cfg

    if plot:
        check_chart(plot, replace=replace)
    with Progress() as progress:
        found = check_data(data, find_cfg(cfg, message), size=size, progress=progress)
    if as_json:
        write_json(found.to_dict())
    else:
        echo(str(found))
    if plot:
        message(f"written: {plot_sizes(found, plot, replace=replace)}")
    ctx.exit(1 if found.errors else 0)
