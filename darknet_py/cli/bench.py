"""`darknet-py bench`: how fast a network is here, in every back end, and which layers are slow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import (
    DIALECTS,
    Size,
    echo,
    exported_option,
    message,
    named_precision_options,
    precision_of,
    verbose_option,
    write_json,
)

PLACE = ("Check and compare", 5)

WORST_LAYERS = 20


@click.command("bench")
@click.argument("cfg")
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@click.option("--backend", "backends", multiple=True, metavar="NAME", help="Only these (default: all fast ones here).")
@exported_option("beside the back ends: raw heads, of any format that runs here")
@click.option("--rounds", type=click.IntRange(1), help="How often each is timed (default: by the cost of a run).")
@click.option("--threads", type=click.IntRange(1), help="Threads of each back end (default: one for each core).")
@click.option("--layers", is_flag=True, help="Time every layer, and say what bounds it.")
@click.option("--size", type=Size(), help="Input size instead of the cfg's: 416, or WIDTHxHEIGHT.")
@click.option("--dialect", type=click.Choice(DIALECTS), help="Whose Darknet the cfg is for (default: inferred).")
@click.option("--random-weights", "random", type=click.IntRange(0), metavar="SEED", help="Random numbers as weights.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@named_precision_options
@verbose_option
@click.pass_context
def command(
    ctx: click.Context, /, cfg: str, weights: Path | None, backends: tuple[str, ...], files: tuple[Path, ...],
    rounds: int | None, threads: int | None, layers: bool, size: tuple[int, int] | None, dialect: str | None,
    random: int | None, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Time CFG in every back end that is installed, side by side.

    Each back end runs in a process of its own; their outputs are compared, then they take turns. `network` is the
    network alone, `image` goes from the pixels of a photo to what is on it. `of peak` is the part of this machine's own
    matrix product, measured in the same rounds. Exits with 1 if a back end fails.

    \b
    darknet-py bench yolov4-tiny
    darknet-py bench my.cfg --random-weights 0 --backend onnxruntime --layers
    """
    from ..apps.bench.report import format_result, plain
    from ..apps.bench.run import bench
    from ..zoo.find import find_network

    found = find_network(cfg, message, trained=random is None)
    result = bench(
        found.cfg, weights or found.weights, backends=backends, files=files, rounds=rounds, threads=threads,
        layers=layers, size=size, dialect=dialect, random_weights=random, **precision_of(options),
    )  # fmt: skip
    if as_json:
        write_json(plain(result))
    else:
        echo(format_result(result, WORST_LAYERS))
    ctx.exit(1 if result.failures else 0)
