"""TorchScript: a network that PyTorch runs, in C++ too, without this package."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from ...contract.told import to_text
from ...files import check_room
from ..archives import contract_in
from ..options import SAID, ExportOptions
from . import Format

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...darknet.network import Network

CODE = 1 << 13  # bytes, and some more than that, of the code of an operation


def write_torch(function: str, network: Network, path: Path, options: ExportOptions) -> tuple[str, ...]:
    """The optimized graph, by a function of `backends.torch.file`; what goes in and comes out."""
    from ...backends.torch import file
    from ...passes import passes_for
    from ..export import finished, placing, said_of

    program = finished(network, passes_for("torch"), options)
    writer: Callable[..., None] = getattr(file, function)
    with placing(path) as place:
        size = sum(array.nbytes for array in program.graph.data.values())
        check_room(place, size + CODE * len(program.graph.ops))
        writer(program.graph, place, to_text(program.contract))
    return said_of(program.contract)


FORMAT = Format(
    "torchscript", ".torchscript", "TorchScript", partial(write_torch, "write_torchscript"), (*SAID, "boxes"),
    contract=contract_in, written_by="torch",
)  # fmt: skip
