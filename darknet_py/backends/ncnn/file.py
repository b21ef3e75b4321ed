"""ncnn's own files, NAME.param and NAME.bin, and NAME.json: ncnn's have no place for what we say of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Lock

import ncnn
import numpy as np

from ...contract.told import from_text
from ...errors import BackendError
from ...files import check_file, read_at_most
from .session import configured

TOLD = ".json"
MOST = 1 << 24  # bytes of what a file says of itself


class NcnnFileSession:
    """A file in ncnn; samples of a batch are computed one after another."""

    def __init__(self, path: Path, threads: int | None, winograd: bool) -> None:
        told = path.with_suffix(TOLD)
        contract = from_text(read_at_most(told, MOST), told)
        self._inputs = [contract.input, *(s.input for s in contract.states)]
        self._outputs = contract.results
        self._lock = Lock()  # as in `session`
        self._net = configured(ncnn.Net(), threads, winograd)
        arrays = path.with_suffix(".bin")
        check_file(arrays, "file of weights")
        if self._net.load_param(str(path)) or self._net.load_model(str(arrays)):
            raise BackendError(f"ncnn refuses {path}")

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        with self._lock:
            samples = [self._sample([x[i] for x in inputs]) for i in range(len(inputs[0]))]
        return [np.stack(arrays) for arrays in zip(*samples, strict=True)]

    def _sample(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        extractor = self._net.create_extractor()
        for name, array in zip(self._inputs, inputs, strict=True):
            plain = np.ascontiguousarray(array, np.float32)  # has a name: a Mat keeps no array alive
            if extractor.input(name, ncnn.Mat(plain).clone()):
                raise BackendError(f"the file has no input {name!r}")
        found = []
        for name in self._outputs:
            failed, mat = extractor.extract(name)
            if failed:
                raise BackendError(f"ncnn gives no output {name!r}")
            found.append(np.array(mat))
        return found
