"""What every executor offers: a compiled graph that maps arrays to arrays.

Decision: a back end is one function `Graph → Session`. Heavy imports live inside it, so a runtime that is not installed
costs nothing until it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import BackendError, did_you_mean

if TYPE_CHECKING:
    from ..ir.graph import Graph

AUTO = "auto"  # the fastest of those installed, measured by `auto.py`; not a back end of its own
# The module of each back end, which has a function `open_session(graph, **options)`.
BACKENDS = {
    "numpy": "reference",
    "onnxruntime": "onnxruntime.session",
    "opencv": "opencv",
    "openvino": "openvino",
    "ncnn": "ncnn.session",
    "onnx.reference": "onnx_reference",
}
# The package of each back end that is not installed by default: an extra of its name.
EXTRAS = {"openvino": "openvino", "ncnn": "ncnn"}


class Session(Protocol):
    """A network ready to run: takes `graph.inputs`, gives `graph.roots`, both with a batch axis in front.

    A session remembers nothing between runs: the states of recurrent layers go in and come out. `run` may be called
    from any thread; a back end that can only do one thing at a time waits.
    """

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One step of the network; float32 in, float32 out."""
        ...


def available_backends() -> tuple[str, ...]:
    """The names of the back ends, without those that are extras and not installed."""
    return tuple(b for b in BACKENDS if b not in EXTRAS or find_spec(EXTRAS[b]))


def open_session(graph: Graph, backend: str = "onnxruntime", **options: object) -> Session:
    """Open `graph`, which must have its parameters loaded, in a back end, or in the fastest with "auto".

    Raises `BackendError` if the back end is unknown, not installed, or refuses the network.
    """
    opener: Callable[..., Session] = _module(backend).open_session
    return opener(graph, **options)


def open_file(path: str | Path, backend: str = "onnxruntime", **options: object) -> Session:
    """Open an ONNX file in a back end, or in the fastest with "auto".

    Raises `BackendError` if the back end is unknown, not installed, does not run ONNX files, or refuses this one.
    """
    opener: Callable[..., Session] | None = getattr(_module(backend), "open_file", None)
    if opener is None:
        raise BackendError(f"the back end {backend!r} does not run ONNX files; use {AUTO}, or onnxruntime")
    return opener(Path(path), **options)


def _module(backend: str) -> ModuleType:
    if backend not in (AUTO, *BACKENDS):
        hint = did_you_mean(backend, (AUTO, *BACKENDS)) or f"one of {AUTO}, {', '.join(BACKENDS)}"
        raise BackendError(f"no back end {backend!r}; {hint}")
    try:
        return import_module(f"{__package__}.{BACKENDS.get(backend, AUTO)}")
    except ModuleNotFoundError as e:
        hint = f": pip install 'darknet-compiler[{backend}]'" if backend in EXTRAS else ""
        raise BackendError(
            f"the back end {backend!r} needs the package {e.name!r}, which is not installed{hint}"
        ) from None
