"""OpenVINO: NAME.xml, with what the network is, and NAME.bin, with its weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...contract.thresholds import CONF, IOU
from ...contract.told import from_text, to_text
from ...errors import BackendError, DataError
from . import Format
from .onnx import lost_in_int8

if TYPE_CHECKING:
    from ...contract.contract import Contract
    from ...darknet.network import Network

# Where OpenVINO keeps what a file says of itself, as the elements of its .xml have it.
ENTRY = "./rt_info/darknet/contract"
SOURCE = "source.onnx"  # what OpenVINO reads, with arrays beside it that it maps instead of copying


def _write(
    network: Network,
    path: Path,
    *,
    batch: int | None = None,
    boxes: str = "raw",
    half: bool = False,
    int8: str | Path | None = None,
    names: str | Path | None = None,
    letterbox: bool | None = None,
    threshold: float = CONF,
    iou: float = IOU,
    max_detections: int = 300,
) -> tuple[str, ...]:
    """The ONNX of the network, read and saved by OpenVINO; `half` stores weights in float16."""
    import dataclasses

    from ...backends.backend import find_backend
    from ...onnx.operators import mish_of_softplus
    from ...passes import optimize
    from ..export import beyond_half, exported_of, named, placing

    backend = find_backend("openvino")
    if not backend.installed:
        raise BackendError(f"OpenVINO writes its files itself, and is not installed: pip install {backend.install}")
    if boxes == "tensorrt":
        raise DataError("boxes=tensorrt is for TensorRT alone: nms or padded is for OpenVINO")
    if half and int8 is not None:
        raise DataError("half and int8 exclude each other")
    from ...backends.openvino.file import write_ir

    exported = exported_of(
        network, batch=batch, boxes=boxes, int8=int8, names=names, letterbox=letterbox, threshold=threshold, iou=iou,
        max_detections=max_detections, emitters={"mish": mish_of_softplus},
    )  # fmt: skip
    contract = dataclasses.replace(exported.contract, half=half)
    with placing(path, ".bin") as place:
        source = place.with_name(SOURCE)
        exported.save(source, external=True)
        write_ir(source, place, to_text(contract), half=half)
    size = "x".join(map(str, contract.shape))
    cut = beyond_half(optimize(named(network).graph)) if half else ()
    said = f"input images {size}, {contract.resize}, boxes: {contract.boxes}"
    return (*lost_in_int8(contract), said, *contract.diagnostics, *cut)


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


FORMAT = Format("openvino", ".xml", "OpenVINO", _write, contract=_contract, beside=(".bin",))
