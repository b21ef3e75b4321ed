"""`darknet-py detect`: Darknet's short command line: detector test with the names of COCO."""

from __future__ import annotations

from pathlib import Path

import click

from .darknet_options import check_photo, detection_options, ignored, photo_arguments
from .options import opened_of

PLACE = ("As Darknet is called", 2)

DETECT_CONF = 0.24  # darknet.c: here the default is another than that of `detector test`


@click.command("detect")
@photo_arguments
@detection_options(DETECT_CONF)
@ignored("-thresh", "-ext_output")
@click.pass_context
def command(
    ctx: click.Context, cfg: str, weights: Path | None, photo: str | None, conf: float, ext_output: bool
) -> None:
    """Detect on PHOTO, print Darknet's lines, draw predictions.jpg.

    Names are those beside the cfg, or COCO's. Without PHOTO, paths are read from the standard input, one a line.

    \b
    darknet-py detect my.cfg my.weights dog.jpg
    """
    from .detector import detect

    check_photo(photo)
    ctx.exit(detect(opened_of(cfg, weights), photo, conf, ext_output=ext_output))
