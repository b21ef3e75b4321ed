"""`darknet-py dump`: every layer's output for one input, as Darknet's reference files have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..backends.backend import backends
from ..errors import counted
from .options import message, network_of, network_options, replace_option

PLACE = ("Look into a network", 5)


@click.command("dump")
@click.argument("cfg")
@click.argument("weights", required=False, type=click.Path(path_type=Path))
@click.option(
    "--input",
    "source",
    required=True,
    type=click.Path(path_type=Path),
    help="The network's input: a .npy of (c, h, w), or (steps, c, h, w).",
)
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="The .npz to write.")
@click.option(
    "--backend", type=click.Choice(tuple(backends())), default="numpy", show_default=True, help="What computes."
)
@replace_option
@network_options
def command(
    cfg: str, weights: Path | None, source: Path, output: Path, backend: str, replace: bool, **options: Any
) -> None:  # fmt: skip
    """Write the output of every layer of CFG to an .npz.

    Layer 17 is the key L017. An input with an axis more than the network's is a sequence, and each step has a file of
    its own: -o layers.npz writes layers_t0.npz, layers_t1.npz …, and -o 'step{t}.npz' writes step0.npz …

    \b
    darknet-py dump net.cfg net.weights --input input.npy -o layers.npz
    """
    from ..analysis.dump import dump_layers, is_sequence, read_array, step_count, write_npz
    from ..files import check_output

    image = read_array(source)
    graph = network_of(cfg, weights, **options).graph
    several = is_sequence(graph, image) or "{t}" in output.name
    paths = [_path(output, step) if several else output for step in range(step_count(graph, image))]
    for path in paths:
        check_output(path, replace=replace)
    for path, layers in zip(paths, dump_layers(graph, image, backend), strict=True):
        write_npz(path, layers, replace=replace)
        message(f"{path}: {counted(len(layers), 'layer')}")


def _path(output: Path, step: int) -> Path:
    name = output.name if "{t}" in output.name else f"{output.stem}_t{{t}}{output.suffix}"
    return output.with_name(name.replace("{t}", str(step)))
