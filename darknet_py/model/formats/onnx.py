"""ONNX: what onnxruntime, OpenCV and most converters read."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from ..options import SAID, ExportOptions
from . import Format

if TYPE_CHECKING:
    from ...contract.contract import Contract
    from ...darknet.network import Network


def _write(network: Network, path: Path, options: ExportOptions, *, external: bool = False) -> tuple[str, ...]:
    """`export_onnx`; what its input and its output are, and what a half or int8 form loses."""
    from ..export import said_of, save_as_onnx

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they are among the sentences
        contract = save_as_onnx(network, path, options, external=external)
    return said_of(contract)


def _contract(path: Path) -> Contract:
    from ...onnx.metadata import read_contract

    return read_contract(path)


OPTIONS = (*SAID, "boxes", "batch", "half", "int8", "max_detections", "external")
FORMAT = Format(
    "onnx", ".onnx", "ONNX", _write, OPTIONS, contract=_contract, beside=(".onnx.data",), any_suffix=True
)  # fmt: skip
