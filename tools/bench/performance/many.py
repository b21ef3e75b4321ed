"""A thousand pictures from files to boxes, each contestant as a careful user of it would send them through.

Runs in the environments of the contestants: `python -m tools.bench.performance.many SENDER JOB`, where the job is a
JSON file of `prepare.py`. Each is opened first, and then sends the same files through in turns.

Decision: others get the means that their makers recommend for throughput (OpenVINO its AsyncInferQueue, onnxruntime a
pool of processes with a thread each) and a plain loop, as most programs have it, is there as well.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

from darknet_py.apps.bench.process import serve_pipes

from .foreign import Job, OnnxRuntime, boxes_of

CHUNK = 4  # pictures that a process of a pool is given at a time


class Sender(Protocol):
    """Who sends pictures through a network."""

    def send(self, files: Sequence[str]) -> int:
        """The number of boxes in all pictures."""
        ...


class Ours:
    """Ours, left to find out how."""

    def __init__(self, job: Job, backend: str) -> None:
        from darknet_py import load

        self._model = load(job["cfg"], job["weights"], backend)

    def send(self, files: Sequence[str]) -> int:
        """Boxes in all files."""
        return sum(len(one.boxes) for one in self._model((file for file in files), workers="auto"))


class OneByOne:
    """Ours on one thread, one thing after the other: the processor seconds that all stages take together."""

    def __init__(self, job: Job, backend: str) -> None:
        from darknet_py import load

        import_module("cv2").setNumThreads(1)
        self._model = load(job["cfg"], job["weights"], backend, threads=1)

    def send(self, files: Sequence[str]) -> int:
        """Boxes in all files."""
        return sum(len(one.boxes) for one in self._model(file for file in files))


class Loop:
    """A loop over the pictures: read, prepare, network on all cores, boxes."""

    def __init__(self, job: Job) -> None:
        self._engine, self._read = OnnxRuntime(job), import_module("cv2").imread

    def send(self, files: Sequence[str]) -> int:
        """Boxes in all files."""
        return sum(self._engine.detect(self._read(file)) for file in files)


class Pool:
    """onnxruntime in as many processes as there are cores, with a thread each."""

    def __init__(self, job: Job) -> None:
        self._pool = get_context("spawn").Pool(job["threads"], _begin, ({**job, "threads": 1},))

    def send(self, files: Sequence[str]) -> int:
        """Boxes in all files."""
        return sum(self._pool.imap(_one, files, CHUNK))


_loops: list[Loop] = []  # of a process of a pool


def _begin(job: Job) -> None:
    import_module("cv2").setNumThreads(1)
    _loops.append(Loop(job))


def _one(file: str) -> int:
    return _loops[0].send([file])


class Queue:
    """OpenVINO for throughput: as many requests as it asks for, boxes in its callbacks."""

    def __init__(self, job: Job) -> None:
        openvino = import_module("openvino")
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        settings["INFERENCE_NUM_THREADS"] = job["threads"]
        compiled = openvino.Core().compile_model(job["onnx"], "CPU", settings)
        self._job, self._cv2, self._found = job, import_module("cv2"), list[int]()
        self._queue = openvino.AsyncInferQueue(compiled)
        self._queue.set_callback(self._done)

    def send(self, files: Sequence[str]) -> int:
        """Boxes in all files."""
        self._found.clear()
        height, width = self._job["size"]
        for file in files:
            photo = self._cv2.imread(file)
            image = self._cv2.dnn.blobFromImage(photo, 1 / 255, (width, height), swapRB=True)
            self._queue.start_async([image], photo.shape[:2])
        self._queue.wait_all()
        return sum(self._found)

    def _done(self, request: Any, shape: tuple[int, int]) -> None:
        outputs = [request.get_output_tensor(i).data for i in range(len(self._job["outputs"]))]
        self._found.append(len(boxes_of(outputs, self._job, shape)))


OURS_ON, STAGES_ON = "darknet-py on ", "stages on "
SENDERS: dict[str, Callable[[Job], Sender]] = {"loop": Loop, "pool": Pool, "queue": Queue}


def sender(name: str, job: Job) -> Sender:
    """The sender of a name: one of `SENDERS`, or ours on a back end, or its stages one by one."""
    for prefix, kind in ((OURS_ON, Ours), (STAGES_ON, OneByOne)):
        if name.startswith(prefix):
            return kind(job, name.removeprefix(prefix))
    return SENDERS[name](job)


class Contestant:
    """What a process of this module can be asked: the names of the methods are the requests."""

    def __init__(self, name: str, job: Job) -> None:
        self._name, self._job = name, job
        self._sender: Any = None

    def open(self, files: Sequence[str]) -> dict[str, Any]:
        """Open the network and send some pictures through, so that nothing is left to be prepared."""
        self._sender = sender(self._name, self._job)
        self._sender.send(files)
        return {}

    def send(self, files: Sequence[str]) -> dict[str, Any]:
        """Seconds on the wall and of processors (of this process) for the files, and the boxes in them."""
        used, start = time.process_time(), time.perf_counter()
        found = self._sender.send(files)
        return {"seconds": time.perf_counter() - start, "used": time.process_time() - used, "found": found}


def main(name: str, path: str) -> None:
    """Serve the pipes of this process."""
    contestant = Contestant(name, json.loads(Path(path).read_text("utf-8")))
    serve_pipes({"open": contestant.open, "send": contestant.send})


if __name__ == "__main__":
    main(*sys.argv[1:])
