"""ONNX: what onnxruntime, OpenCV and most converters read."""

from __future__ import annotations

import warnings
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
    batch: int | None = None,
    boxes: str = "raw",
    half: bool = False,
    int8: str | Path | None = None,
    names: str | Path | None = None,
    letterbox: bool | None = None,
    threshold: float = CONF,
    iou: float = IOU,
    max_detections: int = 300,
    external: bool = False,
) -> tuple[str, ...]:
    """`export_onnx`; what its input and its output are, and what a half or int8 form loses."""
    from ..export import export_onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are among the sentences
        contract = export_onnx(
            network, path, batch=batch, boxes=boxes, half=half, int8=int8, names=names, letterbox=letterbox,
            threshold=threshold, iou=iou, max_detections=max_detections, external=external,
        )  # fmt: skip
    size = "x".join(map(str, contract.shape))
    said = f"input images {size}, {contract.resize}, boxes: {contract.boxes}"
    return (*lost_in_int8(contract), said, *contract.diagnostics)


def lost_in_int8(contract: Contract) -> tuple[str, ...]:
    """What the int8 form loses, in words."""
    if not contract.int8:
        return ()
    from ...analysis.quantize import Quantization

    return (str(Quantization.of(contract.int8)),)


def _contract(path: Path) -> Contract:
    from ...onnx.metadata import read_contract

    return read_contract(path)


FORMAT = Format("onnx", ".onnx", "ONNX", _write, contract=_contract, beside=(".onnx.data",), any_suffix=True)
