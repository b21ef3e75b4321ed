"""Darknet: a cfg and its weights as AlexeyAB's program reads them, with the names of the classes beside them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import DataError
from ...files import check_output, read_whole, write_whole
from . import Format

if TYPE_CHECKING:
    from ...darknet.network import Network


def _write(
    network: Network,
    path: Path,
    *,
    replace: bool = False,
    fold: bool = False,
    layers: int | None = None,
    names: str | Path | None = None,
    letterbox: bool | None = None,
) -> tuple[str, ...]:
    """`path`, and beside it NAME.weights and NAME.names; `fold` and `layers` are those of `in_darknet`."""
    from ...darknet.layers.heads.tree import MAX_BYTES
    from ...darknet.weights import write_weights
    from ...darknet.writing import in_darknet

    if path.suffix != FORMAT.suffix:
        raise DataError(f"{path}: Darknet's weights are found by the name of a cfg that ends in {FORMAT.suffix}")
    contract = network.program(names, letterbox).contract
    written = in_darknet(network, letterbox=contract.letterbox, fold=fold, layers=layers)
    graph = written.compilation.graph
    texts = {path: written.text.encode()}
    texts |= {path.with_name(name): read_whole(own, MAX_BYTES, "tree") for name, own in written.files.items()}
    if contract.names and contract.names != tuple(map(str, range(len(contract.names)))) and layers is None:
        texts[path.with_suffix(".names")] = "".join(f"{name}\n" for name in contract.names).encode()
    weights = path.with_suffix(".weights")
    for name, own in written.files.items():
        if path.with_name(name).resolve() == own.resolve():  # it lies there already
            del texts[path.with_name(name)]
    for place in (*texts, *((weights,) if graph.params else ())):
        check_output(place, replace=replace)
    if graph.params:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_weights(weights, graph, written.weights, replace=replace)
    for place, data in texts.items():
        write_whole(place, data, replace=replace)
    told = [f"{place.name}: {len(data):,} bytes" for place, data in texts.items()]
    return (*told, f"{weights.name}: {weights.stat().st_size:,} bytes") if graph.params else tuple(told)


FORMAT = Format("darknet", ".cfg", "Darknet", _write)
