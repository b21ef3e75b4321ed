"""`darknet-py classify`: Darknet's short command line: classifier predict, five classes."""

from __future__ import annotations

from pathlib import Path

import click

from .darknet_options import check_photo, ignored, photo_arguments
from .options import opened_of

PLACE = ("As Darknet is called", 4)

TOP = 5  # darknet.c


@click.command("classify")
@photo_arguments
@ignored()
@click.pass_context
def command(ctx: click.Context, cfg: str, weights: Path | None, photo: str | None) -> None:
    """Print the five best classes of PHOTO.

    Names are those beside the cfg, or ImageNet's for 1000 classes.

    \b
    darknet-py classify colour.cfg colour.weights dog.jpg
    """
    from .classifier import classify

    check_photo(photo)
    ctx.exit(classify(opened_of(cfg, weights), photo, TOP))
