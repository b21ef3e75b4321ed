"""`darknet-py summary`: the table of layers that Darknet prints when it loads a network, and what each layer costs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .options import DIALECTS, Size, echo, given_in, message, show, write_json

if TYPE_CHECKING:
    from ..analysis.cost import LayerCost, NetworkCost
    from ..analysis.summary import Summary

PLACE = ("Look into a network", 1)

_OF_CFGS = ("costs", "sort", "as_csv", "size", "dialect", "as_darknet")  # what an ONNX file cannot answer
SORTABLE = """
    params_file params_trained params_conv macs bflops_paper bflops_darknet cio access access_bound output live
""".split()


@click.command("summary")
@click.argument("cfg")
@click.option("--costs", is_flag=True, help="The table of costs: parameters, BFLOPs, memory of each layer.")
@click.option("--sort", type=click.Choice(SORTABLE), help="The table of costs, the dearest layers first.")
@click.option("--csv", "as_csv", is_flag=True, help="The table of costs as CSV.")
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON.")
@click.option("--size", type=Size(), help="Input size instead of the cfg's: 416, or WIDTHxHEIGHT.")
@click.option("--dialect", type=click.Choice(DIALECTS), help="Whose Darknet the cfg is for (default: inferred).")
@click.option("--as-darknet", is_flag=True, help="Read what Darknet misreads silently as Darknet does.")
@click.pass_context
def command(
    ctx: click.Context, cfg: str, costs: bool, sort: str | None, as_csv: bool, as_json: bool,
    size: tuple[int, int] | None, dialect: str | None, as_darknet: bool,
) -> None:  # fmt: skip
    """Print the table of layers: sizes and cost.

    For each layer its filters, window, input, output and BFLOPs as Darknet prints them, then the totals: memory access
    of convolutions beside its lower bound, activations that live at once, and how many pixels a cell of each head
    sees. Needs no weights. Of a cfg with errors, the layers that could be built are printed, and the exit status is 1.
    Of a file that `darknet-py export` wrote: what goes in and what comes out.

    \b
    darknet-py summary yolov4-tiny.cfg
    darknet-py summary yolov4-tiny.cfg --size 608 --sort bflops_paper
    darknet-py summary my.onnx
    """
    from ..analysis.cost import cost, table
    from ..analysis.summary import describe_contract, summarize
    from ..darknet.compile import compile_file
    from ..model.formats import find_exported
    from ..zoo.find import find_cfg

    written = find_exported(Path(cfg)) if Path(cfg).exists() else None
    if written and written[0].contract is not None:
        given = given_in(ctx)
        if used := [name for name in _OF_CFGS if name in given]:
            raise click.UsageError(f"{cfg} is a finished network, and {used[0]!r} is asked of its cfg", ctx)
        contract = written[0].contract(written[1])
        return write_json(contract.to_dict()) if as_json else echo(describe_contract(contract))
    compilation = compile_file(find_cfg(cfg, message), dialect=dialect, size=size, as_darknet=as_darknet)
    show(compilation.diagnostics)
    if compilation.errors and not compilation.graph.layers and not as_json:
        ctx.exit(1)  # a table of nothing says nothing
    summary = summarize(compilation)
    total = None if compilation.errors else cost(compilation.graph)
    if as_json:
        write_json(_json(summary, total))
    elif total and as_csv:
        echo(_csv(total, total.sorted(sort) if sort else total.layers), nl=False)
    elif total and (sort or costs):
        echo(f"{table(total.sorted(sort) if sort else total.layers)}\n{total.text()}")
    else:
        echo(summary.format_table() + (f"\n{total.text()}" if total else ""))
    ctx.exit(1 if compilation.errors else 0)
    return None


def _json(summary: Summary, total: NetworkCost | None) -> dict[str, Any]:
    data = summary.to_json()
    if total is None:
        return data
    for layer, own in zip(data["layers"], total.layers, strict=True):
        layer.update({column: getattr(own, column) for column in SORTABLE})
    seen = [field.to_json() for field in total.fields]
    return {**data, **total.totals(), "peak_layer": total.peak_layer, "fields": seen}


def _csv(total: NetworkCost, layers: Iterable[LayerCost]) -> str:
    import csv
    import io

    out = io.StringIO()
    seen = {field.layer: str(field) for field in total.fields}
    rows = [{**asdict(layer), "field": seen.get(layer.name, "")} for layer in layers]
    writer = csv.DictWriter(out, ["name", *SORTABLE, "field"], extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()
