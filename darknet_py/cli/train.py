"""`darknet-py train`: labelled pictures and a cfg become a `.weights`, as Darknet would train it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import DIALECTS, Size, echo, given_in, message, replace_option, write_json_line

if TYPE_CHECKING:
    from ..apps.train.events import Event
    from ..apps.train.plan import Plan

PLACE = ("Train", 2)
EXTRA = "torch"
OF_MAP = {"map_epochs": "--map-epochs", "valid": "--valid"}
OF_LOG = {"log": "--log", "each": "--each", "tensorboard": "--tensorboard"}


@click.command("train")
@click.argument("data", type=click.Path(path_type=Path))
@click.argument("cfg")
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@click.option(
    "--map", "map_", is_flag=True, help="Measure on the valid pictures on the way, and keep the best weights."
)
@click.option("--map-epochs", type=click.IntRange(1), default=4, show_default=True,
              help="Times through the pictures between two measurements.")  # fmt: skip
@click.option("--batch", type=click.IntRange(2), help="Pictures between two updates (default: the cfg's).")
@click.option("--subdivisions", type=click.IntRange(1), help="Parts in which a batch is computed, for less memory.")
@click.option("--max-batches", type=click.IntRange(1), help="Iterations in all (default: the cfg's).")
@click.option("--iterations", type=click.IntRange(1), help="Stop after this iteration; the same command goes on.")
@click.option("--backup", type=click.Path(path_type=Path, file_okay=False), help="Where weights go (default: DATA's).")
@click.option("--valid", type=click.Path(path_type=Path), help="The pictures for --map (default: DATA's).")
@click.option("--fresh", is_flag=True, help="Begin anew where a training in the backup folder could be gone on with.")
@click.option("--clear", is_flag=True, help="Count iterations from 0, whatever WEIGHTS have seen.")
@click.option("--freeze", type=click.IntRange(0), default=0, metavar="N", help="Leave the first N layers as they are.")
@click.option("--device", default="cpu", show_default=True, help="Where it computes: cpu, cuda, cuda:1, mps.")
@click.option("--precision", type=click.Choice(("float32", "bf16")), default="float32", show_default=True,
              help="bf16: products in bfloat16, where the device is faster with it.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Threads that compute (default: PyTorch's).")
@click.option("--workers", type=click.IntRange(0), default=1, show_default=True, help="Threads that make pictures.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of everything random.")
@click.option("--optimizer", type=click.Choice(("darknet", "adamw")), default="darknet", show_default=True,
              help="adamw is not Darknet's.")  # fmt: skip
@click.option("--schedule", type=click.Choice(("darknet", "cosine")), default="darknet", show_default=True,
              help="cosine is not Darknet's.")  # fmt: skip
@click.option(
    "--clip-norm", type=click.FloatRange(0, min_open=True), help="Limit the norm of gradients (not Darknet's)."
)
@click.option("--per-sample", is_flag=True, help="Log what each picture costs, to find wrong labels (not Darknet's).")
@click.option("-n", "--names", type=click.Path(path_type=Path), help="A .names or .data file (default: DATA's).")
@click.option("--size", type=Size(), help="Input size instead of the cfg's: 416, or WIDTHxHEIGHT.")
@click.option("--dialect", type=click.Choice(DIALECTS), help="Whose Darknet the cfg is for (default: inferred).")
@click.option("--dry-run", is_flag=True, help="Say what it would do, how long it would take and how much memory.")
@click.option("--show-data", type=click.IntRange(1), metavar="N",
              help="Write a sheet of the first N pictures that the network would see, and stop.")  # fmt: skip
@click.option("--log", "log", type=click.Choice(("table", "darknet", "json")), default="table", show_default=True,
              help="What is printed: a table, Darknet's lines, or a line of JSON for each event.")  # fmt: skip
@click.option("--each", type=click.IntRange(1), default=1, show_default=True, help="Print every so many iterations.")
@click.option(
    "--tensorboard", type=click.Path(path_type=Path, file_okay=False), help="Write TensorBoard's files there."
)
@replace_option
@click.pass_context
def command(ctx: click.Context, /, data: Path, cfg: str, weights: Path | None, **options: Any) -> None:
    """Train CFG on the pictures of DATA, from WEIGHTS or from random numbers.

    DATA is a .data file (train, valid, names, backup), a list of pictures, a folder, or a COCO file. WEIGHTS may hold
    the first layers only, such as yolov4.conv.137. Written to the backup folder: NAME_last, _best (with --map), _1000 …
    and _final.weights, the state to go on with, a log, a chart. The same command goes on where it was stopped.

    \b
    darknet-py train my.data my.cfg yolov4.conv.137 --map
    darknet-py train my.data my.cfg --dry-run
    darknet-py train my.data my.cfg --show-data 16
    """
    from ..apps.train.plan import read_plan
    from ..apps.train.run import need_torch
    from ..darknet.reading import Reading
    from ..zoo.find import find_cfg

    need_torch()
    _refuse(ctx, options)
    taken = (
        "dry_run",
        "show_data",
        "log",
        "each",
        "tensorboard",
        "replace",
        "backup",
        "valid",
        "names",
        "size",
        "dialect",
    )
    own = {key: options.pop(key) for key in taken}
    plan = read_plan(
        find_cfg(cfg, message), data, weights, backup=own["backup"], valid=own["valid"], names=own["names"],
        reading=Reading(own["dialect"], own["size"]), settings=_settings(options), say=message,
    )  # fmt: skip
    if own["show_data"]:
        _show(plan, own["show_data"], own["replace"])
    elif own["dry_run"]:
        _rehearse(plan)
    else:
        ctx.exit(follow(plan, own["log"], own["each"], own["tensorboard"]))


def _refuse(ctx: click.Context, options: dict[str, Any]) -> None:
    """Raise `UsageError` for options that would be passed over, as is seen when the training is done."""
    given = given_in(ctx)
    if not options["map_"] and (lost := [word for key, word in OF_MAP.items() if key in given]):
        raise click.UsageError(f"{' and '.join(lost)} are for --map, which measures: say --map too")
    if options["dry_run"] and options["show_data"]:
        raise click.UsageError("--dry-run and --show-data are two things: do one after the other")
    alone = "--dry-run" if options["dry_run"] else "--show-data" if options["show_data"] else ""
    if alone and (lost := [word for key, word in OF_LOG.items() if key in given]):
        raise click.UsageError(f"{alone} trains nothing: leave out {', '.join(lost)}")


def _settings(options: dict[str, Any]) -> Any:
    from ..apps.train.plan import Settings

    return Settings(**options)


def follow(plan: Plan, log: str, each: int = 1, tensorboard: Path | None = None) -> int:
    """Train, printing what happens; the exit status, 130 where it was stopped."""
    from ..apps.train.events import Finished, Step
    from ..apps.train.lines import HEADING
    from ..apps.train.trainer import Trainer

    said = plan.settings.beyond_darknet()
    if said:
        message(f"not Darknet's: {', '.join(said)}")
    trainer = Trainer(plan, message)
    status = 0
    with _stopping(trainer.stop), _board(tensorboard) as board:
        headed = log != "table"
        for event in trainer:
            if not headed and isinstance(event, Step):
                echo(HEADING)
                headed = True
            _print(event, log, each)
            board(event)
            if isinstance(event, Finished) and event.reason == "stopped":
                status = 130
    return status


def follow_as_darknet(data: Path, cfg: str, weights: Path | None, settings: dict[str, Any]) -> int:
    """`detector train` and `classifier train`; the exit status."""
    from ..apps.train.plan import read_plan
    from ..apps.train.run import need_torch
    from ..zoo.find import find_cfg

    need_torch()
    settings["device"] = _device(settings.pop("gpus"), settings.pop("gpu"))
    plan = read_plan(find_cfg(cfg, message), data, weights, settings=_settings(settings), say=message)
    return follow(plan, "darknet")


def _device(gpus: str | None, gpu: int | None) -> str:
    """The device that Darknet's -gpus or -i means; it computes on the processor without them."""
    if gpus is None:
        return "cpu" if gpu is None else f"cuda:{gpu}"
    if "," in gpus:
        count = gpus.count(",") + 1
        raise click.UsageError(
            f"-gpus {gpus}: start one process for each: torchrun --nproc-per-node {count} -m darknet_py train DATA CFG "
            "--device cuda"
        )
    if not gpus.isdecimal():
        raise click.UsageError(f"-gpus {gpus} is no number of a GPU")
    return f"cuda:{gpus}"


