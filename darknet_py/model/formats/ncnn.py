"""ncnn: NAME.param with the layers, NAME.bin with their weights, and NAME.json with what goes in and comes out.

Decision: written from the graph, not through a converter. What ncnn has no layer for is an error that names it, while
the back end `ncnn` computes that in NumPy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...contract.told import from_text, to_text
from ...errors import BackendError
from ...files import read_at_most
from ..options import SAID, ExportOptions
from . import Format

if TYPE_CHECKING:
    from ...contract.contract import Contract
    from ...contract.program import Program
    from ...darknet.network import Network

TOLD = ".json"
MOST = 1 << 24  # bytes of what a file says of itself


def _write(network: Network, path: Path, options: ExportOptions) -> tuple[str, ...]:
    """The layers, the weights and the contract; `half` stores weights in float16."""
    from ...backends.ncnn.writer import Writer
    from ...passes import passes_for
    from ..export import finished, placing, said_of

    program = finished(network, passes_for("ncnn"), options)
    _check(program)
    graph, contract = program.graph, program.contract
    written = Writer(graph.ops, graph.roots, graph.data, half=options.half)
    given = dict(zip((written.inputs.get(v, "") for v in graph.inputs), (v.name for v in graph.inputs), strict=True))
    results = dict(zip(written.results, contract.results, strict=True))
    with placing(path, ".bin", TOLD) as place:
        place.write_text(written.text(given | results), encoding="utf-8")
        with place.with_suffix(".bin").open("wb") as file:
            file.writelines(written.arrays)
        place.with_suffix(TOLD).write_text(to_text(contract), encoding="utf-8")
    return said_of(contract)


def _check(program: Program) -> None:
    """Raise `BackendError` for the first operation that ncnn has no layers for."""
    from ...backends.ncnn.writer import lack_for

    graph = program.graph
    for op in graph.ops:
        if lack := lack_for(op):
            info = graph.layer(op.layer)
            raise BackendError(
                f"layer {info.index} [{info.section}] cannot be written: {lack} ({op.output})\n  "
                "hint: `darknet-py run --backend ncnn` computes that part in NumPy"
            )


def _contract(path: Path) -> Contract:
    told = path.with_suffix(TOLD)
    return from_text(read_at_most(told, MOST), told)


OPTIONS = (*SAID, "boxes", "half")
FORMAT = Format("ncnn", ".param", "ncnn", _write, OPTIONS, contract=_contract, beside=(".bin", TOLD))
