"""`darknet-py graph`: a picture of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .options import DIALECTS, Size, echo, message, replace_option, show

PLACE = ("Look into a network", 2)

FORMATS = {".svg": "svg", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid", ".mermaid": "mermaid"}


class Layers(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.5
    """`61-123`, or one number."""

    name = "FIRST-LAST"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """The first and the last layer."""
        first, _, last = value.partition("-")
        if not first.isdigit() or not (last or first).isdigit() or int(last or first) < int(first):
            self.fail(f"{value!r} is no range of layers such as 61-123", param, ctx)
        return int(first), int(last or first)


@click.command("graph")
@click.argument("cfg")
@click.option(
    "--format",
    "kind",
    type=click.Choice(("mermaid", "dot", "svg")),
    help="The language of the picture (default: by the ending of FILE, else mermaid).",
)
@click.option("--full", is_flag=True, help="Every layer, not blocks and stages.")
@click.option("--layers", type=Layers(), help="Only the blocks with these layers, such as 61-123, and what they read.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="The file to write (default: stdout).")
@replace_option
@click.option("--size", type=Size(), help="Input size instead of the cfg's: 416, or WIDTHxHEIGHT.")
@click.option("--dialect", type=click.Choice(DIALECTS), help="Whose Darknet the cfg is for (default: inferred).")
@click.option("--as-darknet", is_flag=True, help="Read what Darknet misreads silently as Darknet does.")
def command(
    cfg: str,
    kind: str | None,
    full: bool,
    layers: tuple[int, int] | None,
    output: Path | None,
    replace: bool,
    size: tuple[int, int] | None,
    dialect: str | None,
    as_darknet: bool,
) -> None:
    """Draw the network CFG: stages, blocks, and the ways between them.

    A box says its layers, what they are, their output (channels x height x width) and BFLOPs as the CSPNet paper counts
    them. Mermaid goes into Markdown, DOT into Graphviz; SVG needs neither.

    \b
    darknet-py graph csresnext50 -o csresnext50.svg
    darknet-py graph yolov3-csppelee-efm --format mermaid
    darknet-py graph csppelee --layers 61-123 -o stage3.svg
    """
    from ..analysis.drawing.drawing import draw
    from ..analysis.drawing.part import part_of
    from ..analysis.drawing.svg import to_svg
    from ..analysis.drawing.text import to_dot, to_mermaid
    from ..darknet.compile import compile_file
    from ..files import check_output, write_whole
    from ..zoo.find import find_cfg

    path = find_cfg(cfg, message)
    if output is not None:
        check_output(output, replace=replace, sources=[path])
    compilation = compile_file(path, dialect=dialect, size=size, as_darknet=as_darknet).check()
    show(compilation.diagnostics)
    chosen = kind or FORMATS.get(output.suffix.lower() if output else "", "mermaid")
    drawing = draw(compilation.graph, path.stem, full=full)
    if layers:
        count = len(compilation.graph.layers)
        if layers[1] >= count:
            raise click.UsageError(f"there is no layer {layers[1]}: {path.stem} has the layers 0 to {count - 1}")
        drawing = part_of(drawing, *layers)
    text = {"mermaid": to_mermaid, "dot": to_dot, "svg": to_svg}[chosen](drawing)
    if output is None:
        echo(text, nl=False)
        return
    write_whole(output, text.encode(), replace=replace, sources=[path])
    echo(output)
