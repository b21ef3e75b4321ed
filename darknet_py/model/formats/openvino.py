"""OpenVINO: NAME.xml, with what the network is, and NAME.bin, with its weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...backends.backend import DEFAULT, find_backend
from ...backends.precision import INT8, Precision
from ...contract.told import from_text, to_text
from ...errors import DataError
from ..options import ExportOptions
from . import Format
from .onnx import FORMAT as ONNX

if TYPE_CHECKING:
    from ...contract.contract import Contract
    from ...darknet.network import Network

OPENVINO = "openvino"
# Where OpenVINO keeps what a file says of itself, as the elements of its .xml have it.
ENTRY = "./rt_info/darknet/contract"
SOURCE = "source.onnx"  # what OpenVINO reads, with arrays beside it that it maps instead of copying


def _write(network: Network, path: Path, options: ExportOptions) -> tuple[str, ...]:
    """The ONNX of the network, read and saved by OpenVINO; `half` stores weights in float16."""
    from ...backends.openvino.file import write_ir
    from ...onnx.operators import mish_of_softplus
    from ...passes import optimize
    from ..export import beyond_half, exported_of, placing, said_of

    if options.boxes == "tensorrt":
        raise DataError("boxes=tensorrt is for TensorRT alone: nms or padded is for OpenVINO")
    # What OpenVINO has no 8 bits for here, it may have elsewhere; then the way of the default is what is known of it.
    backend = DEFAULT if Precision(INT8).find_lack(find_backend(OPENVINO)) else OPENVINO
    emitters = {"mish": mish_of_softplus}
    exported = exported_of(network, replace(options, half=False), emitters=emitters, backend=backend)
    contract = replace(exported.contract, half=options.half)
    with placing(path, ".bin") as place:
        source = place.with_name(SOURCE)
        exported.save(source, external=True)
        del exported  # and its arrays: OpenVINO has its own from here
        write_ir(source, place, to_text(contract), half=options.half)
    return (*said_of(contract), *(beyond_half(optimize(network.graph)) if options.half else ()))


def _contract(path: Path) -> Contract:
    """What the .xml says of itself, read without OpenVINO."""
    import xml.etree.ElementTree as ET

    from ...files import reading

    try:
        with reading(path) as file:
            entry = ET.parse(file).getroot().find(ENTRY)
    except (ET.ParseError, ValueError) as e:
        raise DataError(f"{path} is no file of OpenVINO: {e}") from None
    return from_text(entry.get("value", "") if entry is not None else "{}", path)


OPTIONS = tuple(name for name in ONNX.options if name != "external")
FORMAT = Format(
    OPENVINO, ".xml", "OpenVINO", _write, OPTIONS, contract=_contract, beside=(".bin",), written_by=OPENVINO
)  # fmt: skip
