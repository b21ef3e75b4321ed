"""`darknet-py export`: a network as a file for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..backends.backend import AUTO
from ..backends.precision import F16, F32, INT8
from ..contract.thresholds import CONF, IOU
from ..model.formats import find_format, formats
from .options import echo, given_in, message, network_of, network_options, replace_option, weights_option

PLACE = ("Convert", 1)

# What `network_of` takes; the other options are those of a format.
NETWORK = ("dialect", "size", "random", "strict", "as_darknet", "allow_partial")


@click.command("export")
@click.argument("cfg")
@weights_option
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="What to write (default: CFG's name with .onnx, or models/).",
)
@click.option("--format", "format_", metavar="NAME", help=f"{', '.join(formats())} (default: what the suffix says).")
@click.option(
    "--boxes",
    type=click.Choice(("raw", "decoded", "nms", "padded", "efficient-nms", "tensorrt")),
    help="End in the outputs of the heads (default), in boxes and scores, or in what suppression by plain IoU leaves: "
    "a list for all pictures, or padded for each (default for --format triton; efficient-nms is another word for it); "
    "tensorrt: by TensorRT's own node.",
)
@click.option("--batch", type=click.IntRange(1), help="A fixed number of pictures (default: any).")
@click.option(
    "--precision",
    type=click.Choice((F32, F16, INT8, AUTO.name)),
    default=F32,
    show_default=True,
    help="What the file stores and computes in; int8 is calibrated on --data, and what is lost is printed; auto: the "
    "fastest here that loses at most --max-loss.",
)
@click.option("--data", metavar="PICTURES",
              help="Pictures for --precision int8, auto: a .data file, list, folder, glob; best labelled.")  # fmt: skip
@click.option("--max-loss", type=click.FloatRange(0, 1), metavar="LOSS",
              help="How much mAP --precision may cost (default of auto: 0.005; int8: only told).")  # fmt: skip
@click.option("--half", is_flag=True, help="The same as --precision f16.")
@click.option("--int8", metavar="PICTURES", help="The same as --precision int8 --data PICTURES.")
@click.option("--fold", is_flag=True, help="With --format darknet: multiply batch normalization into the weights.")
@click.option("--layers", type=click.IntRange(1), help="With --format darknet: only the first so many layers.")
@click.option("--external", is_flag=True, help="Keep the weights in a file of their own beside the model.")
@click.option(
    "-n", "--names", type=click.Path(path_type=Path), help="A .names or .data file (default: beside the cfg)."
)
@click.option(
    "--letterbox/--no-letterbox", default=None, help="How pictures are to be fitted (default: as the cfg says)."
)
@click.option(
    "--conf",
    "threshold",
    type=click.FloatRange(0, 1),
    default=CONF,
    show_default=True,
    help="The lowest probability that counts.",
)
@click.option("--iou", type=click.FloatRange(0, 1), default=IOU, show_default=True, help="The overlap that suppresses.")
@click.option(
    "--max-det",
    "max_detections",
    type=click.IntRange(1),
    default=300,
    show_default=True,
    help="With --boxes nms: the most boxes of a class; with padded: of a picture.",
)
@click.option("--max-batch", type=click.IntRange(1), default=8, show_default=True,
              help="With --format triton: the most pictures at a time.")  # fmt: skip
@click.option("--model-version", "version", type=click.IntRange(1, 999_999_999), default=1, show_default=True,
              help="With --format triton: the version of the model.")  # fmt: skip
@click.option("--runtime", type=click.Path(path_type=Path), metavar="FOLDER",
              help="With --format web: where npm has put onnxruntime-web (default: here or above).")  # fmt: skip
@click.option("--check/--no-check", default=True, help="Run what was written, beside NumPy (default), or do not.")
@replace_option
@network_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    cfg: str,
    weights: Path | None,
    output: Path | None,
    format_: str | None,
    replace: bool,
    check: bool,
    **options: Any,
) -> None:
    """Write the network CFG as an ONNX file.

    The input is (N, channels, height, width), RGB from 0 to 1. Sizes, colours, names and thresholds are in the
    metadata of the file, and `darknet-py run` and `load` use them. A file that darknet-py did not write is replaced
    only with --replace.

    \b
    darknet-py export yolov4-tiny -o yolov4-tiny.onnx
    darknet-py export my.cfg -w my.weights --boxes nms
    darknet-py export my.cfg --format triton -o models
    darknet-py export my.cfg -o fast.onnx --precision auto --data photos.txt
    darknet-py export my.cfg -o for-darknet.cfg
    """
    chosen = find_format(output or Path("net.onnx"), format_)
    reading = {k: options.pop(k) for k in NETWORK}
    words = {p.name: max(p.opts, key=len) for p in ctx.command.params if p.name}
    precision, data, max_loss = (options[key] for key in ("precision", "data", "max_loss"))
    if precision != F32:
        words |= dict.fromkeys(("half", "int8"), f"--precision {precision}")
    given = _precision_of(options)
    said = given_in(ctx)
    given |= {k: v for k, v in options.items() if k in said}
    chosen.check_options(given, words)
    if "max_detections" in said and (options["boxes"] or chosen.boxes) in ("raw", "decoded"):
        raise click.UsageError("--max-det is for boxes that are suppressed: add --boxes nms or padded, or leave it out")
    network = network_of(cfg, weights, **reading)
    path = output or chosen.place(network.cfg.stem)
    if precision == AUTO.name or max_loss is not None:
        from ..model.file_precision import find_file_precision
        from ..model.precision import MAX_LOSS

        chosen.check_place(network, path, replace=replace)  # before minutes are spent
        most = MAX_LOSS if max_loss is None else max_loss
        kind = precision if precision == AUTO.name else INT8  # which --int8 asks for too
        pictures = given.pop("int8", data)
        given |= find_file_precision(network, chosen, pictures, most, message, given, kind)
    for sentence in chosen.write(network, path, replace=replace, check=check, say=message, **given):
        message(sentence)
    echo(path)


def _precision_of(options: dict[str, Any]) -> dict[str, Any]:
    """The precision in the words of the formats, taken out of the options; nothing for float32.

    'auto' is still to be found, and nothing as well. Raises `UsageError` for two precisions, or pictures that lack.
    """
    precision, data, half, int8, max_loss = (
        options.pop(key) for key in ("precision", "data", "half", "int8", "max_loss")
    )
    if (precision in (INT8, AUTO.name)) != (data is not None):
        raise click.UsageError(
            "--precision int8 needs pictures to be calibrated on, and auto to measure on: --data PICTURES, and nothing "
            "else does"
        )
    if max_loss is not None and not (int8 or precision in (INT8, AUTO.name)):
        raise click.UsageError("--max-loss is for --precision int8 and auto")
    if precision != F32 and (half or int8):
        raise click.UsageError("--half and --int8 are precisions: leave out --precision")
    asked = {"half": half or precision == F16, "int8": int8 or (data if precision == INT8 else None)}
    return {name: value for name, value in asked.items() if value}
