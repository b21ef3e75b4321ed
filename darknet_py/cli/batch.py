"""`darknet-py batch`: a network on any number of pictures, in shards that are computed once, whatever is killed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..backends.backend import DEFAULT, backends
from ..errors import counted
from .options import (
    device_option,
    echo,
    message,
    named_precision_options,
    network_options,
    overwrite,
    precision_of,
    replace_option,
    weights_option,
    write_json,
)
from .result_options import filter_options, iou_option, pixels_option

if TYPE_CHECKING:
    from collections.abc import Callable

PLACE = ("Run", 6)
EXTRA = "batch"

NETWORK = ("dialect", "size", "strict", "as_darknet", "allow_partial", "letterbox", "names")  # options of `load`
FIRST_SECONDS = 5.0  # before the first line of progress
LOG_SECONDS = 60.0  # between two lines of progress where there is no terminal
NOT_PLANNED = ("shard_size", "share", "processes", "engine", "address", "resume", "replace")


@click.command("batch")
@click.argument("cfg", required=False)
@click.argument("sources", nargs=-1, metavar="SOURCE...")
@click.option("-o", "--output", metavar="OUT", help="The folder, or the address, for the results.")
@weights_option
@click.option(
    "-n", "--names", type=click.Path(path_type=Path), help="A .names or .data file (default: beside the cfg)."
)
@filter_options
@iou_option
@click.option(
    "--letterbox/--no-letterbox", default=None, help="Pad pictures, or stretch them (default: as the cfg says)."
)
@click.option("--backend", type=click.Choice(backends()), default=DEFAULT, show_default=True, help="What computes.")
@device_option
@named_precision_options
@click.option("--format", "form", type=click.Choice(("jsonl", "parquet")), default="jsonl", show_default=True,
              help="How rows are written; Parquet needs the extra [batch].")  # fmt: skip
@click.option("--column", metavar="NAME", help="The column of Parquet files that holds the pictures' bytes.")
@click.option("--shard-size", type=click.IntRange(1), default=256, show_default=True, metavar="N",
              help="Pictures of one file of results.")  # fmt: skip
@click.option("--shard", "share", default="0/1", metavar="I/N",
              help="Compute every N-th shard, from the I-th on: for jobs of a scheduler that share OUT.")  # fmt: skip
@click.option(
    "--processes",
    type=click.IntRange(1),
    help="Processes (actors) that compute (default: one for each core, or as "
    "measured once for a network where there are a thousand pictures).",
)
@click.option("--threads", type=click.IntRange(1),
              help="Threads of each process for the network (default: 1, or as measured).")  # fmt: skip
@click.option("--workers", type=click.IntRange(0),
              help="Threads of each process that read pictures ahead (default: 0, for addresses 16; 1 beside several "
              "--threads).")  # fmt: skip
@click.option("--batch", type=click.IntRange(1), help="Pictures computed at a time (default: 1, or as measured).")
@pixels_option
@click.option("--engine", type=click.Choice(("here", "ray")), default="here", show_default=True,
              help="Processes of this machine, or Ray Data (the extra [ray]).")  # fmt: skip
@click.option("--address", metavar="ADDRESS", help="The Ray cluster (default: RAY_ADDRESS, or one of this machine).")
@click.option("--resume/--no-resume", default=True, show_default=True, help="Go on with what is in OUT, or begin anew.")
@click.option("--status", metavar="OUT", help="Say how far the work in OUT is, and compute nothing.")
@click.option("--plan", "planned", is_flag=True, help="Measure 64 pictures, say what all would take; compute nothing.")
@click.option("--pictures", type=click.IntRange(1), metavar="N", help="With --plan: how many pictures there will be.")
@click.option("--cores", type=click.IntRange(1), metavar="M", help="With --plan: how many cores there will be.")
@click.option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
@replace_option
@network_options
@click.pass_context
def command(ctx: click.Context, /, cfg: str | None, sources: tuple[str, ...], **options: Any) -> None:
    """Run the network CFG on every picture of the sources, and write a row for each into OUT.

    A SOURCE is a folder (with those in it), a pattern, a list, a tar file as webdataset has them, a Parquet file with a
    column of bytes, or an address of these that fsspec knows (s3://, gs://, az://). A picture that cannot be read is a
    row with `error`. The same command goes on after a stop, a crash or a kill; nothing is lost and nothing is twice.

    \b
    darknet-py batch my.cfg photos/ -o results
    darknet-py batch --status results
    darknet-py batch my.cfg photos.txt -o shared/results --shard 3/8
    darknet-py batch my.cfg photos/ --plan --pictures 1000000000 --cores 512
    darknet-py batch yolov4-tiny 's3://bucket/*.tar' -o s3://bucket/results --format parquet
    """
    if out := options.pop("status"):
        _tell_status(out, options["as_json"])
        return
    planned, pictures, cores = (options.pop(key) for key in ("planned", "pictures", "cores"))
    if cfg is None or not sources or not (options["output"] or planned):
        raise click.UsageError("say which network and pictures, and where results go: CFG SOURCE... -o OUT")
    if not planned and (pictures or cores):
        raise click.UsageError("--pictures and --cores are for --plan")
    from ..apps.batch.run import batch, batch_plan

    network = {key: options.pop(key) for key in NETWORK} | precision_of(options)
    if (random := options.pop("random")) is not None:
        network["random_weights"] = random
    if device := options.pop("device"):
        network["device"] = device
    as_json, out = options.pop("as_json"), options.pop("output")
    if planned:
        for key in NOT_PLANNED:
            options.pop(key)
        plan = batch_plan(
            cfg, sources, options.pop("weights"), pictures=pictures, cores=cores, format=options.pop("form"),
            **options, **network,
        )  # fmt: skip
        _print(plan, as_json, seconds=plan.seconds, bottleneck=plan.bottleneck)
        return
    found = batch(
        cfg, sources, out, options.pop("weights"), format=options.pop("form"), progress=_progress(), say=message,
        **options, **network,
    )  # fmt: skip
    for failure in found.failures:
        message(f"error: {failure}")
    if as_json:
        _print(found, as_json, complete=found.complete)
    else:
        message(str(found))
    ctx.exit(1 if found.failures else 0)


def _tell_status(out: str, as_json: bool) -> None:
    from ..apps.batch.manifest import batch_status

    status = batch_status(out)
    _print(status, as_json, complete=status.complete)


def _print(found: Any, as_json: bool, **more: Any) -> None:
    """A value to stdout: its words, or its fields and some more as JSON."""
    from dataclasses import asdict

    if as_json:
        write_json({**asdict(found), **more})
    else:
        echo(found)


def _progress() -> Callable[[int], None]:
    """How far it is: a line that changes on a terminal, elsewhere (a file, a scheduler's log) one each minute."""
    import sys
    import time

    start, terminal = time.monotonic(), sys.stderr.isatty()
    due = start + (0 if terminal else FIRST_SECONDS)

    def show(pictures: int) -> None:
        nonlocal due
        now = time.monotonic()
        if not pictures or not (terminal or now >= due):
            return
        due = now + LOG_SECONDS
        (overwrite if terminal else message)(f"{counted(pictures, 'picture')}, {pictures / (now - start):.1f}/s")

    return show
