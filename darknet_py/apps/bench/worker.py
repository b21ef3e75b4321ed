"""The contestant that is this package: a network in one back end, or one of the machine's peaks.

Run as `python -m darknet_py.apps.bench.worker`; `process.Side` is the other end.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ...backends.backend import AUTO, find_backend
from ...backends.precision import F32
from ...contract.thresholds import CONF, IOU, RANDOM_CONF
from ...model.model import Model
from ...model.opening import load
from .peaks import PEAKS
from .process import peak_memory, seconds, serve_pipes
from .profile import profile


class Contestant:
    """What a process of this package can be asked: the names of the methods are the requests."""

    def __init__(self) -> None:
        self._model: Model | None = None
        self._input: np.ndarray = np.zeros(0)
        self._photo: np.ndarray = np.zeros(0)
        self._outputs: list[np.ndarray] = []
        self._conf = CONF
        self._peaks: dict[str, Any] = {}

    def open(
        self, cfg: str, weights: str | None, backend: str, threads: int, folder: str, **options: Any
    ) -> dict[str, Any]:
        """Open a network, run it once, and leave its outputs as `outputs.npz` in `folder`.

        `input.npy` (1, c, h, w) and, for detecting, `photo.npy` (h, w, 3) uint8 BGR are what it gets.
        """
        options |= _threads(backend, threads)
        self._conf = CONF if options.get("random_weights") is None else RANDOM_CONF
        start = time.perf_counter()
        self._model = load(cfg, weights, backend, **options)
        opened = time.perf_counter() - start
        self._input, self._photo = (np.load(Path(folder).parent / f"{name}.npy") for name in ("input", "photo"))
        self._outputs = self._model.run(self._input)
        np.savez(Path(folder, "outputs.npz"), *self._model.forward(self._input))
        return {"seconds": opened, "version": version(backend), "precision": options.get("precision", F32)}

    def network(self) -> dict[str, Any]:
        """The network alone."""
        return {"seconds": seconds(lambda: self._opened.run(self._input))}

    def detect(self) -> dict[str, Any]:
        """From the pixels of a photo to what is on it."""
        found: list[Any] = []
        taken = seconds(lambda: found.append(self._opened(self._photo, self._conf, IOU)[0]))
        return {"seconds": taken, "found": len(found[-1].boxes)}

    def decode(self) -> dict[str, Any]:
        """From the outputs of the network to boxes."""
        contract, size = self._opened.contract, self._photo.shape[:2]
        outputs = contract.sample(self._outputs, 0)
        if not contract.decoders:
            return {"seconds": 0.0}
        decode = partial(contract.decode, outputs, (size[0], size[1]), threshold=self._conf, iou=IOU)
        return {"seconds": seconds(decode)}

    def layers(self, cfg: str, weights: str | None, backend: str, threads: int, folder: str, **options: Any) -> Any:
        """Seconds of each node of the engine, by its name; instead of `open`, because a trace slows an engine down."""
        options |= _threads(backend, threads)
        image = np.load(Path(folder).parent / "input.npy")
        found = profile(backend, lambda: load(cfg, weights, backend, **options), lambda model: model.forward(image))
        return {"seconds": found}

    def peak(self, name: str, threads: int) -> dict[str, Any]:
        """One of the machine's peaks."""
        if name not in self._peaks:
            self._peaks[name] = PEAKS[name][0](threads)
        return {"seconds": seconds(self._peaks[name])}

    def memory(self) -> dict[str, Any]:
        """The most bytes that this process had."""
        return {"bytes": peak_memory()}

    @property
    def _opened(self) -> Model:
        assert self._model is not None, "nothing is open"
        return self._model


def version(backend: str) -> str:
    """The name and version of an engine, for people; `auto` is several."""
    known = find_backend(backend)
    if known is AUTO:
        return known.title
    return f"{known.title} {import_module(known.package).__version__.split('-')[0]}"


def _threads(backend: str, count: int) -> dict[str, int]:
    """The option of a back end for its threads. Who has none follows the environment of the process."""
    return {} if find_backend(backend).threads == "none" else {"threads": count}


def handlers(contestant: object) -> Mapping[str, Any]:
    """The public methods of an object."""
    return {name: getattr(contestant, name) for name in dir(contestant) if not name.startswith("_")}


if __name__ == "__main__":
    serve_pipes(handlers(Contestant()))
