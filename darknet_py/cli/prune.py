"""`darknet-py prune`: a smaller network of a trained one."""

from __future__ import annotations

import re
from pathlib import Path

import click

from .options import DIALECTS, echo, message, replace_option, verbose_option, weights_option, write_json

PLACE = ("Convert", 4)

MINIMUM = 8  # as in `apps.prune.run`, which imports the compiler


class LayerNumbers(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """Numbers of layers, `0,5,20-30`."""

    name = "LAYERS"

    def convert(
        self, value: str | frozenset[int], param: click.Parameter | None, ctx: click.Context | None
    ) -> frozenset[int]:
        """The numbers."""
        if not isinstance(value, str):
            return value
        found: set[int] = set()
        for item in filter(str.strip, value.split(",")):
            match = re.fullmatch(r"\s*(\d{1,6})(?:\s*-\s*(\d{1,6}))?\s*", item, re.ASCII)
            if not match or int(match[2] or match[1]) < int(match[1]):
                self.fail(f"{item.strip()!r} is no number of a layer: write 0,5,20-30", param, ctx)
            found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
        return frozenset(found)


@click.command("prune")
@click.argument("cfg")
@weights_option
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The cfg to write.")
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="How many of the channels that could go do, as a part of 1.",
)
@click.option("--below", type=click.FloatRange(0, min_open=True), help="Instead: the scale below which channels go.")
@click.option(
    "--minimum", type=click.IntRange(1), default=MINIMUM, show_default=True, help="Channels that each layer keeps."
)
@click.option("--leave", type=LayerNumbers(), default="", help="Layers that keep all their channels: 0,5,20-30.")
@click.option("-n", "--names", type=click.Path(path_type=Path), help="A .names or .data file for the result.")
@click.option("--dialect", type=click.Choice(DIALECTS), help="Whose Darknet the cfg is for (default: inferred).")
@click.option("--json", "as_json", is_flag=True, help="What became of each layer, as JSON.")
@replace_option
@verbose_option
def command(
    cfg: str, weights: Path | None, output: Path, share: float | None, below: float | None, minimum: int,
    leave: frozenset[int], names: Path | None, dialect: str | None, as_json: bool, replace: bool,
) -> None:  # fmt: skip
    """Write CFG and its weights without the channels whose scale of batch normalization is the smallest.

    Channels that are added, multiplied or in one group go together, and the text of the cfg keeps all but its numbers.
    What gave 0 changes nothing when it goes; the rest is mended by training on from the result. Prints what each layer
    lost, and why others could not.

    \b
    darknet-py prune yolov4-tiny --share 0.05 -o smaller.cfg
    darknet-py run smaller.cfg dog.jpg
    """
    from ..apps.prune.run import prune

    done = prune(
        cfg, output, weights=weights, share=share, below=below, minimum=minimum, alone=leave, dialect=dialect,
        names=names, replace=replace, say=message,
    )  # fmt: skip
    if as_json:
        write_json(done.to_dict())
    else:
        echo(done.text())
    message(
        f"{done.cfg} and {done.weights}: {done.weights.stat().st_size:,} bytes\n"
        f"it finds less until it is trained on: darknet-py train DATA {done.cfg} {done.weights}"
    )
