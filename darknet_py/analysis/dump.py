"""Every layer's output, under the keys `L000`, `L001` … that Darknet's reference outputs use.

Decision: arrays have no batch axis, and a sequence is a list of steps, so they compare with Darknet's one to one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from ..backends.session import initial_states, open_session
from ..errors import DataError
from ..files import reading, replacing
from ..ir import Graph

Layers = dict[str, np.ndarray]


def read_array(path: str | Path) -> np.ndarray:
    """The array of a .npy file as float32. Raises `DataError`."""
    try:
        with reading(path) as file:
            array = np.load(file, allow_pickle=False)
    except OSError as e:
        raise DataError(f"cannot read {path}: {e.strerror or e}") from None
    except (ValueError, EOFError, MemoryError) as e:
        raise DataError(f"{path} is no .npy file: {e}") from None
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiub":
        raise DataError(f"{path} does not hold an array of numbers")
    return array.astype(np.float32)


def is_sequence(graph: Graph, image: np.ndarray) -> bool:
    """Whether an input is a sequence of steps: it has one axis too many, and not just one sample on it."""
    extra = image.ndim == len(graph.image.shape) + 1
    return extra and (len(image) != 1 or bool(graph.states))


def step_count(graph: Graph, image: np.ndarray) -> int:
    """How many steps an input has, which is one where it is no sequence."""
    return len(image) if image.ndim == len(graph.image.shape) + 1 else 1


def dump_layers(graph: Graph, image: np.ndarray, backend: str = "numpy", **options: object) -> Iterator[Layers]:
    """The outputs of all layers, step by step; layer 17 is `L017`, in its own shape without a batch axis.

    `image` is one input ((c, h, w), in the network's own range) or a sequence of them with an axis in front, through
    which recurrent layers keep their state. Raises `DataError` if it does not fit the network.
    """
    shape = graph.image.shape
    frames = image if image.ndim == len(shape) + 1 else image[None]
    if frames.shape[1:] != shape:
        raise DataError(f"the network wants an input of {_text(shape)}, not {_text(image.shape)}")
    values = list(dict.fromkeys(i.output for i in graph.layers))
    if backend == "numpy":  # the only one that can round as Darknet does
        options = {"exact": True, **options}
    session = open_session(graph.with_outputs(values), backend, **options)
    states = initial_states(graph)
    for frame in frames:
        results = session.run([frame[None], *states])
        states = results[len(values) :]
        outputs = dict(zip(values, results, strict=False))
        yield {f"L{i.index:03d}": outputs[i.output][0] for i in graph.layers}


def write_npz(path: str | Path, arrays: Mapping[str, np.ndarray], *, replace: bool = False) -> None:
    """Write arrays as .npz; the file appears whole or not at all.

    Raises `DataError` where there is a file that this package did not write, unless `replace`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path, replace=replace) as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle


def _text(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "one number"
