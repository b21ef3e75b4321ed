"""PyTorch's own files: a TorchScript (.torchscript) or an exported program (.pt2), with a text of ours in the archive.

Decision: both are made from the module that the back end runs, so nothing is computed in another way; whoever loads
them needs PyTorch and nothing of this package.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ...errors import BackendError
from ...ir.graph import Graph
from .module import GraphModule, as_array

ENTRY = "darknet.json"  # of the archive: what the file says of itself
PT2 = ".pt2"
SAMPLES = 2  # what is traced: with one, a batch of one would be all that it takes


def _examples(graph: Graph) -> tuple[torch.Tensor, ...]:
    return tuple(torch.zeros(SAMPLES, *v.shape) for v in graph.inputs)


class _Plain(torch.nn.Module):  # type: ignore[misc]  # PyTorch is not looked into
    """A graph's module with its outputs as a tuple, which is what both kinds of files hold; a single one as it is."""

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        # As constants: what was folded is not read any more, and the names of parameters begin with a digit.
        read = {v for op in graph.ops for v in op.inputs} | {*graph.roots}
        data = {v: array for v, array in graph.data.items() if v in read}
        self.network = GraphModule(replace(graph, params=(), data=data)).eval().requires_grad_(False)

    def forward(self, *inputs: torch.Tensor) -> Any:
        found = tuple(self.network(*inputs))
        return found if len(found) > 1 else found[0]


def write_torchscript(graph: Graph, path: Path, text: str) -> None:
    """Write a graph as TorchScript that takes any number of samples."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its end some day, and of numbers that are the same for every input
        traced = torch.jit.trace(_Plain(graph), _examples(graph), check_trace=False)
        torch.jit.save(traced, str(path), _extra_files={ENTRY: text})


def write_pt2(graph: Graph, path: Path, text: str) -> None:
    """Write a graph as an exported program that takes any number of samples."""
    shapes = (tuple({0: torch.export.Dim.AUTO} for _ in graph.inputs),)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.export.export(_Plain(graph), _examples(graph), dynamic_shapes=shapes)
        torch.export.save(program, str(path), extra_files={ENTRY: text})


class TorchFileSession:
    """A file in PyTorch; it keeps nothing between runs, so threads share it without a lock."""

    def __init__(self, path: Path, device: torch.device) -> None:
        self._device = device
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                if path.suffix.lower() == PT2:
                    self._module = torch.export.load(str(path)).module().to(device)
                else:
                    self._module = torch.jit.load(str(path), map_location=device)
        except Exception as e:  # PyTorch's own are of many kinds
            raise BackendError(f"PyTorch refuses {path}: {e}") from e

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        try:
            with torch.no_grad():
                tensors = [torch.tensor(np.asarray(x, np.float32), device=self._device) for x in inputs]
                found = self._module(*tensors)
        except RuntimeError as e:
            raise BackendError(f"PyTorch fails: {e}") from e
        return [as_array(y) for y in (found if isinstance(found, tuple | list) else (found,))]
