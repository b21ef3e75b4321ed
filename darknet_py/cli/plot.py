"""`darknet-py plot`: what each layer costs, as a chart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import DIALECTS, Size, echo, message, replace_option, show

if TYPE_CHECKING:
    from ..ir import Graph

PLACE = ("Look into a network", 3)


@click.command("plot")
@click.argument("cfgs", nargs=-1, required=True, metavar="CFG...")
@click.option(
    "--of",
    "what",
    type=click.Choice(("bflops", "cio")),
    default="bflops",
    show_default=True,
    help="BFLOPs of each layer, or what it reads and writes (convolutional input and output).",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="A .png, .svg or .pdf file (default: the first CFG's name and the quantity, as .png).",
)
@click.option("--label", "labels", multiple=True, help="A name for the legend; once for each CFG (default: its name).")
@click.option("--title", default="", help="A title above the chart.")
@replace_option
@click.option("--size", type=Size(), help="Input size for all, instead of the cfgs': 416, or WIDTHxHEIGHT.")
@click.option("--dialect", type=click.Choice(DIALECTS), help="Whose Darknet the cfgs are for (default: inferred).")
def command(
    cfgs: tuple[str, ...],
    what: str,
    output: Path | None,
    labels: tuple[str, ...],
    title: str,
    replace: bool,
    size: tuple[int, int] | None,
    dialect: str | None,
) -> None:
    """Plot what each layer of one or more networks costs, over each other: Fig. 7 and 8 of the CSPNet paper.

    Needs matplotlib, the extra [plot]: pip install '.[plot]' in a checkout, else 'darknet-compiler[plot]'. The legend
    gives sums; with BFLOPs, a dashed line marks each network's costliest layer.

    \b
    darknet-py plot yolov3-pelee yolov3-pelee-prn yolov3-csppelee-efm -o fig7.svg
    darknet-py plot resnext50 csresnext50 --of cio -o fig8.png
    """
    from ..analysis.plot import plot
    from ..zoo.find import find_cfg

    if labels and len(labels) != len(cfgs):
        raise click.UsageError(f"{len(labels)} labels for {len(cfgs)} networks")
    paths = [find_cfg(cfg, message) for cfg in cfgs]
    names = labels or tuple(path.stem for path in paths)
    if len(set(names)) < len(names):
        raise click.UsageError("two networks of one name; tell them apart with --label")
    graphs = {name: _graph(path, size, dialect) for name, path in zip(names, paths, strict=True)}
    echo(plot(graphs, output or Path(f"{paths[0].stem}-{what}.png"), what, title=title, replace=replace))


def _graph(path: Path, size: tuple[int, int] | None, dialect: str | None) -> Graph:
    from ..darknet.compile import compile_file

    compilation = compile_file(path, dialect=dialect, size=size).check()
    show(compilation.diagnostics)
    return compilation.graph
