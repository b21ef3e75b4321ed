"""Darknet: a cfg and its weights as AlexeyAB's program reads them, with the names of the classes beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ..options import ExportOptions
from . import Format

if TYPE_CHECKING:
    from ...darknet.network import Network


def _write(
    network: Network, path: Path, options: ExportOptions, *, fold: bool = False, layers: int | None = None
) -> tuple[str, ...]:
    """`path`, and beside it NAME.weights and NAME.names; `fold` and `layers` are those of `in_darknet`."""
    from ...darknet.writing import in_darknet, names_of, write_network

    letterboxed = network.program(options.names, options.letterbox).contract.letterbox
    written = in_darknet(network, letterbox=letterboxed, fold=fold, layers=layers)
    known = names_of(network, options.names) if layers is None else ()
    graph = written.compilation.graph
    return write_network(
        path, written.text, graph, written.weights, names=known, side=written.files, replace=options.replace
    )


def _agreement(network: Network, path: Path) -> str:
    """How a cfg that was written computes what the network does. Raises `BackendError` where it does not."""
    from ...darknet.dialects import ALEXEYAB
    from ...darknet.network import open_network
    from ..agreement import check_network

    return check_network(network, open_network(path, dialect=ALEXEYAB.name).graph)


OPTIONS = ("names", "letterbox", "fold", "layers")
FORMAT = Format("darknet", ".cfg", "Darknet", _write, OPTIONS, agreement=_agreement)
