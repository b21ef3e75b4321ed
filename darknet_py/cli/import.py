"""`darknet-py import`: an ONNX file as a cfg and weights."""

from __future__ import annotations

from pathlib import Path

import click

from .options import Size, echo, replace_option

PLACE = ("Convert", 5)


@click.command("import")
@click.argument("model", type=click.Path(path_type=Path))
@click.option("-o", "--output", type=click.Path(path_type=Path), required=True, help="The cfg to write.")
@click.option("--size", type=Size(), help="The size of an input that the file leaves open: 416, or WIDTHxHEIGHT.")
@replace_option
def command(model: Path, output: Path, size: tuple[int, int] | None, replace: bool) -> None:
    """Make a cfg and its weights of MODEL, an ONNX file of a network that Darknet has layers for.

    A node that a cfg has no words for is an error. The result is run beside the file on noise before it is written.
    Weights of other programs for a cfg that exists: `darknet-py weights import`.

    \b
    darknet-py export my.cfg -o model.onnx
    darknet-py import model.onnx -o again.cfg
    """
    from ..apps.importing.run import import_network

    echo(import_network(model, output, size=size, replace=replace).text())
