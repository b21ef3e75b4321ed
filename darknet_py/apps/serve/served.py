"""A model that is served: warm, with a queue, asked for tensors or for what is in pictures.

Decision: raw tensors and pictures go through one queue and one batch, so that either kind of client fills the other's
batches; what comes before the network and after it is computed in threads of its own.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from ...contract.contract import Contract
from ...errors import DataError
from ...model.model import Model
from ...vision.inference import results_of
from ...vision.picture import Picture
from ...vision.results import Results
from .batcher import Batcher, Computed
from .limits import Limits
from .pictures import open_picture, open_pixels, picture_in, without_pixels, write_jpeg
from .protocol import BYTES, NamedTensor
from .question import Question

Port = tuple[str, str, tuple[int, ...]]  # name, datatype, shape after the batch axis; -1 is free

PICTURES = "pictures"  # the input of encoded pictures, or of pixels
SCORED: tuple[Port, ...] = (("scores", "FP32", (-1,)), ("classes", "INT32", (-1,)))  # what is told of them, best first
FOUND: tuple[Port, ...] = (("num_dets", "INT32", (1,)), ("boxes", "FP32", (-1, 4)), *SCORED)
TOP = 5  # classes of a classifier that are told of a picture

T = TypeVar("T")


@dataclass(frozen=True)
class Workers:
    """The threads of a server: `prepare` decodes pictures and boxes, `compute` runs networks, `runners` at a time."""

    runners: int
    threads: int
    prepare: ThreadPoolExecutor = field(repr=False)
    compute: ThreadPoolExecutor = field(repr=False)

    @classmethod
    def of(cls, cores: int, runners: int) -> Workers:
        """As many threads as there are cores, shared by `runners` networks at a time."""
        runners = max(1, min(runners, cores))
        return cls(
            runners, max(1, cores // runners), ThreadPoolExecutor(cores, "prepare"), ThreadPoolExecutor(runners, "run")
        )

    def close(self) -> None:
        """Let the threads end."""
        self.prepare.shutdown(wait=False, cancel_futures=True)
        self.compute.shutdown(wait=False, cancel_futures=True)


@dataclass
class Times:
    """Seconds of a request in each of its stages, added up over its pictures."""

    prepare: float = 0.0
    network: float = 0.0  # with waiting for it
    boxes: float = 0.0


class Served:
    """A version of a model: what it takes, what it gives, and the queue in front of it.

    `batch` is how many rows are computed at most at a time, and the most that one request may have; a batch waits
    `window` seconds for more. Raises `DataError` for a network that cannot be shared by strangers, or whose batch no
    queue would ever take.
    """

    def __init__(
        self, name: str, version: str, model: Model, workers: Workers, limits: Limits, *, batch: int, window: float
    ) -> None:
        if model.contract.states:
            raise DataError(
                f"{name}: a recurrent network remembers one picture while it sees the next, and a server's pictures "
                "come from anybody: it cannot be served"
            )
        self.name, self.version, self.model, self.workers, self.limits = name, version, model, workers, limits
        self.contract: Contract = model.contract
        self.batch = self.contract.batch or batch
        if self.batch > limits.queue:
            raise DataError(f"a batch of {name} is larger than the queue: raise --queue, or lower --batch")
        self.window = window
        self._batcher: Batcher | None = None
        self.outputs = self._warm()

    @property
    def takes_pictures(self) -> bool:
        """Whether the input of the network is a picture, and what it says of one is boxes or scores of classes."""
        _, _, shape = self.outputs[-1]  # the last counts, as in `results_of`
        says = bool(self.contract.decoders) or math.prod(shape) == max(shape, default=1)
        return len(self.contract.shape) == 3 and says

    def _warm(self) -> tuple[Port, ...]:
        """Run the network once; name, datatype and shape (after the batch axis) of each output."""
        rows = np.zeros((self.contract.batch or 1, *self.contract.shape), np.float32)
        outputs = self.model.forward(rows)
        names = self._raw_names(len(outputs))
        datatypes = [{"f": "FP32", "i": "INT32"}[o.dtype.kind] for o in outputs]
        return tuple(zip(names, datatypes, (o.shape[1:] for o in outputs), strict=True))

    def _raw_names(self, count: int) -> Sequence[str]:
        if self.contract.outputs:
            return self.contract.outputs
        from ...onnx.emitter import output_names

        network = self.model.network
        assert network is not None, "a file that was exported says its outputs"
        return output_names(network.program().graph)[:count]

    def start(self, observe: Callable[[int, float, float], None]) -> None:
        """Begin to take what comes, in the loop that is running."""
        # One batch more than is computed is ready, so that no core waits for the loop between two of them.
        self._batcher = Batcher(
            self._compute, size=self.batch, window=self.window, runners=self.workers.runners + 1,
            limit=self.limits.queue, observe=observe,
        )  # fmt: skip

    async def close(self) -> None:
        """Take no more, and finish what was taken."""
        if self._batcher is not None:
            await self._batcher.close(self.limits.stop_seconds)

    @property
    def queue(self) -> Batcher:
        """The queue in front of the network."""
        assert self._batcher is not None, "start comes first"
        return self._batcher

    async def _compute(self, rows: np.ndarray, is_wanted: Callable[[], bool]) -> Computed | None:
        whole = rows
        if self.contract.batch and len(rows) < self.contract.batch:
            whole = np.zeros((self.contract.batch, *rows.shape[1:]), np.float32)
            whole[: len(rows)] = rows
        return await asyncio.get_running_loop().run_in_executor(self.workers.compute, self._run, whole, is_wanted)

    def _run(self, rows: np.ndarray, is_wanted: Callable[[], bool]) -> Computed | None:
        if not is_wanted():
            return None
        start = perf_counter()
        outputs = self.model.run(rows)
        return Computed(partial(self.contract.samples, outputs), perf_counter() - start)

    def admission(self, count: int) -> AbstractContextManager[None]:
        """A place for so many rows, as `Batcher.admission` gives one; `DataError` for none or too many."""
        if not 1 <= count <= self.batch:
            raise DataError(f"a request has 1 to {self.batch} pictures for {self.name}, and this one has {count}")
        return self.queue.admission(count)

    async def infer(self, images: np.ndarray, times: Times) -> list[NamedTensor]:
        """The outputs of the network for images (n, c, h, w) float32, as Darknet's layers give them."""
        if images.shape[1:] != self.contract.shape:
            shape = "x".join(map(str, self.contract.shape))
            raise DataError(f"{self.contract.input} is (n, {shape}), and this one is {list(images.shape)}")
        with self.admission(len(images)):
            start = perf_counter()
            outputs = await self.queue.submit(np.ascontiguousarray(images))
            times.network += perf_counter() - start
            whole = await self.in_thread(self.model.heads, outputs)
        return _named(self.outputs, whole)

    async def detect(self, pictures: Sequence[bytes | np.ndarray], question: Question, times: Times) -> list[Results]:
        """What is in each picture, encoded or (h, w, c) pixels.

        Raises as `open_picture` does, and `Refusal` (503) for a full queue.
        """
        if not self.takes_pictures:
            raise DataError(
                f"{self.name} takes {self.contract.input} and no pictures, or says neither boxes nor scores"
            )
        with self.admission(len(pictures)):
            start = perf_counter()
            opened = await asyncio.gather(*(self.in_thread(self._open, p) for p in pictures))
            times.prepare += perf_counter() - start
            rows = opened[0][1][None] if len(opened) == 1 else np.stack([row for _, row in opened])
            start = perf_counter()
            outputs = await self.queue.submit(rows)
            times.network += perf_counter() - start
            start = perf_counter()
            found = await self.in_thread(self._results, [p for p, _ in opened], outputs, question)
            times.boxes += perf_counter() - start
        return found

    def _open(self, picture: bytes | np.ndarray) -> tuple[Picture, np.ndarray]:
        opener: Callable[..., tuple[Picture, np.ndarray]] = open_picture if isinstance(picture, bytes) else open_pixels
        opened, row = opener(picture, self.contract, self.limits)
        return without_pixels(opened), row

    def drawn(self, data: bytes, found: Results) -> bytes:
        """An encoded picture, in which something was found, with the boxes drawn, as a JPEG.

        It is decoded a second time: while requests wait, they hold what was sent and no pixels, which are a hundred
        times as many.
        """
        return write_jpeg(replace(found, orig_img=picture_in(data, self.contract, self.limits).pixels).plot())

    def _results(self, pictures: list[Picture], outputs: list[np.ndarray], question: Question) -> list[Results]:
        return [
            results_of(
                self.contract.sample(outputs, i), picture, self.contract, self.model.names,
                threshold=question.conf, iou=question.iou, selection=question.selection,
            )
            for i, picture in enumerate(pictures)
        ]  # fmt: skip

    async def in_thread(self, function: Callable[..., T], *args: Any) -> T:
        """What a function gives, computed in one of the threads that prepare pictures."""
        return await asyncio.get_running_loop().run_in_executor(self.workers.prepare, function, *args)


