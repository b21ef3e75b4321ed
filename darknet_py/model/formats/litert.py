"""LiteRT (TensorFlow Lite), for phones and boards: NAME.tflite, one picture at a time, its channels last."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...contract.thresholds import CONF, IOU
from ...errors import BackendError, DataError
from . import Format

if TYPE_CHECKING:
    from ...contract.contract import Contract
    from ...darknet.network import Network


def _write(
    network: Network,
    path: Path,
    *,
    boxes: str | None = None,
    half: bool = False,
    int8: str | Path | None = None,
    names: str | Path | None = None,
    letterbox: bool | None = None,
    threshold: float = CONF,
    iou: float = IOU,
) -> tuple[str, ...]:
    """The graph, and the contract in an archive at the end of the file, where TensorFlow Lite keeps what goes with it.

    With `int8` everything is in 8 bits, from the bytes of the picture to what the heads read; with `boxes` too the
    heads are in float32.
    """
    from importlib.util import find_spec

    from ...version import requirement

    if find_spec("flatbuffers") is None:
        raise BackendError(f"a .tflite file is written with flatbuffers: pip install {requirement('litert')}")
    from ...backends.litert.file import to_tflite
    from ...passes import passes_for
    from ..archives import append_contract
    from ..export import finished, placing

    if half and int8 is not None:
        raise DataError("half and int8 exclude each other")
    program = finished(
        network, passes_for("litert"), boxes=boxes or ("raw" if int8 is None else "input"), names=names,
        letterbox=letterbox, batch=1, half=half, threshold=threshold, iou=iou,
    )  # fmt: skip
    contract = program.contract
    told: tuple[str, ...] = ()
    if int8 is None:
        model, _ = to_tflite(program.graph, contract.results, half=half)
    else:
        from ..eight import in_eight_bits

        model, contract, told = in_eight_bits(network, program, int8)
    with placing(path) as place:
        place.write_bytes(model)
        append_contract(place, contract)
    size = "x".join(map(str, (*contract.shape[1:], contract.shape[0])))
    said = f"input {size}, channels last, {contract.resize}, boxes: {contract.boxes}"
    return (*told, said, *contract.diagnostics)


def _contract(path: Path) -> Contract:
    from ..archives import contract_in

    return contract_in(path)


FORMAT = Format("litert", ".tflite", "LiteRT", _write, contract=_contract, also=("tflite",))
