"""`darknet-py verify`: do all runtimes compute the same?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..backends.backend import backends as known_backends
from .options import echo, exported_option, message, network_of, network_options, write_json

if TYPE_CHECKING:
    from ..darknet.network import Network
    from ..ir import Graph

PLACE = ("Check and compare", 4)


@click.command("verify")
@click.argument("cfg")
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@click.option(
    "--input",
    "source",
    type=click.Path(path_type=Path),
    help="A .npy with the network's input, (c, h, w) or (n, c, h, w) (default: random numbers).",
)
@click.option(
    "--backend",
    "backends",
    multiple=True,
    type=click.Choice(tuple(known_backends())),
    help="Only these (default: all).",
)
@click.option("--tolerance", type=click.FloatRange(0), help="Largest difference, relative to the scale of a layer.")
@exported_option("in place of the runtimes: run, and held against NumPy")
@click.option("--all", "all_layers", is_flag=True, help="List every layer, not only those beyond the tolerance.")
@click.option("--json", "as_json", is_flag=True, help="The report as JSON.")
@network_options
@click.pass_context
def command(
    ctx: click.Context, /, cfg: str, weights: Path | None, source: Path | None, backends: tuple[str, ...],
    files: tuple[Path, ...], tolerance: float | None, all_layers: bool, as_json: bool, **options: Any,
) -> None:  # fmt: skip
    """Compare all runtimes on CFG, layer by layer.

    Every runtime gets the same input and is held against the NumPy reference. Prints the largest difference of each
    output; exits with 1 if one is over the tolerance or a runtime fails. With --exported, files that were written of
    CFG are run instead, each in a runtime that reads it.

    \b
    darknet-py verify yolov4-tiny
    darknet-py verify my.cfg my.weights --backend onnxruntime --all
    darknet-py export my.cfg -o mine.onnx
    darknet-py verify my.cfg --exported mine.onnx
    """
    from ..analysis.verify import TOLERANCE, format_report, verify

    told = {"--input": source, "--backend": backends, "--all": all_layers}
    if files and (lost := [word for word, given in told.items() if given]):
        raise click.UsageError(f"--exported files are run as they are: leave out {', '.join(lost)}")
    network = network_of(cfg, weights, **options)
    if files:
        ctx.exit(0 if _verify_files(network, files, tolerance, as_json) else 1)
    graph = network.graph
    report = verify(
        graph, [_input(graph, source)], backends or None, tolerance=TOLERANCE if tolerance is None else tolerance
    )
    if as_json:
        write_json(report.to_dict())
    else:
        echo(format_report(report, all_layers=all_layers))
    if not report.passed:
        message("outputs are NaN or infinite" if report.unknown else "the runtimes do not agree")
    ctx.exit(0 if report.passed else 1)


def _verify_files(network: Network, files: tuple[Path, ...], tolerance: float | None, as_json: bool) -> bool:
    """Print how each file agrees with NumPy; whether all do."""
    from dataclasses import asdict, replace

    from ..model.agreement import compare_exported
    from ..model.formats import read_exported

    told, right = {}, True
    read = {path: read_exported(path) for path in files}  # one that is none is told before the others are run
    for path, (file, contract) in read.items():
        one = compare_exported(network, file, contract)
        one = one if tolerance is None else replace(one, tolerance=tolerance)
        right = right and bool(one.title) and one.is_right
        told[str(path)] = {**asdict(one), "right": one.is_right}
        if not as_json:
            echo(f"{path}: {one}")
    if as_json:
        write_json(told)
    return right


def _input(graph: Graph, source: Path | None) -> Any:
    import numpy as np

    from ..analysis.dump import read_array

    shape = graph.image.shape
    if source is None:
        return np.random.default_rng(0).random((1, *shape), np.float32)
    array = read_array(source)
    return array[None] if array.ndim == len(shape) else array
