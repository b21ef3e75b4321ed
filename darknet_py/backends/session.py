"""What every back end offers: a graph, or an exported file, made into a session that maps arrays to arrays.

Decision: a back end is one function `Graph → Session`, and one `Path → Session` where it reads files. They are imported
when they are called, so a runtime that is not installed costs nothing until it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ..errors import BackendError
from ..files import check_file
from .backend import AUTO, DEFAULT, Backend, find_backend, readers_of
from .device import choose

if TYPE_CHECKING:
    from ..ir.graph import Graph


class Session(Protocol):
    """A network ready to run: takes `graph.inputs`, gives `graph.outputs`, both with a batch axis in front.

    Sessions are safe to share: any thread may call `run` at any time. A back end that keeps something between the steps
    of a run, or for a batch size, guards it with a lock; runs of the same session then wait for each other.

    Sessions remember nothing. The states of a recurrent network are inputs after the image, and their new values are
    results after the outputs, in the same order; `initial_states` has those of the first step. Results are the
    caller's own: no later run writes into them.
    """

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """One step of the network; float32 in, float32 out. Raises `BackendError` where the back end fails."""
        ...


def open_session(graph: Graph, backend: str = DEFAULT, **options: object) -> Session:
    """Open `graph`, which must have its parameters loaded, in a back end, or in the fastest with "auto".

    `options` are those of the back end; `device`, as 'cpu' or 'cuda:0' (see `device.Device`), says where it computes.
    Raises `BackendError` if it is unknown, not installed, or refuses the network, and for a device that is not to be
    had.
    """
    backend, options = choose(backend, options)
    return _open(find_backend(backend), "open_session", graph, options)


def open_file(path: str | Path, backend: str = DEFAULT, **options: object) -> Session:
    """Open an exported file in a back end that reads such files, or, for ONNX, in the fastest of them with "auto".

    Where the default does not read them, it is the first that does. Raises `BackendError` as `open_session` does, and
    for a back end that does not read such files; `DataError` for what is no file.
    """
    backend, options = choose(backend, options)
    if find_backend(backend).reads:
        check_file(path, "file of a network")
    return _open(reader(Path(path), backend), "open_file", Path(path), options)


def reader(path: Path, backend: str = DEFAULT) -> Backend:
    """The back end that `open_file` takes for a file. Raises `BackendError` if that does not read such files."""
    suffix = path.suffix.lower()
    known, able = find_backend(backend), readers_of(suffix)
    if suffix in known.reads:
        return known
    if backend == DEFAULT and able:
        return next((b for b in able if b.installed), able[0])
    others = ", ".join(b.name for b in (AUTO, *able) if suffix in b.reads)
    kind = "ONNX" if suffix == ".onnx" else suffix
    use = others or "one that `darknet-py export` wrote"
    raise BackendError(f"the back end {backend!r} does not run {kind} files; use {use}")


def initial_states(graph: Graph, batch: int = 1) -> list[np.ndarray]:
    """What a recurrent network remembers before its first step, for a batch: zeros, one array for each state."""
    return [np.zeros((batch, *state.input.shape), np.float32) for state in graph.states]


def _open(backend: Backend, function: str, source: Graph | Path, options: Mapping[str, object]) -> Session:
    try:
        opener: Callable[..., Session] = getattr(import_module(backend.module), function)
        return opener(source, **options)
    except ModuleNotFoundError as e:
        raise BackendError(
            f"the back end {backend.name!r} needs the package {e.name!r}, which is not installed: "
            f"pip install {backend.install}"
        ) from None
