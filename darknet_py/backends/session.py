"""What every executor offers: a compiled graph that maps arrays to arrays.

Decision: a back end is one function `Graph → Session`. Heavy imports live inside it, so a runtime that is not installed
costs nothing until it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Protocol

import numpy as np

from ..errors import BackendError, did_you_mean
from ..ir.graph import Graph

# The module of each back end, which has a function `open_session(graph, **options)`.
BACKENDS = {
    "numpy": "numpy",
    "onnxruntime": "onnxruntime",
    "opencv": "opencv",
    "onnx.reference": "onnx_reference",
}


class Session(Protocol):
    """A network ready to run: takes `graph.inputs`, gives `graph.outputs`, both with a batch axis in front."""

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One step of the network; float32 in, float32 out."""
        ...


def open_session(graph: Graph, backend: str = "onnxruntime", **options: object) -> Session:
    """Open `graph`, which must have its parameters loaded, in a back end.

    Raises `BackendError` if the back end is unknown, not installed, or refuses the network.
    """
    if backend not in BACKENDS:
        hint = did_you_mean(backend, BACKENDS) or f"one of {', '.join(BACKENDS)}"
        raise BackendError(f"no back end {backend!r}; {hint}")
    try:
        module = import_module(f"{__package__}.{BACKENDS[backend]}")
    except ModuleNotFoundError as e:
        raise BackendError(f"the back end {backend!r} needs the package {e.name!r}, which is not installed") from None
    opener: Callable[..., Session] = module.open_session
    return opener(graph, **options)
