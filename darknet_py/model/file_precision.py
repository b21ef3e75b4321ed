"""`export --precision auto`: the precision of the fastest file that loses little, found by writing and running each.

With `--precision int8 --max-loss` the file of int8 alone is tried, and nothing is written if it loses more.

Decision: what is timed and scored are files of the format itself, opened as a user opens them, because a file of fewer
bits and a back end of fewer bits are two things: one stores float16 and computes in float32. They end as the file that
is asked for does, or, where that suppresses boxes itself, in the heads of the network, so that all boxes count; what is
lost is measured on pictures that int8 is not calibrated on.
"""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import TYPE_CHECKING, Any

from ..analysis.evaluate.record import RECORDED
from ..analysis.quantize import labels_of, precision_loss, split_pictures, without_picture
from ..backends.auto import LEAD, timed
from ..backends.backend import AUTO
from ..backends.precision import F16, F32, INT8
from ..backends.session import reader
from ..errors import BackendError, DataError, Say, first_line
from ..files import scratch
from ..vision.sources import Found, pictures
from .agreement import random_inputs
from .formats import Format
from .opening import load
from .precision import MORE

if TYPE_CHECKING:
    from ..darknet.network import Network
    from ..vision.results import Results
    from .model import Model

ROUNDS = 5  # of the timing, in turns
PLAIN = ("raw", "decoded")  # what a file ends in where all boxes come out


def find_file_precision(
    network: Network,
    form: Format,
    data: str,
    max_loss: float,
    say: Say,
    given: Mapping[str, Any],
    precision: str = AUTO.name,
) -> dict[str, Any]:
    """The option of a format for the fastest of its precisions that loses at most `max_loss` of mAP; {} is float32.

    Of one alone, as int8, where that is the `precision`.

    `data` are pictures as for int8, best with labels, of which every fourth is kept out of the calibration and scored.
    `given` are the other options of the file; `say` is told what was found. Raises `DataError` for a format that is not
    run here, for too few pictures and for int8 that loses more, `BackendError` where nothing that runs its files is
    installed.
    """
    options: dict[str, dict[str, Any]] = {F32: {}, F16: {"half": True}, INT8: {"int8": data}}
    held = {kind: own for kind, own in options.items() if {*own} <= {*form.options}}
    if precision != AUTO.name:
        held = {F32: {}, precision: held[precision]}
    if len(held) == 1:
        say(f"precision: f32, for {form.title} holds nothing else")
        return {}
    if form.contract is None:
        asked, hint = "--precision auto", "--precision auto -o net.onnx finds it for ONNX; name the precision here"
        if precision != AUTO.name:
            asked = f"--precision {precision} --max-loss"
            hint = f"-o net.onnx tells what {precision} loses in ONNX; leave out --max-loss here"
        raise DataError(
            f"{asked} runs what it compares, and {form.title} is not run here"
            + f" ({form.home})" * bool(form.home)
            + f"\n  hint: {hint}"
        )
    _, held_out = split_pictures(data)
    others = dict(given)
    with scratch() as folder:
        if given.get("boxes", PLAIN[0]) not in PLAIN:
            form.write(network, folder / f"asked{form.suffix}", check=False, **given)  # what it lacks is told first
            others = {key: value for key, value in given.items() if key not in ("boxes", "max_detections")}
        models: dict[str, Model] = {}
        for kind, own in held.items():
            path = folder / f"{kind}{form.suffix}"
            try:
                form.write(network, path, check=False, say=say, **{**others, **own})
                models[kind] = load(path, quiet=True)
            except BackendError as e:  # and not of pictures that are wrong: float32 would be taken for good
                if kind in (F32, precision):
                    raise
                say(f"precision: {kind} left out: {first_line(e)}")
        seconds = _timed(models) if precision == AUTO.name else {precision: 0.0}
        kind = _first(models, seconds, held_out, max_loss, reader(path).title, say)
    return held[kind]


def _first(
    models: Mapping[str, Model],
    seconds: Mapping[str, float],
    held_out: list[Found],
    max_loss: float,
    runtime: str,
    say: Say,
) -> str:
    """The fastest of those with `seconds` that loses at most `max_loss`; float32 loses nothing.

    Raises `DataError` where float32 is not among them and all lose more.
    """
    labels = labels_of(held_out, models[F32].contract)
    threshold = models[F32].contract.threshold if labels is None else RECORDED
    wanted = None
    # Of equals float32 is taken.
    for kind in sorted(seconds, key=lambda kind: seconds[kind] / (LEAD if kind == F32 else 1)):
        told = f"precision: {kind} in {runtime}" + f" {seconds[kind] * 1e3:.1f} ms" * bool(seconds[kind])
        if kind == F32:
            say(f"{told}: taken")
            return kind
        wanted = wanted or _results(models[F32], held_out, threshold)
        loss = precision_loss(wanted, _results(models[kind], held_out, threshold), labels, models[F32].contract.classes)
        if loss.lost <= max_loss:
            say(f"{told}: {loss}: taken")
            return kind
        told = f"{told}: {loss}: more than {max_loss:g} is lost"
        if len(seconds) == 1:
            raise DataError(f"{told}\n  hint: {MORE}")
        say(told)
    raise AssertionError("float32 is among several")


def _timed(models: Mapping[str, Model]) -> dict[str, float]:
    """The median seconds of a run of each, in turns."""
    feeds = {kind: random_inputs(model.contract) for kind, model in models.items()}
    rounds = [{kind: timed(model.session, feeds[kind]) for kind, model in models.items()} for _ in range(ROUNDS)]
    return {kind: median(one[kind] for one in rounds) for kind in models}


def _results(model: Model, files: list[Found], threshold: float) -> list[Results]:
    found = (picture for file in files for picture in pictures(file, model.contract.shape[0]))
    return [without_picture(one) for one in model(found, threshold, classes=model.contract.every_class)]
