"""`darknet-py run`: a network on pictures; what it finds is printed, drawn and written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..backends.backend import AUTO, DEFAULT, backends
from ..contract.thresholds import CONF, IOU, RANDOM_CONF
from .options import message, network_options, weights_option, write_json

if TYPE_CHECKING:
    from ..errors import DataError
    from ..model.model import Model
    from ..vision.results import Results
    from ..vision.sources import Found

PLACE = ("Run", 1)

WRITABLE = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"))


@click.command("run")
@click.argument("cfg")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@weights_option
@click.option(
    "-n", "--names", type=click.Path(path_type=Path), help="A .names or .data file (default: beside the cfg)."
)
@click.option(
    "--conf",
    type=click.FloatRange(0, 1),
    help=f"The lowest probability shown (default: {CONF}; with --random-weights {RANDOM_CONF}).",
)
@click.option("--iou", type=click.FloatRange(0, 1), default=IOU, show_default=True, help="The overlap that suppresses.")
@click.option(
    "--backend",
    type=click.Choice((AUTO.name, *backends())),
    default=DEFAULT,
    show_default=True,
    help="What computes; auto: the fastest here, measured the first time.",
)
@click.option("--verbose", is_flag=True, help="With --backend auto: say what was measured.")
@click.option(
    "--letterbox/--no-letterbox", default=None, help="Pad pictures, or stretch them (default: as the cfg says)."
)
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Pictures computed at a time.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Threads that read pictures and decode boxes while the network runs.",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    metavar="N",
    help="The most pixels of a picture that is decoded (default: DARKNET_PY_MAX_PIXELS, or 178956970).",
)
@click.option("--no-cache", is_flag=True, help="Compile the network anew, and keep nothing for the next start.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="predictions",
    show_default=True,
    metavar="DIR",
    help="Where drawn pictures (and labels) are written.",
)
@click.option("--no-save", is_flag=True, help="Do not write drawn pictures.")
@click.option("--save-txt", is_flag=True, help="Write YOLO label files, `class cx cy w h`, into DIR/labels.")
@click.option("--save-conf", is_flag=True, help="With --save-txt: append the probability.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Darknet's lines.")
@network_options
@click.pass_context
def command(ctx: click.Context, /, cfg: str, sources: tuple[str, ...], **options: Any) -> None:
    """Run the network CFG on pictures: files, folders, globs, lists, http:// addresses, or - (a picture in stdin).

    A list is a .txt or .list file with a path in each line, as Darknet has them: relative to where you are, or, if it
    is not there, to the folder of the list.

    CFG is a file, an ONNX file that `darknet-py export` wrote, or a model of `darknet-py models`. Prints the lines that
    Darknet prints (name, percent, box in pixels; for classifiers the five best classes) and writes the drawn pictures.

    \b
    darknet-py run yolov4-tiny dog.jpg
    darknet-py run my.cfg -w my.weights photos/ --json --no-save
    """
    from ..vision.headers import pixel_limit
    from ..vision.sources import look_up

    options["max_pixels"] = pixel_limit(options["max_pixels"])
    files, broken = look_up(sources)
    for error in broken:
        message(f"error: {error}")
    if not files:  # known before the network is opened, which may take a download
        ctx.exit(1)
    for note in dict.fromkeys(file.note for file in files if file.note):
        message(note)
    model = _open(cfg, options)
    if options["conf"] is None:
        options["conf"] = CONF if options["random"] is None else RANDOM_CONF
    taken: set[Path] = set()
    found = []
    for results in _bar(_results(model, files, broken, options), len(files)):
        if options["as_json"]:
            found.append(results.to_dict())
        else:
            click.echo(f"{results.path}: {_summary(results)}\n{results.darknet_text()}", nl=False)
        _save(results, _free(options["output"] / results.file_name, taken), options)
    if options["as_json"]:
        write_json(found)
    if taken and not options["no_save"]:
        message(f"drawn: {', '.join(map(str, sorted(taken)[:3]))}{f' … ({len(taken)})' if len(taken) > 3 else ''}")

    ctx.exit(1 if broken else 0)


def _open(cfg: str, options: dict[str, Any]) -> Model:
    from ..model.model import load

    model = load(
        cfg,
        options["weights"],
        options["backend"],
        names=options["names"],
        dialect=options["dialect"],
        size=options["size"],
        random_weights=options["random"],
        letterbox=options["letterbox"],
        strict=options["strict"],
        as_darknet=options["as_darknet"],
        allow_partial=options["allow_partial"],
        cache=not options["no_cache"],
        say=message,
        **({"explain": message} if options["verbose"] and options["backend"] == AUTO.name else {}),
    )
    for diagnostic in model.contract.diagnostics:
        message(diagnostic)
    if options["random"] is not None:
        message("random weights: the results mean nothing")
    message(f"class names: {model.contract.names_origin}")
    return model


def _results(model: Model, files: list[Found], broken: list[DataError], options: dict[str, Any]) -> Iterator[Results]:
    """The results of pictures that can be read; what is wrong with the others is told and listed in `broken`."""

    def skip(error: DataError) -> None:
        message(f"error: {error}")
        broken.append(error)

    results: Iterator[Results] = model(
        iter(files), options["conf"], options["iou"], batch=options["batch"], workers=options["workers"],
        letterbox=options["letterbox"], skip=skip, max_pixels=options["max_pixels"],
    )  # fmt: skip
    return results


def _bar(results: Iterator[Results], count: int) -> Iterator[Results]:
    """The same results, with a progress bar on stderr, when there are many and somebody looks."""
    import sys

    if count < 2 or not sys.stderr.isatty():
        yield from results
        return
    with click.progressbar(results, length=count, file=sys.stderr, show_pos=True) as bar:
        yield from bar


def _summary(results: Results) -> str:
    what = "classes" if results.scores is not None else f"{len(results)} object{'' if len(results) == 1 else 's'}"
    height, width = results.orig_shape
    return f"{width}x{height}, {what}, {results.seconds * 1000:.1f} ms"


def _save(results: Results, path: Path, options: dict[str, Any]) -> None:
    if not options["no_save"]:
        results.save(path)
    if options["save_txt"]:
        label = options["output"] / "labels" / f"{path.stem}.txt"
        results.save_txt(label, conf=options["save_conf"])


def _free(path: Path, taken: set[Path]) -> Path:
    """Where the picture is written: under its own name, with a number where two have the same."""
    if path.suffix.lower() not in WRITABLE:
        path = path.with_suffix(".jpg")
    number, free = 1, path
    while free in taken:
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    taken.add(free)
    return free
