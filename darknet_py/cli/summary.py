"""`darknet-py summary`: the table of layers that Darknet prints when it loads a network."""

from __future__ import annotations

import click

from .options import DIALECTS, Size, message, show, write_json


@click.command("summary")
@click.argument("cfg")
@click.option("--json", "as_json", is_flag=True, help="The table as JSON.")
@click.option("--size", type=Size(), help="Input size instead of the cfg's: 416, or WIDTHxHEIGHT.")
@click.option("--dialect", type=click.Choice(DIALECTS), help="Whose Darknet the cfg is for (default: inferred).")
@click.option("--as-darknet", is_flag=True, help="Read what Darknet misreads silently as Darknet does.")
def command(cfg: str, as_json: bool, size: tuple[int, int] | None, dialect: str | None, as_darknet: bool) -> None:
    """Print the table of layers: sizes and cost.

    For each layer its filters, window, input, output and BFLOPs as Darknet prints them, then the totals. Needs no
    weights.

    \b
    darknet-py summary yolov4-tiny.cfg
    darknet-py summary yolov4-tiny.cfg --size 608 --json
    """
    from ..analysis.summary import summarize
    from ..compiler import compile_file
    from ..find import find_network

    compilation = compile_file(
        find_network(cfg, message).cfg, dialect=dialect, size=size, as_darknet=as_darknet
    ).check()
    show(compilation.diagnostics)
    summary = summarize(compilation)
    if as_json:
        write_json(summary.to_json())
    else:
        click.echo(summary.format_table())
