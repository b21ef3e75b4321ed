"""TorchScript: a network that PyTorch runs, in C++ too, without this package."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...contract.thresholds import CONF, IOU
from . import Format

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...contract.contract import Contract
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
    """The optimized graph, traced."""
    return write_torch("write_torchscript", network, path, boxes, names, letterbox, threshold, iou)


def write_torch(
    function: str,
    network: Network,
    path: Path,
    boxes: str,
    names: str | Path | None,
    letterbox: bool | None,
    threshold: float,
    iou: float,
) -> tuple[str, ...]:
    """A file that a function of `backends.torch.file` writes; what its input is."""
    from ...backends.backend import find_backend
    from ...contract.told import to_text
    from ...errors import BackendError
    from ...onnx.operators import need_weights
    from ...passes import passes_for
    from ..export import finished, placing

    backend = find_backend("torch")
    if not backend.installed:
        raise BackendError(f"PyTorch writes its files itself, and is not installed: pip install {backend.install}")
    from ...backends.torch import file

    need_weights(network.graph)
    program = finished(
        network, passes_for("torch"), boxes=boxes, names=names, letterbox=letterbox, threshold=threshold, iou=iou
    )
    contract = program.contract
    writer: Callable[..., None] = getattr(file, function)
    with placing(path) as place:
        writer(program.graph, place, to_text(contract))
    size = "x".join(map(str, contract.shape))
    return (f"input {size}, {contract.resize}, boxes: {contract.boxes}", *contract.diagnostics)


def _contract(path: Path) -> Contract:
    from ..archives import contract_in

    return contract_in(path)


FORMAT = Format("torchscript", ".torchscript", "TorchScript", _write, contract=_contract)
