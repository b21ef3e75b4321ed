"""PyTorch, the extra `[torch]`, as a back end like the others: the module of an optimized graph, in evaluation mode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from ...errors import BackendError
from ...ir.graph import Graph
from ...onnx.operators import feed, need_weights
from ...passes import optimize, passes_for
from ..device import CPU, Device, needs
from ..session import Session
from . import BACKEND
from .module import GraphModule


class TorchSession:
    """A graph in PyTorch; it keeps nothing between runs, so threads share it without a lock."""

    def __init__(self, graph: Graph, device: torch.device) -> None:
        self._graph, self._device = graph, device
        self._module = GraphModule(graph).eval().requires_grad_(False).to(device)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        arrays = feed(self._graph, inputs).values()
        with torch.inference_mode():
            tensors = [torch.tensor(x, device=self._device) for x in arrays]
            results = self._module(*tensors)
        return [np.array(y.cpu().numpy(), np.float32, order="C") for y in results]


def open_session(graph: Graph, *, threads: int | None = None, device: Device | None = None) -> TorchSession:
    """PyTorch on a graph with its parameters loaded, on the processor unless a `device` is given.

    `threads` are those of the whole process. Raises `BackendError` for a device that is not to be had.
    """
    need_weights(graph)
    if threads is not None:
        torch.set_num_threads(threads)
    try:
        return TorchSession(optimize(graph, passes_for("torch")), device_of(device))
    except RuntimeError as e:
        raise BackendError(f"PyTorch refuses the network: {e}") from e


def open_file(path: Path, *, threads: int | None = None, device: Device | None = None) -> Session:
    """PyTorch on a TorchScript or an exported program; the options are those of `open_session`."""
    from .file import TorchFileSession

    if threads is not None:
        torch.set_num_threads(threads)
    return TorchFileSession(path, device_of(device))


def device_of(device: Device | None) -> torch.device:
    """PyTorch's device. Raises `BackendError` if it has none of that name."""
    if device is None or device.kind == CPU:
        return torch.device("cpu")
    if device.kind not in BACKEND.devices:
        raise BackendError(f"PyTorch has no device {device}\n  hint: {', '.join((CPU, *BACKEND.devices))}, cuda:1")
    count = torch.cuda.device_count() if device.kind == "cuda" else int(torch.backends.mps.is_available())
    if device.number >= count:
        raise needs(device, BACKEND, f"PyTorch {torch.__version__} finds {count or 'none'} of that kind here")
    return torch.device(device.kind, device.number)
