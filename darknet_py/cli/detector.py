"""`darknet-py detector`: Darknet's command lines as they are: detector test, valid, map, train and calc_anchors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..contract.thresholds import CONF
from .darknet_options import (
    DarknetGroup,
    check_photo,
    detection_options,
    ignored,
    map_options,
    paths,
    photo_arguments,
    training_options,
)
from .options import echo, message, opened_of, replace_option

if TYPE_CHECKING:
    from ..model.model import Model

PLACE = ("As Darknet is called", 1)


@click.command("detector", cls=DarknetGroup)
def command() -> None:
    """Darknet's own `detector` command lines."""


@command.command("test")
@click.argument("data", type=click.Path(path_type=Path))
@photo_arguments
@detection_options(CONF)
@click.option("-out", "out", type=click.Path(path_type=Path), help="Write what is found as Darknet's JSON.")
@click.option("-save_labels", "save_labels", is_flag=True, help="Write PHOTO's labels beside it; none are replaced.")
@click.option("-letter_box", "letterbox", is_flag=True, help="Pad pictures (default: as the cfg says).")
@replace_option
@ignored("-thresh", "-ext_output", "-letter_box")
@click.pass_context
def test(
    ctx: click.Context, data: Path, cfg: str, weights: Path | None, photo: str | None, conf: float, ext_output: bool,
    out: Path | None, save_labels: bool, letterbox: bool, replace: bool,
) -> None:  # fmt: skip
    """Detect on PHOTO, print Darknet's lines, draw predictions.jpg.

    Without PHOTO, paths are read from the standard input, one a line. Of Darknet's output the lines about the picture
    are printed; no window is opened. Darknet's other options are taken, and said to be ignored.

    \b
    darknet-py detector test obj.data my.cfg my.weights dog.jpg -thresh 0.3 -ext_output -dont_show
    darknet-py detector test obj.data my.cfg my.weights -out result.json < photos.txt
    """
    check_photo(photo)
    model = opened_of(cfg, weights, names=data, letterbox=letterbox or None)
    ctx.exit(detect(model, photo, conf, ext_output=ext_output, out=out, save_labels=save_labels, replace=replace))


def detect(
    model: Model, photo: str | None, conf: float, *, ext_output: bool, out: Path | None = None,
    save_labels: bool = False, replace: bool = False,
) -> int:  # fmt: skip
    """`detector test` with an open model; the exit status."""
    from ..compat.darknet import PREDICTIONS, detection_lines, detections_json, pseudo_labels
    from ..errors import DataError
    from ..files import check_output, write_whole

    if not model.contract.decoders:
        raise DataError("the network is a classifier: darknet-py classifier predict DATA CFG WEIGHTS PHOTO")
    if out:
        check_output(out, replace=replace)
    if photo is None or Path(photo).resolve() != Path(PREDICTIONS).resolve():
        check_output(PREDICTIONS, replace=replace)
    status = 0
    written: list[str] = []
    for path in paths(photo):
        try:
            labels = Path(path).with_suffix(".txt")
            if save_labels and labels.exists():
                raise DataError(f"{labels} exists, and labels are not replaced: move it, or leave -save_labels out")
            (found,) = model(Path(path), conf)
        except DataError as e:
            message(f"error: {e}")
            status = 1
            continue
        echo(f"{path}: Predicted in {found.seconds * 1000:f} milli-seconds.")
        echo(detection_lines(found, ext_output=ext_output), nl=False)
        written.append(detections_json(found, len(written) + 1))
        if save_labels:
            write_whole(labels, pseudo_labels(found).encode())
        if Path(path).resolve() != Path(PREDICTIONS).resolve():  # a photo of that name is not drawn over
            found.save(PREDICTIONS, replace=replace)
    if out:
        write_whole(out, "[\n{}\n]".format(", \n".join(written)).encode(), replace=replace)
    return status


