"""LiteRT (TensorFlow Lite), for phones and boards: NAME.tflite, one picture at a time, its channels last."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...contract.thresholds import CONF, IOU
from . import Format

if TYPE_CHECKING:
    from ...contract.contract import Contract
    from ...darknet.network import Network


def _write(
    network: Network,
    path: Path,
    *,
    boxes: str = "raw",
    half: bool = False,
    names: str | Path | None = None,
    letterbox: bool | None = None,
    threshold: float = CONF,
    iou: float = IOU,
) -> tuple[str, ...]:
    """The graph, and the contract in an archive at the end of the file, where TensorFlow Lite keeps what goes with it."""
    from ...backends.litert.file import to_tflite
    from ...passes import passes_for
    from ..archives import append
    from ..export import finished, placing

    program = finished(
        network, passes_for("litert"), boxes=boxes, names=names, letterbox=letterbox, batch=1, half=half,
        threshold=threshold, iou=iou,
    )  # fmt: skip
    contract = program.contract
    taken = (*contract.outputs, *(s.output for s in contract.states))
    model, _ = to_tflite(program.graph, taken, half=half)
    with placing(path) as place:
        place.write_bytes(model)
        append(place, contract)
    size = "x".join(map(str, (*contract.shape[1:], contract.shape[0])))
    return (f"input {size}, channels last, {contract.resize}, boxes: {contract.boxes}", *contract.diagnostics)


def _contract(path: Path) -> Contract:
    from ..archives import contract_in

    return contract_in(path)


FORMAT = Format("litert", ".tflite", "LiteRT", _write, contract=_contract)
