"""`darknet-py weights`: look into a weights file, cut one, and make one of another program's checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from .options import DIALECTS, echo, message, replace_option, verbose_option, write_json

if TYPE_CHECKING:
    from ..darknet.foreign.importing import Import
    from ..darknet.ledger import Ledger

PLACE = ("Convert", 2)

_dialect = click.option("--dialect", type=click.Choice(DIALECTS), help="Whose Darknet the cfg is for.")


@click.group("weights")
def command() -> None:
    """Inspect and cut .weights files, and make them of other programs' checkpoints."""


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
    from ..darknet.foreign.kinds import is_checkpoint
    from ..darknet.ledger import read_ledger
    from ..zoo.find import Found, find_cfg, find_network, find_weights

    files = Found(find_cfg(cfg, message), weights) if weights else find_network(cfg, message)
    compilation = compile_file(files.cfg, dialect=dialect).check()
    path = files.weights or find_weights(files.cfg, message)
    if is_checkpoint(path):
        from ..darknet.foreign.converted import converted

        path, _ = converted(path, compilation, message)
    ledger = read_ledger(path, compilation.graph)
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
    from ..darknet.weights import cut_weights
    from ..zoo.find import find_cfg

    graph = compile_file(find_cfg(cfg, message), dialect=dialect).check().graph
    count = cut_weights(weights, graph, output, layers, replace=replace)
    message(f"{output}: {count:,} bytes, layers 0 to {min(layers, len(graph.layers)) - 1}")


@command.command("import")
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The .weights file to write.")
@click.option("--cfg", help="The network, a file or a name (default: the one of mmpretrain's or timm's that fits).")
@click.option(
    "--epsilon",
    type=click.FloatRange(0, min_open=True),
    help="Of the checkpoint's batch normalization (default: what a model saved whole says, else its program's).",
)
@click.option("--json", "as_json", is_flag=True, help="Which tensor went where, as JSON.")
@replace_option
@_dialect
def import_(
    checkpoint: Path, output: Path, cfg: str | None, epsilon: float | None, as_json: bool, replace: bool,
    dialect: str | None,
) -> None:  # fmt: skip
    """Make weights of CHECKPOINT, a file of mmpretrain, timm or a PyTorch program that reads Darknet's cfg.

    Prints which tensor went where; a tensor that is left over, missing or of another shape is an error. Files of
    torch.save and safetensors are read without PyTorch, and nothing in them is executed.

    \b
    darknet-py weights import cspdarknet50_3rdparty_8xb32_in1k_20220322-f45add06.pth -o my.weights
    darknet-py weights import yolov4-csp.pt --cfg yolov4-csp.cfg -o yolov4-csp.weights
    """
    from ..darknet.foreign.importing import import_weights

    done = import_weights(checkpoint, output, cfg, dialect=dialect, epsilon=epsilon, replace=replace)
    if as_json:
        write_json(done.to_dict())
    else:
        _print_import(done)
    for warning in done.warnings:
        message(str(warning))
    message(f"{done.weights}: {done.weights.stat().st_size:,} bytes, for {done.cfg}")


def _print_import(done: Import) -> None:
    where = f" under {done.entry}" if done.entry else ""
    echo(f"{done.checkpoint}: {done.form}, tensors of {done.family}{where}")
    names = [row.tensor or f"({row.note})" for row in done.rows]
    width = max(map(len, names))
    for row, name in zip(done.rows, names, strict=True):
        note = f"  {row.note}" if row.tensor and row.note else ""
        shape = "x".join(map(str, row.shape))
        echo(f"{name:{width}} -> {row.layer} {row.role} {shape}{note}")
    counted = f", and {len(done.counters)} that count training steps" if done.counters else ""
    echo(f"{done.used} tensors in {len(done.rows)} places, none missing, none left over{counted}")
