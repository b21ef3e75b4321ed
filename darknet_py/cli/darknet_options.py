"""What the commands that take Darknet's own command lines share: options with one dash, in any place, and the prompt.

Decision: an option of Darknet's that changes nothing here is taken and said to be ignored; it is no error, because the
point is that a line runs as it is.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import click

from .options import echo, message

F = TypeVar("F", bound=Callable[..., Any])

PROCESSOR = "the processor computes"
ONLY_TEST, ONLY_MAP, ONLY_DEMO, ONLY_TRAIN, ONLY_ANCHORS = (
    f"only `detector {word}` reads it, in Darknet too" for word in ("test", "map", "demo", "train", "calc_anchors")
)

# Darknet's options that do nothing here: whether a value follows, and why; '' where nobody misses anything.
IGNORED: dict[str, tuple[bool, str]] = {
    "-dont_show": (False, ""),
    "-show": (False, "no window is opened"),
    "-i": (True, PROCESSOR),
    "-gpus": (True, PROCESSOR),
    "-nogpu": (False, ""),
    "-hier": (True, "it reaches no layer, in Darknet neither"),
    "-thresh": (True, ONLY_TEST),
    "-ext_output": (False, ONLY_TEST),
    "-letter_box": (False, "letter_box in the cfg decides, in Darknet too"),
    "-benchmark_layers": (False, "`darknet-py bench --layers` times layers"),
    "-iou_thresh": (True, ONLY_MAP),
    "-points": (True, ONLY_MAP),
    **dict.fromkeys(
        ("-c", "-s", "-prefix", "-out_filename", "-mjpeg_port", "-json_port", "-json_file_output", "-http_post_host",
         "-avgframes", "-time_limit_sec"),
        (True, ONLY_DEMO),
    ),
    **dict.fromkeys(("-dontdraw_bbox", "-benchmark"), (False, ONLY_DEMO)),
    **dict.fromkeys(("-clear", "-map", "-show_imgs", "-check_mistakes"), (False, ONLY_TRAIN)),
    **dict.fromkeys(("-mAP_epochs", "-chart"), (True, ONLY_TRAIN)),
    **dict.fromkeys(("-num_of_clusters", "-width", "-height"), (True, ONLY_ANCHORS)),
}  # fmt: skip


def photo_arguments(command: F) -> F:
    """`CFG [WEIGHTS] [PHOTO]`, as Darknet's commands end."""
    for argument in (
        click.argument("photo", required=False),
        click.argument("weights", required=False, type=click.Path(path_type=Path)),
        click.argument("cfg"),
    ):
        command = argument(command)
    return command


def detection_options(default: float) -> Callable[[F], F]:
    """`-thresh` and `-ext_output`."""

    def add(command: F) -> F:
        told = click.option("-ext_output", "ext_output", is_flag=True, help="Print the boxes in pixels too.")
        lowest = click.option(
            "-thresh", "conf", type=click.FloatRange(0, 1), default=default, show_default=True,
            help="The lowest probability printed.",
        )  # fmt: skip
        return lowest(told(command))

    return add


def map_options(command: F) -> F:
    """`-iou_thresh` and `-points`, as Darknet measures mAP."""
    points = click.option(
        "-points", "points", type=click.IntRange(0), default=0, show_default=True,
        help="Where precision is read: 0 the area under the curve, 11 as VOC, 101 as COCO.",
    )  # fmt: skip
    overlap = click.option(
        "-iou_thresh", "iou_thresh", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.5,
        show_default=True, help="For mAP, an object is found if its box overlaps by more than this.",
    )  # fmt: skip
    return overlap(points(command))


def ignored(*but: str) -> Callable[[F], F]:
    """The options of `IGNORED` for a command, `but` those that it has itself."""

    def add(command: F) -> F:
        for name, (takes, _) in IGNORED.items():
            if name in but:
                continue
            told = click.option(name, is_flag=not takes, expose_value=False, callback=_say_ignored, hidden=True)
            command = told(command)
        return command

    return add


def _say_ignored(ctx: click.Context, param: click.Parameter, value: object) -> None:
    name = param.opts[0]
    if value and IGNORED[name][1] and not ctx.resilient_parsing:
        message(f"{name} is ignored: {IGNORED[name][1]}")


def _say_sheet(ctx: click.Context, param: click.Parameter, value: object) -> None:
    if value and not ctx.resilient_parsing:
        message("-show_imgs is ignored: `darknet-py train DATA CFG --show-data 16` writes a sheet of pictures")


def training_options(command: F) -> F:
    """`DATA CFG [WEIGHTS]`, -clear and -map, as Darknet trains."""
    for option in (
        click.option("-gpus", "gpus", help="The number of a GPU; Darknet's several are torchrun's processes here."),
        click.option("-i", "gpu", type=click.IntRange(0), help="The number of a GPU."),
        click.option("-show_imgs", is_flag=True, expose_value=False, callback=_say_sheet, hidden=True),
        click.option("-chart", expose_value=False, hidden=True),
        click.option("-mAP_epochs", "map_epochs", type=click.IntRange(1), default=4, show_default=True,
                     help="Times through the pictures between two measurements."),
        click.option("-map", "map_", is_flag=True, help="Measure on the valid pictures on the way."),
        click.option("-clear", "clear", is_flag=True, help="Count iterations from 0, whatever WEIGHTS have seen."),
        ignored("-clear", "-map", "-mAP_epochs", "-iou_thresh", "-points", "-show_imgs", "-chart", "-gpus", "-i"),
        click.argument("weights", required=False, type=click.Path(path_type=Path)),
        click.argument("cfg"),
        click.argument("data", type=click.Path(path_type=Path)),
    ):  # fmt: skip
        command = option(command)
    return command


class DarknetGroup(click.Group):
    """A group of Darknet's words: those that are not here are answered, by the table of `words`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command that `args` begin with, or what is said to it."""
        from .words import explain_group

        if args[0] not in self.commands and (said := explain_group(self.name or "", args[0])):
            raise click.UsageError(said, ctx)
        return super().resolve_command(ctx, args)


def check_photo(photo: str | None) -> None:
    """Raise `DataError` at once for a photo that is not there."""
    from ..errors import DataError

    if photo is not None and not Path(photo).exists():
        raise DataError(f"cannot read the picture {photo}: no such file")


def paths(photo: str | None) -> Iterator[str]:
    """The photo, or the lines of the standard input, each after Darknet's prompt (detector.c test_detector)."""
    if photo is not None:
        yield photo
        return
    from ..compat.darknet import PROMPT

    while True:
        echo(PROMPT, nl=False)
        line = sys.stdin.readline()
        if not line:
            break
        if line.strip():
            yield line.strip()
    echo("")
