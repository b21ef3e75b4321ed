"""`darknet-py run`: a network on pictures and videos; what it finds is printed, drawn and written."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, nullcontext
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unicodedata import normalize

import click
from click.core import ParameterSource

from ..backends.backend import AUTO, DEFAULT, backends
from ..contract.thresholds import CONF, IOU, RANDOM_CONF
from .options import echo, is_verbose, json_array, message, network_options, replace_option, weights_option
from .videos import FrameProgress, chosen, recordings, video_options, video_paths, window

if TYPE_CHECKING:
    from ..errors import DataError
    from ..model.model import Model
    from ..vision.results import Results
    from ..vision.sources import Source
    from ..vision.video.video import Video

PLACE = ("Run", 1)

SHOWN = 3  # paths of drawn pictures
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
    help=f"The lowest probability shown (default: {CONF}; with random weights, some or all, {RANDOM_CONF}).",
)
@click.option("--iou", type=click.FloatRange(0, 1), default=IOU, show_default=True, help="The overlap that suppresses.")
@click.option(
    "--backend",
    type=click.Choice((AUTO.name, *backends())),
    default=DEFAULT,
    show_default=True,
    help="What computes; auto: the fastest here, measured the first time.",
)
@click.option(
    "--letterbox/--no-letterbox", default=None, help="Pad pictures, or stretch them (default: as the cfg says)."
)
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Pictures computed at a time.")
@click.option(
    "--workers",
    type=click.IntRange(0),
    help="Threads that read pictures and decode boxes while the network runs (default: 0, for video files 1).",
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
@video_options
@replace_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of Darknet's lines.")
@network_options
@click.pass_context
def command(ctx: click.Context, /, cfg: str, sources: tuple[str, ...], **options: Any) -> None:
    """Run the network CFG on pictures (files, folders, globs, lists, http:// addresses, - for a picture in stdin),
    videos (files, http:// addresses), cameras (0 is the first) and streams (rtsp://, MJPEG).

    A list is a .txt or .list file with a path in each line, as Darknet has them: relative to where you are, or, if it
    is not there, to the folder of the list.

    CFG is a file, an ONNX file that `darknet-py export` wrote, or a model of `darknet-py models`. Prints the lines that
    Darknet prints (name, percent, box in pixels; for classifiers the five best classes) and writes the drawn pictures.
    A video becomes DIR/NAME.webm with the boxes drawn; a camera or a stream is written only where --save says. Every
    frame of a file counts, and of a camera the newest one. A file that is read is never written over; other files in
    DIR are replaced if darknet-py wrote them, or with --replace.

    \b
    darknet-py run yolov4-tiny dog.jpg
    darknet-py run my.cfg -w my.weights photos/ --json --no-save
    darknet-py run yolov4-tiny dataset/images -o dataset --no-save --save-txt --replace
    darknet-py run yolov4-tiny clip.mp4 --start 60 --duration 10
    darknet-py run yolov4-tiny 0 --show
    darknet-py run yolov4-tiny rtsp://camera/1 --save seen.mp4 --json
    """
    from ..vision.headers import pixel_limit
    from ..vision.sources import look_up

    options["max_pixels"] = pixel_limit(options["max_pixels"])
    files, broken = look_up(sources)
    files = [chosen(file, options) for file in files]
    for error in broken:
        message(f"error: {error}")
    if not files:  # known before the network is opened, which may take a download
        ctx.exit(1)
    for note in dict.fromkeys(file.note for file in files if file.note):
        message(note)
    paths = _check_outputs(files, options)
    model = _open(cfg, sources, options, verbose=is_verbose(ctx))
    if options["conf"] is None:
        own = model.contract.threshold if model.contract.boxes == "nms" else CONF
        options["conf"] = RANDOM_CONF if _is_random(model, options) else own
    if model.contract.boxes == "nms" and ctx.get_parameter_source("iou") is ParameterSource.DEFAULT:
        options["iou"] = model.contract.iou
    for sentence in model.contract.beyond(options["conf"], options["iou"]):
        message(f"warning: {sentence}")
    told_full = False
    progress = FrameProgress()
    with (
        json_array() if options["as_json"] else nullcontext() as add,
        _drawn() as drawn,
        recordings(paths, options) as record,
        window(bool(paths), options) as shown,
        closing(_results(model, files, broken, options)) as found,
    ):
        taken: set[str] = set()
        for video, results in _bar(found, files):
            if model.contract.is_full(results.boxes) and not told_full:
                told_full = True
                most = model.contract.max_detections
                message(
                    f"warning: {results.path}: the file gives at most {most} objects of a class (export: --max-det)"
                )
            progress.clear()
            if add:
                add(results.to_dict())
            else:
                echo(f"{_place(results)}: {_summary(results)}\n{results.darknet_text()}", nl=False)
            if video is None:
                path = _free(results.file_name, taken, options)
                _save(results, path, options, picture=not options["no_save"])
                if not options["no_save"]:
                    drawn.append(path)
            else:
                path = options["output"] / f"{paths[video].stem}_{results.frame:08d}.jpg"
                _save(results, path, options, picture=options["save_frames"])
                record(video, results)
                progress.tell(results)
            if options["show"] and video is None:
                results.show()
            elif shown:
                shown.show(results.plot())
                if shown.is_closed:
                    break
        progress.end()
    ctx.exit(1 if broken else 0)


@contextmanager
def _drawn() -> Iterator[list[Path]]:
    """A list of pictures that are drawn, of which the first are told in the end, whatever ends it."""
    paths: list[Path] = []
    try:
        yield paths
    finally:
        if paths:
            more = f" … ({len(paths)})" if len(paths) > SHOWN else ""
            message(f"drawn: {', '.join(map(str, sorted(paths)[:SHOWN]))}{more}")


def _check_outputs(files: list[Source], options: dict[str, Any]) -> dict[Video, Path]:
    """Raise `DataError` before anything is computed, if a picture or a file of the user's would be written over.

    The places of drawn videos are returned.
    """
    from ..files import check_output, will_read
    from ..vision.sources import PictureFile
    from ..vision.video.video import Video

    will_read(file.path for file in files if isinstance(file, PictureFile))
    videos = [file for file in files if isinstance(file, Video)]
    will_read(video.file for video in videos if video.file)
    taken: set[str] = set()
    for file in files:
        if isinstance(file, Video):
            continue
        path = _free(file.name, taken, options)
        wanted = ((path, not options["no_save"]), (_label(path, options), options["save_txt"]))
        for place in (place for place, written in wanted if written):
            check_output(place, replace=options["replace"])
    return video_paths(videos, options)


def _open(cfg: str, sources: tuple[str, ...], options: dict[str, Any], *, verbose: bool) -> Model:
    from ..errors import WeightsMissing

    try:
        return _load(cfg, options, verbose=verbose)
    except WeightsMissing as e:
        e.args = (str(e).replace("PICTURE", shlex.join(sources)),)  # the whole command, to be copied
        raise


def _load(cfg: str, options: dict[str, Any], *, verbose: bool) -> Model:
    from ..model.model import load

    options_of_backend: dict[str, Any] = {"explain": message} if verbose and options["backend"] == AUTO.name else {}
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
        **options_of_backend,
    )
    for diagnostic in model.contract.diagnostics:
        message(diagnostic)
    if options["random"] is not None:
        message("random weights: the results mean nothing")
    message(f"class names: {model.contract.names_origin}")
    return model


def _is_random(model: Model, options: dict[str, Any]) -> bool:
    """Whether parameters are random numbers: all, or those that a file of the first layers lacks."""
    if not options["allow_partial"]:  # and no network is opened only to be asked
        return options["random"] is not None
    return model.network is not None and model.network.partial


def _results(
    model: Model, files: list[Source], broken: list[DataError], options: dict[str, Any]
) -> Generator[tuple[Video | None, Results]]:
    """The results of pictures and frames that can be read, each frame with its video; live sources come last, together.

    What is wrong with the others is told and listed in `broken`.
    """
    from ..vision.video.frames import Streams
    from ..vision.video.video import Video

    def skip(error: DataError) -> None:
        message(f"error: {error}")
        broken.append(error)

    def results(source: Any, workers: int) -> Iterator[Results]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the file cannot give, which was told as a message
            found: Iterator[Results] = model(
                source, options["conf"], options["iou"], batch=options["batch"], workers=workers,
                letterbox=options["letterbox"], skip=skip, max_pixels=options["max_pixels"],
            )  # fmt: skip
        return found

    live = {file.path: file for file in files if isinstance(file, Video) and file.is_live}
    others = [file for file in files if not (isinstance(file, Video) and file.is_live)]
    asked = options["workers"]
    for video, group in groupby(others, lambda file: file if isinstance(file, Video) else None):
        source, workers = (iter(list(group)), 0) if video is None else (video, 1)
        for one in results(source, workers if asked is None else asked):
            yield (video if isinstance(video, Video) else None), one
    if live:
        for one in results(Streams(tuple(live.values())), 0):
            yield live[one.path], one


def _bar(
    results: Iterator[tuple[Video | None, Results]], files: list[Source]
) -> Iterator[tuple[Video | None, Results]]:
    """The same results, with a progress bar on stderr, when there are many pictures and somebody looks."""
    import sys

    from ..vision.video.video import Video

    if len(files) < 2 or not sys.stderr.isatty() or any(isinstance(file, Video) for file in files):
        yield from results
        return
    with click.progressbar(results, length=len(files), file=sys.stderr, show_pos=True) as bar:
        yield from bar


def _place(results: Results) -> str:
    return results.path if results.frame is None else f"{results.path} frame {results.frame}, {results.time or 0:.3f} s"


def _summary(results: Results) -> str:
    what = "classes" if results.scores is not None else f"{len(results)} object{'' if len(results) == 1 else 's'}"
    height, width = results.orig_shape
    return f"{width}x{height}, {what}, {results.seconds * 1000:.1f} ms"


def _save(results: Results, path: Path, options: dict[str, Any], *, picture: bool) -> None:
    if picture:
        results.save(path, replace=options["replace"])
    if options["save_txt"]:
        results.save_txt(_label(path, options), conf=options["save_conf"], replace=options["replace"])


def _label(path: Path, options: dict[str, Any]) -> Path:
    return options["output"] / "labels" / f"{path.stem}.txt"


def _free(name: str, taken: set[str], options: dict[str, Any]) -> Path:
    """Where the drawn picture is written: under its own name, with a number where it or its labels meet another's.

    Names that differ in capitals, or in how their accents are encoded, are one name on some file systems.
    """
    path = options["output"] / name
    if path.suffix.lower() not in WRITABLE:
        path = path.with_suffix(".jpg")
    number, free = 1, path
    while taken & (names := _names(free, options)):
        number += 1
        free = path.with_name(f"{path.stem}-{number}{path.suffix}")
    taken |= names
    return free


def _names(path: Path, options: dict[str, Any]) -> set[str]:
    labels = {f"labels/{path.stem}"} if options["save_txt"] else set()
    return {normalize("NFC", name).casefold() for name in {path.name, *labels}}
