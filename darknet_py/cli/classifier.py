"""`darknet-py classifier`: Darknet's command lines as they are: classifier predict and train."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .darknet_options import DarknetGroup, check_photo, ignored, paths, photo_arguments, training_options
from .options import echo, message, opened_of

if TYPE_CHECKING:
    from ..model.model import Model

PLACE = ("As Darknet is called", 3)


@click.command("classifier", cls=DarknetGroup)
def command() -> None:
    """Darknet's own `classifier` command lines."""


@command.command("predict")
@click.argument("data", type=click.Path(path_type=Path))
@photo_arguments
@click.option("-t", "top", type=click.IntRange(0), default=0, help="How many classes (default: top= of DATA, or 1).")
@ignored()
@click.pass_context
def predict(
    ctx: click.Context, data: Path, cfg: str, weights: Path | None, photo: str | None, top: int
) -> None:  # fmt: skip
    """Print the best classes of PHOTO as Darknet does.

    Without PHOTO, paths are read from the standard input, one a line.

    \b
    darknet-py classifier predict imagenet.data colour.cfg colour.weights dog.jpg -t 5
    """
    from ..errors import DataError
    from ..zoo.names import read_options

    check_photo(photo)
    stated = read_options(data).get("top", "1")
    if not stated.isdecimal():
        raise DataError(f"{data}: top={stated} is no number")
    ctx.exit(classify(opened_of(cfg, weights, names=data), photo, top or int(stated)))


def classify(model: Model, photo: str | None, top: int) -> int:
    """`classifier predict` with an open model; the exit status."""
    from ..compat.darknet import prediction_lines
    from ..errors import DataError

    if model.contract.decoders:
        raise DataError("the network is a detector: darknet-py detector test DATA CFG WEIGHTS PHOTO")
    status = 0
    for path in paths(photo):
        try:
            (found,) = model(Path(path))
        except DataError as e:
            message(f"error: {e}")
            status = 1
            continue
        height, width = model.contract.shape[1:]
        echo(f"{width} {height}\n{path}: Predicted in {found.seconds * 1000:f} milli-seconds.")
        echo(prediction_lines(found, top), nl=False)
    return status


@command.command("valid")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("cfg")
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@ignored()
def classifier_valid(data: Path, cfg: str, weights: Path | None) -> None:
    """Print the top-1 and the top-k accuracy on the pictures that valid= of DATA lists; top= says k.

    \b
    darknet-py classifier valid imagenet.data colour.cfg colour.weights
    """
    from ..apps.evaluate.classifier import evaluate_classifier

    found = evaluate_classifier(opened_of(cfg, weights, names=data), data, say=message)
    echo(f"{found.pictures}: top 1: {found.top1:f}, top {found.k}: {found.topk:f}")


@command.command("train")
@training_options
@click.pass_context
def train_classifier(ctx: click.Context, /, data: Path, cfg: str, weights: Path | None, **settings: Any) -> None:
    """Train a classifier on the pictures that train= of DATA lists, in Darknet's lines.

    \b
    darknet-py classifier train imagenet.data colour.cfg -map
    """
    from .train import follow_as_darknet

    ctx.exit(follow_as_darknet(data, cfg, weights, settings))