@command.command("valid")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("cfg")
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@click.option("-out", "out", help="The name of the results, or its beginning, instead of Darknet's.")
@replace_option
@ignored()
@click.pass_context
def valid(ctx: click.Context, data: Path, cfg: str, weights: Path | None, out: str | None, replace: bool) -> None:
    """Write the results files that evaluation programs read, for the pictures that valid= of DATA lists.

    eval= of DATA says which: voc (comp4_det_test_*.txt, a file a class, the default), coco (coco_results.json) or
    imagenet, in the folder results=. Detections count from a probability of 0.001 and are suppressed at an overlap of
    0.6, as in Darknet, whatever -thresh says.

    \b
    darknet-py detector valid obj.data my.cfg my.weights
    """
    from time import perf_counter

    from ..compat.darknet import write_valid

    errors: list[str] = []

    def skip(text: str) -> None:
        errors.append(text)
        message(text)

    model = opened_of(cfg, weights, names=data)
    start = perf_counter()
    for path in write_valid(model, data, out, skip, replace=replace):
        echo(path)
    message(f"Total Detection Time: {perf_counter() - start:f} Seconds")
    ctx.exit(1 if errors else 0)


@command.command("map")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("cfg")
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@click.option(
    "-thresh", "conf", type=click.FloatRange(0, 1), default=0.25, show_default=True, help="Counts are above this score."
)
@map_options
@ignored("-thresh", "-iou_thresh", "-points")
def map_(data: Path, cfg: str, weights: Path | None, conf: float, iou_thresh: float, points: int) -> None:
    """Print the mAP of CFG on the pictures that valid= of DATA lists, in Darknet's lines and with its counts.

    `darknet-py eval` gives the same numbers in a table, COCO's beside them, charts and the worst pictures.

    \b
    darknet-py detector map obj.data my.cfg my.weights -iou_thresh 0.75
    """
    from ..apps.evaluate.report import darknet_lines
    from ..apps.evaluate.run import evaluate
    from ..vision.datasets import open_dataset

    dataset = open_dataset(data)
    message(dataset.describe())
    given = {"weights": weights, "names": data}
    found = evaluate(
        opened_of(cfg, **given), dataset, conf=conf, iou_thresh=iou_thresh, points=points, coco=False,
        recipe=(cfg, given), say=message,
    )  # fmt: skip
    echo(darknet_lines(found))


@command.command("train")
@training_options
@map_options
@click.pass_context
def train_detector(ctx: click.Context, /, data: Path, cfg: str, weights: Path | None, **settings: Any) -> None:
    """Train CFG on the pictures that train= of DATA lists, in Darknet's lines.

    `darknet-py train` is the same with a table, and with options that Darknet does not have.

    \b
    darknet-py detector train obj.data my.cfg yolov4.conv.137 -map -dont_show
    """
    from .train import follow_as_darknet

    ctx.exit(follow_as_darknet(data, cfg, weights, settings))


@command.command("calc_anchors")
@click.argument("data", type=click.Path(path_type=Path))
@click.option("-num_of_clusters", "count", type=click.IntRange(1), default=5, show_default=True, help="How many.")
@click.option("-width", "width", type=click.IntRange(1), required=True, help="The input's width in pixels.")
@click.option("-height", "height", type=click.IntRange(1), required=True, help="Its height.")
@ignored("-num_of_clusters", "-width", "-height")
def calc_anchors(data: Path, count: int, width: int, height: int) -> None:
    """Print anchors that fit the boxes of the train list of DATA; nothing is written.

    `darknet-py anchors` fits those of a cfg, proposes masks, and writes both into a copy of it.

    \b
    darknet-py detector calc_anchors obj.data -num_of_clusters 9 -width 416 -height 416
    """
    from ..apps.datasets.anchors import fit_to_data

    fit = fit_to_data(data, count, (height, width))
    echo(f" avg IoU = {100 * fit.iou:.2f} %")
    echo("anchors = " + ", ".join(f"{w:g},{h:g}" for w, h in fit.anchors))
