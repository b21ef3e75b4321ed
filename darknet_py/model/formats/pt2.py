"""An exported program of PyTorch (`torch.export`): its graph of ATen operations, for compilers and ExecuTorch too."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...contract.thresholds import CONF, IOU
from . import Format
from .torchscript import FORMAT as TORCHSCRIPT
from .torchscript import write_torch

if TYPE_CHECKING:
    from ...darknet.network import Network


def _write(
    network: Network,
    path: Path,
    *,
    boxes: str = "raw",
    names: str | Path | None = None,
    letterbox: bool | None = None,
    threshold: float = CONF,
    iou: float = IOU,
) -> tuple[str, ...]:
    """The optimized graph, exported."""
    return write_torch("write_pt2", network, path, boxes, names, letterbox, threshold, iou)


FORMAT = Format("pt2", ".pt2", "an exported program of PyTorch", _write, contract=TORCHSCRIPT.contract, also=("torch",))