def picture_tensors(results: Sequence[Results]) -> list[NamedTensor]:
    """What was found in pictures as tensors with a batch axis, padded with zeros to the picture that has the most.

    Detectors: `num_dets` (n, 1), `boxes` (n, m, 4) left, top, right, bottom in pixels of the picture, `scores` (n, m)
    and `classes` (n, m). Classifiers: the best `classes` (n, k) with their `scores`.
    """
    if results[0].scores is not None:
        scores = np.stack([r.scores for r in results if r.scores is not None])
        best = np.argsort(-scores, axis=1, kind="stable")[:, :TOP]
        kept = np.take_along_axis(scores, best, axis=1)
        return _named(SCORED, (kept, best.astype(np.int32)))
    most = max(len(r) for r in results)
    counts = np.array([[len(r)] for r in results], np.int32)
    boxes = np.zeros((len(results), most, 4), np.float32)
    scores = np.zeros((len(results), most), np.float32)
    classes = np.zeros((len(results), most), np.int32)
    for i, r in enumerate(results):
        boxes[i, : len(r)], scores[i, : len(r)], classes[i, : len(r)] = r.boxes.xyxy, r.boxes.conf, r.boxes.cls
    return _named(FOUND, (counts, boxes, scores, classes))


def _named(ports: Sequence[Port], arrays: Sequence[np.ndarray]) -> list[NamedTensor]:
    return [NamedTensor(name, datatype, array) for (name, datatype, _), array in zip(ports, arrays, strict=True)]


def pictures_of(tensor: NamedTensor) -> list[bytes | np.ndarray]:
    """The pictures of a tensor: BYTES (n) or (n, 1) of encoded ones, or UINT8 (n, h, w, c) of pixels."""
    array = tensor.array
    if tensor.datatype == BYTES and (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
        return list(array.ravel())
    if tensor.datatype == "UINT8" and array.ndim == 4 and array.size:
        return list(array)
    raise DataError(
        f"{PICTURES} are BYTES of [n], each an encoded picture, or UINT8 of [n, height, width, channels], not "
        f"{tensor.datatype} of {list(array.shape)}"
    )
