"""An engine in a process of its own, which runs a network when it is told to and answers with the seconds.

Decision: OpenCV 4 and OpenCV 5 cannot be loaded together, and the threads of one engine that wait for work disturb the
next one; so every engine has its process, and all but one sleep. A line in, a line of JSON out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from darknet_py.backends.session import Session, open_session
from darknet_py.compiler import compile_file
from darknet_py.find import find_network
from darknet_py.ir import Graph
from darknet_py.weights import random_weights

SEED = 0
# The time of the process is the time of the wall on a quiet machine with one thread, and does not see a noisy one.
CLOCKS = {"wall": time.perf_counter, "process": time.process_time}
SETTLE = 1  # calls before each one that is timed: caches are filled, and the engine before has gone to sleep


@dataclass(frozen=True)
class Job:
    """A network (the name of an installed cfg) at an input size."""

    cfg: str
    size: int


def open_graph(job: Job) -> Graph:
    """The network with seeded random weights."""
    graph = compile_file(find_network(f"{job.cfg}.cfg").cfg, size=(job.size, job.size)).check().graph
    return graph.with_data(random_weights(graph, SEED).arrays)


def random_image(graph: Graph) -> np.ndarray:
    """The seeded image that all engines get."""
    return np.random.default_rng(SEED).random((1, *graph.image.shape), np.float32)


class Worker:
    """The parent's end: `outputs` of every network by name, and `seconds` of a run."""

    def __init__(
        self, backend: str, jobs: Sequence[Job], threads: int, clock: str, folder: Path, opencv: Path | None = None
    ) -> None:
        paths = [str(p) for p in (opencv, *map(Path, sys.path)) if p and str(p) != "."]
        command = [sys.executable, "-m", __name__, backend, str(threads), clock, str(folder)]
        command += [f"{job.cfg}:{job.size}" for job in jobs]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        )
        self.version: str = self._answer()["version"]
        self.outputs: dict[str, list[np.ndarray]] = {}
        for job in jobs:
            with np.load(folder / f"{job.cfg}.npz") as arrays:
                self.outputs[job.cfg] = [arrays[k] for k in arrays.files]

    def seconds(self, cfg: str) -> float:
        """Run a network; the seconds that it took."""
        return float(self._ask("time", cfg)["seconds"])

    def profile(self, cfg: str) -> dict[str, float]:
        """Run a network; the seconds of each of OpenCV's layers. Empty for other engines."""
        return dict(self._ask("profile", cfg)["seconds"])

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, what: str, cfg: str) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(f"{what} {cfg}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the process of an engine ended with {self._process.wait()}")
        return dict(json.loads(line))


def serve(
    backend: str, jobs: Sequence[Job], threads: int, clock: str, folder: Path, stdin: IO[str], stdout: IO[str]
) -> None:
    """The worker's end."""
    sessions: dict[str, tuple[Session, np.ndarray]] = {}
    for job in jobs:
        graph = open_graph(job)
        session, image = open_session(graph, backend, threads=threads), random_image(graph)
        np.savez(folder / f"{job.cfg}.npz", *session.run([image]))
        sessions[job.cfg] = session, image
    now = CLOCKS[clock]
    print(json.dumps({"version": version(backend)}), file=stdout, flush=True)
    for line in stdin:
        what, cfg = line.split()
        session, image = sessions[cfg]
        for _ in range(SETTLE):
            session.run([image])
        start = now()
        session.run([image])
        taken: Any = now() - start
        if what == "profile":
            profile = getattr(session, "profile", dict)
            taken = profile()
        print(json.dumps({"seconds": taken}), file=stdout, flush=True)


def version(backend: str) -> str:
    """The name and version of an engine, for people."""
    if backend == "opencv":
        import cv2

        return f"OpenCV {cv2.__version__}"
    import onnxruntime

    return f"onnxruntime {onnxruntime.__version__}"


if __name__ == "__main__":
    own, count, which, where, *rest = sys.argv[1:]
    named = [Job(name, int(size)) for name, size in (text.split(":") for text in rest)]
    serve(own, named, int(count), which, Path(where), sys.stdin, sys.stdout)
