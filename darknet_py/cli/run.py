"""`darknet-py run`: a network on pictures and videos; what it finds is printed, drawn and written."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..backends.backend import AUTO, DEFAULT, backends
from ..contract.thresholds import RANDOM_CONF
from .options import (
    WorkersParam,
    device_option,
    is_verbose,
    message,
    network_options,
    precision_of,
    precision_options,
    replace_option,
    weights_option,
)
from .result_options import (
    CONSOLE,
    check_sinks,
    chosen_sinks,
    filter_options,
    following_of,
    iou_option,
    lowest,
    pixels_option,
    sink_options,
    thresholds,
)
from .videos import FrameProgress, check_video_options, chosen, recordings, video_options, video_paths, window

if TYPE_CHECKING:
    from ..apps.run.sinks import Sink
    from ..errors import DataError, Say
    from ..model.model import Model
    from ..model.stream import Workers
    from ..vision.results import Results
    from ..vision.sources import Source
    from ..vision.video.video import Video

PLACE = ("Run", 1)

SHOWN = 3  # paths of drawn pictures


@click.command("run")
@click.argument("cfg")
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@weights_option
@click.option(
    "-n", "--names", type=click.Path(path_type=Path), help="A .names or .data file (default: beside the cfg)."
)
@filter_options
@iou_option
@click.option(
    "--backend",
    type=click.Choice((AUTO.name, *backends())),
    default=DEFAULT,
    show_default=True,
    help="What computes; auto: the fastest here, measured the first time.",
)
@device_option
@precision_options
@click.option(
    "--letterbox/--no-letterbox", default=None, help="Pad pictures, or stretch them (default: as the cfg says)."
)
@click.option("--batch", type=click.IntRange(1), default=1, show_default=True, help="Pictures computed at a time.")
@click.option(
    "--workers",
    type=WorkersParam(),
    help="Threads that read pictures and decode boxes while the network runs; auto: what sends most pictures through, "
    "measured the first time (default: auto for more than 32 pictures, else 0; for video files 1).",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    help="Threads that compute the network (default: one for each core; for a video found out on its first frames).",
)
@pixels_option
@click.option("--no-cache", is_flag=True, help="Compile the network anew, and keep nothing for the next start.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default="predictions",
    show_default=True,
    metavar="DIR",
    help="Where drawn pictures (labels, crops, frames) are written.",
)
@click.option("--no-save", is_flag=True, help="Do not write drawn pictures.")
@sink_options
@video_options
@replace_option
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
    darknet-py run yolov4-tiny clip.mp4 --start 0.5 --duration 1
    darknet-py run yolov4-tiny 0 --show
    darknet-py run yolov4-tiny rtsp://camera/1 --save seen.mp4 --json
    darknet-py run my.cfg photos/ --classes red --conf red=0.5,blue=0.3 --jsonl --no-save
    darknet-py run my-codes.cfg photos/ --decode --csv --no-save
    darknet-py run my.cfg photos/ --line 0,0.5,1,0.5 --zone 0,0,0.5,0,0.5,1,0,1
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
    for note in dict.fromkeys(file.note for file in files if file.note and not options["quiet"]):
        message(note)
    sinks = chosen_sinks(options)
    if not broken:  # one of those that cannot be read may be the video that is meant
        check_video_options(files, options)
    paths = _check_outputs(files, sinks, options)
    if options["decode"]:
        from ..vision.barcodes import check_reader

        check_reader()
    note_it: Say = _tell_warning if options["quiet"] else message
    model = _open(cfg, sources, options, note_it, verbose=is_verbose(ctx))
    check_sinks(sinks, options, model.contract)
    conf = thresholds(options, RANDOM_CONF if _is_random(model, options) else model.contract.threshold)
    for sentence in model.contract.passed_over(options["conf"], options["iou"]):
        message(f"warning: {sentence}")
    following = following_of(options, model.contract, conf)
    options["conf"] = following.low if following else conf
    if options["iou"] is None:
        options["iou"] = model.contract.iou
    for sentence in model.contract.beyond(lowest(conf), options["iou"], options["agnostic"]):
        message(f"warning: {sentence}")
    with closing(_results(model, files, broken, options)) as found:
        pairs = found if options["quiet"] else _bar(found, files)
        if following:
            pairs = ((video, following.update(one)) for video, one in pairs)
        if options["decode"]:
            from ..vision.barcodes import read_codes

            pairs = ((video, read_codes(one)) for video, one in pairs)
        _write(pairs, sinks, paths, options, note_it)
    for line in following.summary() if following else ():
        note_it(line)
    ctx.exit(1 if broken else 0)


Pairs = Iterator[tuple["Video | None", "Results"]]


def _tell_warning(text: str) -> None:
    """What --quiet lets through of what is told."""
    if text.startswith("warning: "):
        message(text)


def _write(pairs: Pairs, sinks: list[Sink], paths: dict[Video, Path], options: dict[str, Any], note_it: Say) -> None:
    """Give each result to the sinks, and those of videos to their recordings and the window."""
    from ..apps.run.places import Places
    from ..apps.run.sinks import DRAWN, Given, open_sinks

    given = Given(CONSOLE, options["replace"], options["save_conf"])
    places = Places(options["output"], stems=options["save_txt"] or options["save_crop"])
    progress = FrameProgress(options["quiet"])
    with (
        open_sinks(sinks, given) as add,
        _drawn(note_it) as drawn,
        recordings(paths, options) as record,
        window(bool(paths), options) as shown,
    ):
        for video, one in pairs:
            progress.clear()
            place = places.of(one)
            add(one, place)
            if video is None:
                if DRAWN in sinks:
                    drawn.append(place.picture)
                if options["show"]:
                    one.show()
                continue
            record(video, one)
            progress.tell(one)
            if shown:
                shown.show(one.plot())
                if shown.is_closed:
                    break
        progress.end()


@contextmanager
def _drawn(note_it: Say) -> Iterator[list[Path]]:
    """A list of pictures that are drawn, of which the first are told in the end, whatever ends it."""
    paths: list[Path] = []
    try:
        yield paths
    finally:
        if paths:
            more = f" … ({len(paths)})" if len(paths) > SHOWN else ""
            note_it(f"drawn: {', '.join(map(str, sorted(paths)[:SHOWN]))}{more}")


def _check_outputs(files: list[Source], sinks: list[Sink], options: dict[str, Any]) -> dict[Video, Path]:
    """Raise `DataError` before anything is computed, if a picture or a file of the user's would be written over.

    The places of drawn videos are returned.
    """
    from ..apps.run.places import Places
    from ..files import check_output, will_read
    from ..vision.sources import PictureFile
    from ..vision.video.video import Video

    will_read(file.path for file in files if isinstance(file, PictureFile))
    videos = [file for file in files if isinstance(file, Video)]
    will_read(video.file for video in videos if video.file)
    places = Places(options["output"], stems=options["save_txt"] or options["save_crop"])
    for place in (places.free(file.name) for file in files if not isinstance(file, Video)):
        for sink in sinks:
            if sink.file:
                check_output(sink.file(place), replace=options["replace"])
    return video_paths(videos, options)


def _open(cfg: str, sources: tuple[str, ...], options: dict[str, Any], note_it: Say, *, verbose: bool) -> Model:
    from ..errors import WeightsMissing

    try:
        return _load(cfg, options, note_it, verbose=verbose)
    except WeightsMissing as e:
        e.args = (str(e).replace("PICTURE", shlex.join(sources)),)  # the whole command, to be copied
        raise


def _threads(options: dict[str, Any]) -> int:
    """The threads that were asked for, if the back end can be told. Raises `UsageError`."""
    from ..backends.backend import find_backend

    if find_backend(options["backend"]).threads == "none":
        raise click.UsageError(f"--threads: the back end {options['backend']!r} cannot be told how many")
    threads: int = options["threads"]
    return threads


def _load(cfg: str, options: dict[str, Any], note_it: Say, *, verbose: bool) -> Model:
    from ..model.opening import load

    options_of_backend: dict[str, Any] = {"explain": message} if verbose and options["backend"] == AUTO.name else {}
    if options["device"]:
        options_of_backend["device"] = options["device"]
    if options["threads"]:
        options_of_backend["threads"] = _threads(options)
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
        say=note_it,
        **precision_of(options),
        **options_of_backend,
    )
    for diagnostic in model.contract.diagnostics:
        message(diagnostic)
    if options["random"] is not None:
        note_it("random weights: the results mean nothing")
    note_it(f"class names: {model.contract.names_origin}")
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
    from ..model.stream import FEW
    from ..vision.video.video import Streams, Video

    def skip(error: DataError) -> None:
        message(f"error: {error}")
        broken.append(error)

    def results(source: Any, workers: Workers) -> Iterator[Results]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what the file cannot give, which was told as a message
            found: Iterator[Results] = model(
                source, options["conf"], options["iou"], batch=options["batch"], workers=workers,
                letterbox=options["letterbox"], skip=skip, max_pixels=options["max_pixels"],
                classes=options["classes"], max_det=options["max_det"], agnostic=options["agnostic"],
            )  # fmt: skip
        return found

    live = {file.path: file for file in files if isinstance(file, Video) and file.is_live}
    others = [file for file in files if not (isinstance(file, Video) and file.is_live)]
    asked = options["workers"]
    for video, group in groupby(others, lambda file: file if isinstance(file, Video) else None):
        some = list(group)
        many: Workers = "auto" if len(some) > FEW else 0
        source, workers = (iter(some), many) if video is None else (video, 1)
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
