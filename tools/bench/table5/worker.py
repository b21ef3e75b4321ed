"""An engine in a process of its own, with every network of the table open. Its other end is
`darknet_py.apps.bench.process`.

Decision: OpenCV 4 and OpenCV 5 cannot be loaded together, and the threads of one engine that wait for work disturb the
next one; so every engine has its process, and all but one sleep.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from darknet_py.apps.bench.process import seconds, serve_pipes
from darknet_py.apps.bench.worker import handlers, version
from darknet_py.backends.session import Session, open_session
from darknet_py.darknet.compile import compile_file
from darknet_py.darknet.weights import random_weights
from darknet_py.ir import Graph
from darknet_py.zoo.find import find_network

SEED = 0


@dataclass(frozen=True)
class Job:
    """A network (the name of an installed cfg) at an input size."""

    cfg: str
    size: int


def open_graph(job: Job) -> Graph:
    """The network with seeded random weights."""
    graph = compile_file(find_network(f"{job.cfg}.cfg").cfg, size=(job.size, job.size)).check().graph
    return graph.with_data(random_weights(graph, SEED).arrays)


class Contestant:
    """What the process of an engine can be asked: the names of the methods are the requests."""

    def __init__(self) -> None:
        self._opened: dict[str, tuple[Session, np.ndarray]] = {}

    def open(self, cfg: str, size: int, backend: str, threads: int, folder: str) -> dict[str, Any]:
        """Open a network, and leave what it gives for a seeded random image as `CFG.npz` in `folder`."""
        graph = open_graph(Job(cfg, size))
        image = np.random.default_rng(SEED).random((1, *graph.image.shape), np.float32)
        session = open_session(graph, backend, threads=threads)
        np.savez(Path(folder, f"{cfg}.npz"), *session.run([image]))
        self._opened[cfg] = session, image
        return {"version": version(backend)}

    def time(self, cfg: str) -> dict[str, Any]:
        """Seconds of a run."""
        session, image = self._opened[cfg]
        return {"seconds": seconds(lambda: session.run([image]))}

    def profile(self, cfg: str) -> dict[str, Any]:
        """Seconds of each of OpenCV's layers in a run."""
        session, image = self._opened[cfg]
        for _ in range(2):  # the first warms up
            session.run([image])
        return {"seconds": session.profile()}  # type: ignore[attr-defined]  # OpenCV's sessions have it


if __name__ == "__main__":
    serve_pipes(handlers(Contestant()))
