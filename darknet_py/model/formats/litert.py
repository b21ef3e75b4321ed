"""LiteRT (TensorFlow Lite), for phones and boards: NAME.tflite, one picture at a time, its channels last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import BackendError
from ..archives import append_contract, contract_in
from ..options import SAID, ExportOptions
from . import Format

if TYPE_CHECKING:
    from ...darknet.network import Network


def _write(network: Network, path: Path, options: ExportOptions) -> tuple[str, ...]:
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
    from ..export import finished, lost_in_int8, placing

    boxes = options.boxes or ("raw" if options.int8 is None else "input")
    program = finished(network, passes_for("litert"), replace(options, boxes=boxes, batch=1))
    contract = program.contract
    told: tuple[str, ...] = ()
    if options.int8 is None:
        model, _ = to_tflite(program.graph, contract.results, half=options.half)
    else:
        from ..eight import in_eight_bits

        model, contract, told = in_eight_bits(program, options.int8, options.say)
    with placing(path) as place:
        place.write_bytes(model)
        append_contract(place, contract)
    size = "x".join(map(str, (*contract.shape[1:], contract.shape[0])))
    said = f"input {size}, channels last, {contract.resize}, boxes: {contract.boxes}"
    return (said, *told, *lost_in_int8(contract), *contract.diagnostics)


OPTIONS = (*SAID, "boxes", "half", "int8")
FORMAT = Format("litert", ".tflite", "LiteRT", _write, OPTIONS, contract=contract_in, also=("tflite",))
