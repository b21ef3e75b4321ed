"""`darknet-py eval`: how good is a network on labelled pictures?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..backends.backend import AUTO, DEFAULT, backends
from ..contract.thresholds import CONF, IOU
from ..errors import DataError, counted
from .options import (
    WorkersParam,
    device_option,
    echo,
    given_in,
    message,
    network_options,
    opened_of,
    precision_of,
    precision_options,
    replace_option,
    write_json,
)
from .progress import Progress

if TYPE_CHECKING:
    from ..apps.evaluate.run import Evaluation
    from ..model.model import Model
    from ..vision.datasets import Dataset

PLACE = ("Check and compare", 0)
OF_DETECTORS = {
    "against": "--against", "coco": "--coco", "csv_path": "--csv", "plots": "--plots", "worst": "--worst",
    "explain": "--explain", "conf": "--conf", "iou": "--iou", "iou_thresh": "--iou-thresh", "points": "--points",
    "clip": "--clip", "images": "--images",
}  # fmt: skip


@click.command("eval")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("cfg")
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@click.option(
    "--split", type=click.Choice(("valid", "train")), default="valid", show_default=True, help="Which list of DATA."
)
@click.option("--images", type=click.Path(path_type=Path), help="The folder of the pictures of a COCO file.")
@click.option("--iou-thresh", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.5, show_default=True,
              help="An object is found if its box overlaps by more than this.")  # fmt: skip
@click.option("--points", type=click.IntRange(0), default=0, show_default=True,
              help="Where precision is read: 0 the area under the curve, 11 as VOC, 101 as COCO.")  # fmt: skip
@click.option(
    "--conf", type=click.FloatRange(0, 1), help=f"Counts are above this score (default: a file's own, or {CONF})."
)
@click.option(
    "--iou", type=click.FloatRange(0, 1), help=f"The overlap that suppresses (default: a file's own, or {IOU})."
)
@click.option("--coco/--no-coco", default=None, help="COCO's numbers too (default: if faster-coco-eval is installed).")
@click.option("--clip/--no-clip", default=True, help="For COCO, cut boxes at the border (default), or leave them.")
@click.option(
    "--against",
    metavar="NETWORK",
    help="Evaluate NETWORK too (its own size, the back end by default), and say what CFG costs or gains: an int8 file.",
)
@click.option(
    "--backend", type=click.Choice((AUTO.name, *backends())), default=DEFAULT, show_default=True, help="What computes."
)
@device_option
@precision_options
@click.option(
    "-n",
    "--names",
    type=click.Path(path_type=Path),
    help="A .names or .data file (default: DATA's, or beside the cfg).",
)
@click.option(
    "--letterbox/--no-letterbox", default=None, help="Pad pictures, or stretch them (default: as the cfg says)."
)
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Pictures computed at a time.")
@click.option(
    "--workers",
    type=WorkersParam(),
    default="auto",
    show_default=True,
    help="Threads that read pictures meanwhile; auto: what sends most through, measured the first time.",
)
@click.option("--no-resume", is_flag=True, help="Do not go on where the same evaluation was stopped.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of the table.")
@click.option("--csv", "csv_path", type=click.Path(path_type=Path, dir_okay=False), help="Write a row for each class.")
@click.option(
    "--plots",
    type=click.Path(path_type=Path, file_okay=False),
    help="Write curves and the confusion matrix into this folder.",
)
@click.option(
    "--worst",
    type=click.IntRange(1),
    metavar="N",
    help="Draw the N pictures with the most mistakes into --plots, or worst/.",
)
@click.option("--explain", is_flag=True, help="Say why COCO's numbers differ from Darknet's.")
@replace_option
@network_options
@click.pass_context
def command(ctx: click.Context, /, data: Path, cfg: str, weights: Path | None, **options: Any) -> None:
    """Evaluate CFG on the labelled pictures of DATA.

    DATA is a .data file, a list of pictures, a folder, or a COCO file; labels are Darknet's text, VOC's XML or COCO's.
    CFG is a file, a model of `darknet-py models`, or an exported ONNX file. Darknet's `detector map`, COCO's numbers
    beside it; for classifiers, top-1 and top-5.

    \b
    darknet-py eval coco.data yolov4-tiny
    darknet-py eval photos/ my.cfg my.weights --plots charts --worst 20
    darknet-py eval coco.data my.int8.onnx --against my.cfg
    """
    names = options.pop("names") or (data if _names_in(data) else None)
    network = {key: options.pop(key) for key in ("dialect", "size", "random", "strict", "as_darknet", "allow_partial")}
    opened = dict(
        weights=weights, backend=options.pop("backend"), names=names, letterbox=options.pop("letterbox"),
        random_weights=network.pop("random"), **network, **precision_of(options),
    )  # fmt: skip
    if device := options.pop("device"):
        opened["device"] = device
    model = opened_of(cfg, **opened)
    if not model.contract.decoders:
        _refuse(ctx, model, options)
        _classifier(model, data, options)
        return
    own = {"conf": model.contract.threshold, "iou": model.contract.iou}
    options |= {key: own[key] for key in own if options[key] is None}  # for --against too: of two files, one measure
    other = options.pop("against")
    alike = {key: opened[key] for key in ("names", "letterbox")}  # what pictures and labels mean is one for both
    rival = opened_of(other, **alike) if other else None
    dataset = _open(data, options)
    _check(model, rival, other, dataset, options)
    found = _detector(model, (cfg, opened), dataset, options)
    if rival:
        before = _detector(rival, (other, alike), dataset, options)
        message(_difference(found, before, other))
    if options["as_json"]:
        write_json(found.to_dict() | _beside(found, before if rival else None, options))
    else:
        _print(found, options)
    _write(found, options)


def _refuse(ctx: click.Context, model: Model, options: dict[str, Any]) -> None:
    """Say which of the options that were given mean nothing for a classifier."""
    said = given_in(ctx)
    given = [word for key, word in OF_DETECTORS.items() if key in said and options[key] is not False]
    if given:
        raise click.UsageError(f"{model.contract.origin} is a classifier, without boxes: leave out {', '.join(given)}")


def _check(model: Model, rival: Model | None, name: str, dataset: Dataset, options: dict[str, Any]) -> None:
    """Raise now what would be raised at the end, after hours perhaps."""
    from ..apps.evaluate.report import check_plots, check_worst
    from ..files import check_output

    if options["csv_path"]:
        check_output(options["csv_path"], replace=options["replace"])
    if options["plots"]:
        check_plots(options["plots"], replace=options["replace"])
    if options["worst"]:
        check_worst(dataset, _worst_folder(options), options["worst"], replace=options["replace"])
    if rival and (not rival.contract.decoders or rival.contract.classes != model.contract.classes):
        other = f"tells {rival.contract.classes} classes apart" if rival.contract.decoders else "is a classifier"
        raise DataError(f"{name} {other}, and the network {model.contract.classes}: they cannot be compared on one set")


def _names_in(data: Path) -> bool:
    from ..zoo.names import NAMES_KEYS, read_options

    return data.suffix == ".data" and data.is_file() and any(map(read_options(data).get, NAMES_KEYS))


def _classifier(model: Model, data: Path, options: dict[str, Any]) -> None:
    from dataclasses import asdict

    from ..apps.evaluate.classifier import SCHEMA, evaluate_classifier

    with Progress() as progress:
        found = evaluate_classifier(
            model, data, options["split"], batch=options["batch"], workers=options["workers"], progress=progress,
            say=message,
        )  # fmt: skip
    if options["as_json"]:
        write_json({"schema": SCHEMA, **asdict(found)})
        return
    echo(f"{counted(found.pictures, 'picture')}: top-1 {found.top1:.4f}, top-{found.k} {found.topk:.4f}")
    if found.unknown:
        message(f"{counted(found.unknown, 'picture')} left out: their paths hold no class's name")


def _open(data: Path, options: dict[str, Any]) -> Dataset:
    from ..vision.datasets import open_dataset

    dataset = open_dataset(data, options["split"], pictures=options["images"])
    message(dataset.describe())
    return dataset


def _worst_folder(options: dict[str, Any]) -> Path:
    return (options["plots"] or Path()) / "worst"


def _detector(
    model: Model, recipe: tuple[str, dict[str, Any]], dataset: Dataset, options: dict[str, Any]
) -> Evaluation:
    from ..apps.evaluate.run import evaluate

    with Progress() as progress:
        return evaluate(
            model, dataset, iou_thresh=options["iou_thresh"], points=options["points"], conf=options["conf"],
            iou=options["iou"], coco=options["coco"], clip=options["clip"], batch=options["batch"],
            workers=options["workers"], resume=not options["no_resume"], recipe=recipe, progress=progress, say=message,
        )  # fmt: skip


def _print(found: Evaluation, options: dict[str, Any]) -> None:
    from ..apps.evaluate import report

    echo(report.format_evaluation(found))
    if options["explain"]:
        echo(f"\n{report.explanation(found)}")


def _beside(found: Evaluation, before: Evaluation | None, options: dict[str, Any]) -> dict[str, Any]:
    """What JSON has beside the evaluation itself, where it is asked for."""
    from ..apps.evaluate.report import explanation

    against = {"against": before.to_dict()} if before else {}
    return against | ({"explanation": explanation(found)} if options["explain"] else {})


def _difference(found: Evaluation, before: Evaluation, name: str) -> str:
    pairs = [("mAP", found.darknet.map, before.darknet.map)]
    if found.coco and before.coco:
        pairs += [(k, found.coco[k] or 0, before.coco[k] or 0) for k in ("AP", "AP50", "AP75")]
    numbers = ", ".join(f"{k} {b:.4f} to {a:.4f} ({a - b:+.4f})" for k, a, b in pairs)
    return f"against {name}, on {counted(len(found.dataset), 'picture')}: {numbers}"


def _write(found: Evaluation, options: dict[str, Any]) -> None:
    from ..apps.evaluate import report

    replace = options["replace"]
    if options["csv_path"]:
        message(f"written: {report.write_csv(found, options['csv_path'], replace=replace)}")
    if options["plots"]:
        for path in report.write_plots(found, options["plots"], replace=replace):
            message(f"written: {path}")
    if options["worst"]:
        drawn = report.write_worst(found, _worst_folder(options), options["worst"], replace=replace)
        message(
            f"drawn: {counted(len(drawn), 'picture')} with mistakes in {drawn[0].parent}"
            if drawn
            else "no mistakes to draw"
        )
