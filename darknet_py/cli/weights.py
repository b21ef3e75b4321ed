"""`darknet-py weights`: look into a weights file, and cut one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import DIALECTS, echo, message, replace_option, verbose_option, write_json

if TYPE_CHECKING:
    from ..darknet.ledger import Ledger

PLACE = ("Convert", 2)

_dialect = click.option("--dialect", type=click.Choice(DIALECTS), help="Whose Darknet the cfg is for.")


@click.group("weights")
def command() -> None:
    """Inspect and cut .weights files."""


@command.command("inspect")
@click.argument("cfg")
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="The ledger as JSON.")
@_dialect
@verbose_option
@click.pass_context
def inspect(ctx: click.Context, /, cfg: str, weights: Path | None, as_json: bool, dialect: str | None) -> None:
    """Show the header of a weights file and which bytes belong to which layer.

    Exits with 1 if it does not fit, or if its numbers make the network compute NaN.

    \b
    darknet-py weights inspect yolov4-tiny
    darknet-py weights inspect my.cfg my.weights
    """
    from ..darknet.compile import compile_file
    from ..darknet.ledger import read_ledger
    from ..zoo.find import Found, find_cfg, find_network, find_weights

    files = Found(find_cfg(cfg, message), weights) if weights else find_network(cfg, message)
    graph = compile_file(files.cfg, dialect=dialect).check().graph
    ledger = read_ledger(files.weights or find_weights(files.cfg), graph)
    if as_json:
        write_json(ledger.to_dict())
    else:
        _print(ledger)
    if ledger.warning:
        message(str(ledger.warning))
    ctx.exit(0 if ledger.fits and not ledger.warning else 1)


def _print(ledger: Ledger) -> None:
    h = ledger.header
    echo(f"{ledger.path}: version {h.major}.{h.minor}.{h.revision}, {h.seen:,} images seen, {ledger.size:,} bytes")
    echo(f"{'layer':24} {'offset':>12} {'floats':>12}  parts")
    for row in ledger.rows:
        parts = ", ".join(f"{role} {size:,}" for role, size in row.parts)
        notes = row.notes if row.held else ("not in the file",)
        told = f"  <- {', '.join(notes)}" if notes else ""
        echo(f"{row.name:24} {row.offset:12,} {row.floats:12,}  {parts}{told}")
    echo(ledger.verdict)


@command.command("cut")
@click.argument("cfg")
@click.argument("weights", type=click.Path(path_type=Path))
@click.argument("output", type=click.Path(path_type=Path))
@click.argument("layers", type=click.IntRange(1))
@replace_option
@_dialect
def cut(cfg: str, weights: Path, output: Path, layers: int, replace: bool, dialect: str | None) -> None:
    """Write the weights of the first LAYERS layers to OUTPUT, as Darknet's `partial` does.

    So a backbone goes from a trained classifier to a detector that begins with the same layers: Darknet trains on from
    the cut file, and --allow-partial loads it, leaving the layers after it random. LAYERS counts from the beginning:
    137 keeps layers 0 to 136. A file OUTPUT that darknet-py did not write is replaced only with --replace.

    \b
    darknet-py cut yolov4.cfg yolov4.weights yolov4.conv.137 137
    darknet-py cut csppelee.cfg csppelee.weights csppelee.conv.160 160
    darknet-py run yolov3-csppelee-prn.cfg dog.jpg -w csppelee.conv.160 --allow-partial --conf 0.5
    """
    from ..darknet.compile import compile_file
    from ..darknet.weights import Header, Weights, read_weights, write_weights
    from ..zoo.find import find_cfg

    graph = compile_file(find_cfg(cfg, message), dialect=dialect).check().graph
    read = read_weights(weights, graph, allow_partial=True)
    # darknet.c partial: the version it writes is its own, and the count of images starts again
    write_weights(output, graph, Weights(Header(), read.arrays), upto=layers, replace=replace)
    message(f"{output}: {output.stat().st_size:,} bytes, layers 0 to {min(layers, len(graph.layers)) - 1}")
