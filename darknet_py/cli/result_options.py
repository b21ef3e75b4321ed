"""What `run` is told about results: which are wanted, whether objects are followed, and where it all goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..apps.run.sinks import DRAWN, SINKS, TEXT, Console, Sink
from ..contract.thresholds import CONF, IOU, RANDOM_CONF
from .options import echo_whole, json_array, write_json_line

if TYPE_CHECKING:
    from ..apps.run.following import Following
    from ..contract.contract import Contract
    from ..contract.selection import Conf

F = TypeVar("F", bound=Callable[..., Any])

CONSOLE = Console(echo_whole, write_json_line, json_array)


class Thresholds(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """`0.4`, `person=0.5,car=0.3`, or both: a number, or one for each name, None for that without a name."""

    name = "P or CLASS=P,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The thresholds of the text."""
        if not isinstance(value, str):
            return value
        from ..contract.selection import conf_of
        from ..errors import DataError

        try:
            return conf_of(value)
        except DataError as e:
            self.fail(str(e), param, ctx)


class Numbers(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """`x,y,x,y,...`; `check` raises `DataError` for what is not the shape that is meant."""

    def __init__(self, name: str, check: Callable[[tuple[float, ...]], object]) -> None:
        self.name, self.check = name, check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The numbers of the text."""
        from ..errors import DataError

        if not isinstance(value, str):
            return value
        try:
            numbers = tuple(float(part) for part in value.split(","))
            self.check(numbers)
        except ValueError:
            self.fail(f"{value!r} is not {self.name}, with numbers between the commas", param, ctx)
        except DataError as e:
            self.fail(str(e), param, ctx)
        return numbers


def _check_line(numbers: tuple[float, ...]) -> None:
    from ..vision.counting import LineCounter

    if len(numbers) != 4:
        raise ValueError
    LineCounter(*numbers)


def _check_zone(numbers: tuple[float, ...]) -> None:
    from ..vision.counting import ZoneCounter

    ZoneCounter(*numbers)


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _class_names(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str] | None:
    if value is None:
        return None
    if not _parts(value):
        raise click.BadParameter("name a class, or several with commas: person,car", ctx, param)
    return _parts(value)


def filter_options(command: F) -> F:
    """The options that choose among what is found; they count before and after suppression as in `selection`."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


_FILTERS = (
    click.option(
        "--conf",
        type=Thresholds(),
        help=f"The lowest probability shown, or one for each class: person=0.5,car=0.3 (default, and for the others: "
        f"what an exported file says, else {CONF}; with random weights, some or all, {RANDOM_CONF}).",
    ),
    click.option(
        "--classes", callback=_class_names, metavar="CLASS,...", help="Only these classes, by name or number."
    ),
    click.option("--max-det", type=click.IntRange(1), metavar="N", help="At most the N surest objects of a picture."),
    click.option("--agnostic", is_flag=True, help="A box suppresses those of other classes too."),
)


pixels_option = click.option(
    "--max-pixels", type=click.IntRange(1), metavar="N",
    help="The most pixels of a picture that is decoded (default: DARKNET_PY_MAX_PIXELS, or 178956970).",
)  # fmt: skip
iou_option = click.option(
    "--iou", type=click.FloatRange(0, 1),
    help=f"The overlap that suppresses (default: what an exported file says, else {IOU}).",
)  # fmt: skip


def sink_options(command: F) -> F:
    """The options of all ways to write results, and those of tracking and of reading codes."""
    flags = [click.option(f"--{sink.option}", sink.name, is_flag=True, help=sink.help) for sink in SINKS]
    for option in reversed((*_TRACKING, _DECODE, *flags, *_MORE)):
        command = option(command)
    return command


_TRACKING = (
    click.option("--track", is_flag=True, help="Follow objects through the pictures, which are one sequence: ids."),
    click.option(
        "--line",
        "lines",
        type=Numbers("X1,Y1,X2,Y2", _check_line),
        multiple=True,
        help="Count tracks across a line, in pixels or fractions of the picture; may be repeated. Implies --track.",
    ),
    click.option(
        "--zone",
        "zones",
        type=Numbers("X,Y,X,Y,X,Y,...", _check_zone),
        multiple=True,
        help="Count tracks that enter and leave a polygon; may be repeated. Implies --track.",
    ),
)

_DECODE = click.option(
    "--decode", is_flag=True, help="Read the barcodes and matrix codes in the boxes: text, format (extra: codes)."
)

_MORE = (
    click.option("--save-conf", is_flag=True, help="With --save-txt: append the probability."),
    click.option("-q", "--quiet", is_flag=True, help="Print no lines of Darknet's, and only warnings and errors."),
)


def chosen_sinks(options: dict[str, Any]) -> list[Sink]:
    """The sinks that the options ask for. Raises `UsageError` if two of them print, or --save-conf changes nothing."""
    if options["save_conf"] and not options["save_txt"]:
        raise click.UsageError("--save-conf is for the files of --save-txt: say --save-txt too")
    chosen = [sink for sink in SINKS if options[sink.name]]
    printing = [sink for sink in chosen if sink.prints]
    if len(printing) > 1:
        names = " and ".join(f"--{sink.option}" for sink in printing)
        raise click.UsageError(f"{names} both print: choose one of them")
    if not printing and not options["quiet"]:
        chosen.insert(0, TEXT)
    return chosen if options["no_save"] else [*chosen, DRAWN]


def check_sinks(sinks: list[Sink], options: dict[str, Any], contract: Contract) -> None:
    """Raise `DataError` where boxes are asked of a classifier."""
    from ..errors import DataError

    boxed = [f"--{sink.option}" for sink in sinks if sink.boxes]
    boxed += ["--track"] if is_tracking(options) else []
    boxed += ["--decode"] if options["decode"] else []
    if boxed and not contract.decoders:
        raise DataError(f"{' and '.join(boxed)} need boxes, and the network is a classifier: leave it out")


def is_tracking(options: dict[str, Any]) -> bool:
    """Whether objects are to be followed."""
    return bool(options["track"] or options["lines"] or options["zones"])


def thresholds(options: dict[str, Any], default: float) -> Conf:
    """The thresholds of all classes, `default` where none is given."""
    given = options["conf"]
    if isinstance(given, dict):
        return {None: default, **given}
    return default if given is None else float(given)


def lowest(conf: Conf) -> float:
    """The lowest of the thresholds."""
    return conf if isinstance(conf, float | int) else min(conf.values())


def following_of(options: dict[str, Any], contract: Contract, conf: Conf) -> Following | None:
    """What follows objects, where the options ask for it."""
    if not is_tracking(options):
        return None
    from ..apps.run.following import Following

    return Following(contract, conf, options["classes"], options["agnostic"], options["lines"], options["zones"])
