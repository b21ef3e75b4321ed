"""`darknet-py anchors`: anchors that fit a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..errors import counted
from .options import Size, echo, message, replace_option, write_json

if TYPE_CHECKING:
    from ..apps.datasets.anchors import Anchors

PLACE = ("Train", 1)


@click.command("anchors")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("cfg")
@click.option("-k", "--count", type=click.IntRange(1), help="How many (default: as many as CFG has).")
@click.option("--size", type=Size(), help="Input size instead of the cfg's: 416, or WIDTHxHEIGHT.")
@click.option(
    "--split", type=click.Choice(("train", "valid")), default="train", show_default=True, help="Which list of DATA."
)
@click.option(
    "--by-size", is_flag=True, help="Share them by the rule of Darknet's readme (below 30x30, below 60x60, larger)."
)
@click.option(
    "--seeds", type=click.IntRange(1), default=30, show_default=True, help="Starts that are tried; the best is kept."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The first of them.")
@click.option(
    "--write", "output", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write CFG with them."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@replace_option
def command(
    data: Path, cfg: str, count: int | None, size: tuple[int, int] | None, split: str, by_size: bool, seeds: int,
    seed: int, output: Path | None, as_json: bool, replace: bool,
) -> None:  # fmt: skip
    """Fit anchors for CFG to the labelled boxes of DATA.

    k-means with 1 - IoU as the distance, as `darknet detector calc_anchors`, over many seeds. Prints the anchors, how
    well they fit beside the cfg's own, and a mask for each head; --write puts both, with `num` and `filters`, into a
    copy of the cfg that keeps its comments and layout.

    \b
    darknet-py anchors my.data my.cfg
    darknet-py anchors my.data yolov4-tiny -k 6 --write fitted.cfg
    """
    from ..apps.datasets.anchors import anchors
    from ..files import check_output, write_whole
    from ..zoo.find import find_cfg

    if output:
        check_output(output, replace=replace, sources=[cfg])
    found = anchors(
        data, find_cfg(cfg, message), count=count, size=size, split=split, by_size=by_size, seeds=seeds, seed=seed
    )
    if as_json:
        write_json(found.to_dict())
    else:
        echo(_text(found))
    if output:
        message(f"written: {write_whole(output, found.cfg_text().encode(), replace=replace, sources=[cfg])}")


def _text(found: Anchors) -> str:
    low, middle, high = found.fit.spread
    lines = [
        "anchors = " + ",  ".join(f"{w:g},{h:g}" for w, h in found.fit.anchors),
        f"mean IoU {found.fit.iou:.4f} on {counted(found.boxes, 'box', 'es')} (seed {found.fit.seed}; over all seeds "
        f"{low:.4f} to {high:.4f}, median {middle:.4f}); the cfg's own: {found.own:.4f}",
    ]
    for head, mask in zip(found.heads, found.masks, strict=True):
        shown = ",".join(map(str, mask))
        lines.append(f"line {head.line}: [{head.kind}] of stride {head.stride:g}: mask = {shown}")
    return "\n".join(lines)
