"""`darknet-py detector`: Darknet's command lines as they are: detector test and valid."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ..contract.thresholds import CONF
from .darknet_options import DarknetGroup, check_photo, ignored, paths
from .options import message

if TYPE_CHECKING:
    from ..model.model import Model

PLACE = ("As Darknet is called", 1)


@click.command("detector", cls=DarknetGroup)
def command() -> None:
    """Darknet's own `detector` command lines."""


@command.command("test")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("cfg")
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@click.argument("photo", required=False)
@click.option(
    "-thresh",
    "conf",
    type=click.FloatRange(0, 1),
    default=CONF,
    show_default=True,
    help="The lowest probability printed.",
)
@click.option("-ext_output", "ext_output", is_flag=True, help="Print the boxes in pixels too.")
@click.option("-out", "out", type=click.Path(path_type=Path), help="Write what is found as Darknet's JSON.")
@click.option("-save_labels", "save_labels", is_flag=True, help="Write PHOTO's labels beside it; none are replaced.")
@click.option("-letter_box", "letterbox", is_flag=True, help="Pad pictures (default: as the cfg says).")
@ignored("-thresh", "-ext_output", "-letter_box")
@click.pass_context
def test(
    ctx: click.Context, data: Path, cfg: str, weights: Path | None, photo: str | None, conf: float, ext_output: bool,
    out: Path | None, save_labels: bool, letterbox: bool,
) -> None:  # fmt: skip
    """Detect on PHOTO, print Darknet's lines, draw predictions.jpg.

    Without PHOTO, paths are read from the standard input, one a line. Of Darknet's output the lines about the picture
    are printed; no window is opened. Darknet's other options are taken, and said to be ignored.

    \b
    darknet-py detector test obj.data my.cfg my.weights dog.jpg -thresh 0.3 -ext_output -dont_show
    darknet-py detector test obj.data my.cfg my.weights -out result.json < photos.txt
    """
    from ..model.model import load

    check_photo(photo)
    model = load(cfg, weights, names=data, letterbox=letterbox or None, say=message)
    ctx.exit(detect(model, photo, conf, ext_output=ext_output, out=out, save_labels=save_labels))


def detect(
    model: Model, photo: str | None, conf: float, *, ext_output: bool, out: Path | None = None,
    save_labels: bool = False,
) -> int:  # fmt: skip
    """`detector test` with an open model; the exit status."""
    from ..compat.darknet import PREDICTIONS, detection_lines, detections_json, pseudo_labels
    from ..errors import DataError
    from ..files import write_whole

    status = 0
    written: list[str] = []
    for path in paths(photo):
        try:
            (found,) = model(Path(path), conf)
            labels = Path(path).with_suffix(".txt")
            if save_labels and labels.exists():
                raise DataError(f"{labels} exists, and labels are not replaced: move it, or leave -save_labels out")
        except DataError as e:
            message(f"error: {e}")
            status = 1
            continue
        click.echo(f"{path}: Predicted in {found.seconds * 1000:f} milli-seconds.")
        if found.scores is not None:
            raise DataError("the network is a classifier: darknet-py classifier predict DATA CFG WEIGHTS PHOTO")
        click.echo(detection_lines(found, ext_output=ext_output), nl=False)
        written.append(detections_json(found, len(written) + 1))
        if save_labels:
            write_whole(labels, pseudo_labels(found).encode())
        if Path(path).resolve() != Path(PREDICTIONS).resolve():  # a photo of that name is not drawn over
            found.save(PREDICTIONS)
    if out:
        write_whole(out, "[\n{}\n]".format(", \n".join(written)).encode())
    return status


@command.command("valid")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("cfg")
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@click.option("-out", "out", help="The name of the results, or its beginning, instead of Darknet's.")
@ignored()
@click.pass_context
def valid(ctx: click.Context, data: Path, cfg: str, weights: Path | None, out: str | None) -> None:
    """Write the results files that evaluation programs read, for the pictures that valid= of DATA lists.

    eval= of DATA says which: voc (comp4_det_test_*.txt, a file a class, the default), coco (coco_results.json) or
    imagenet, in the folder results=. Detections count from a probability of 0.001 and are suppressed at an overlap of
    0.6, as in Darknet, whatever -thresh says.

    \b
    darknet-py detector valid obj.data my.cfg my.weights
    """
    from time import perf_counter

    from ..compat.darknet import write_valid
    from ..model.model import load

    errors: list[str] = []

    def skip(text: str) -> None:
        errors.append(text)
        message(text)

    model = load(cfg, weights, names=data, say=message)
    start = perf_counter()
    for path in write_valid(model, data, out, skip):
        click.echo(path)
    message(f"Total Detection Time: {perf_counter() - start:f} Seconds")
    ctx.exit(1 if errors else 0)