def _print(event: Event, log: str, each: int) -> None:
    from ..apps.train.events import Step, as_record
    from ..apps.train.lines import lines_of_darknet, table_line

    if isinstance(event, Step) and event.iteration % each:
        return
    if log == "json":
        write_json_line(as_record(event))
        return
    if log == "table":
        line = table_line(event)
        if line:
            echo(line)
        return
    for line in lines_of_darknet(event):
        echo(line)


@contextmanager
def _stopping(stop: Any) -> Iterator[None]:
    """A block in which Ctrl-C and SIGTERM end the iteration at work first; the second one ends at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before: dict[int, Any] = {}

    def asked(number: int, _frame: object) -> None:
        signal.signal(number, before[number])
        message("stopping after this iteration; once more ends at once")
        stop()

    numbers = (getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP"))
    for number in (n for n in numbers if n is not None):
        if callable(handler := signal.getsignal(number)):
            before[number] = handler
            signal.signal(number, asked)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _board(folder: Path | None) -> Iterator[Any]:
    """A function that gives an event to TensorBoard, or to nobody."""
    if folder is None:
        yield lambda _: None
        return
    from ..apps.train.board import Board

    with Board(folder) as board:
        yield board.add


def _rehearse(plan: Plan) -> None:
    from ..apps.train.run import rehearse

    found = rehearse(plan, message)
    echo(f"would train {plan.cfg} on {plan.data}, and write {plan.path('last')} and others")
    for line in plan.settings.beyond_darknet():
        echo(f"not Darknet's: {line}")
    echo(str(found))


def _show(plan: Plan, count: int, replace: bool) -> None:
    from ..apps.train.run import show_data

    message(f"written: {show_data(plan, count, replace=replace)}")
