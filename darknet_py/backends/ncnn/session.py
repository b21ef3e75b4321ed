"""ncnn, the extra `[ncnn]`: it multiplies 3x3 kernels by Winograd's method, which pays where arithmetic is scarce.

Decision: no detour over ONNX. A graph has one sample, as ncnn's layers have, and its primitives are few; what ncnn has
no layer for, NumPy computes between two parts of ncnn. Numbers are float32 throughout unless bfloat16 is asked for:
half precision, ncnn's default, is another result. Samples of a batch are computed one after another.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from threading import Lock
from typing import Any

import ncnn
import numpy as np

from ...errors import BackendError
from ...ir.graph import Graph, Op, Value
from ...ir.kernels import run_op
from ...onnx.operators import feed, need_weights
from ...passes import optimize, passes_for
from ..precision import BF16, WHOLE, Precision
from ..session import Session
from . import BACKEND
from .layers import MOST_AXES
from .writer import Writer, has_layer

Arrays = dict[Value, np.ndarray]

OLDEST = (1, 0, 20261020)  # the release of May 2026, and those before, clip wrongly


class NcnnSession:
    """A graph in ncnn, which keeps nothing between runs: each sample has an extractor, with memory of its own."""

    def __init__(self, graph: Graph, threads: int | None, winograd: bool, precision: Precision) -> None:
        self._graph = graph
        self._wanted = graph.roots
        self._lock = Lock()  # extractors share the allocators and threads of their network
        self._parts = [
            _NcnnPart(ops, gives, graph.data, threads, winograd, precision) if inside else _NumpyPart(ops, graph.data)
            for inside, ops, gives in _parts(graph, self._wanted)
        ]

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs, then the new states, for a batch of inputs."""
        arrays = feed(self._graph, inputs).values()
        known: Arrays = dict(zip(self._graph.inputs, arrays, strict=True))
        batch = len(inputs[0])
        with self._lock:
            for part in self._parts:
                part.run(known, batch)
        data = self._graph.data
        return [known[v] if v in known else np.repeat(data[v][None], batch, 0) for v in self._wanted]


def open_session(
    graph: Graph, *, threads: int | None = None, winograd: bool = True, precision: Precision = WHOLE
) -> NcnnSession:
    """ncnn on a graph with its parameters loaded; `threads` None: one for each core; `precision` f32 or bf16.

    Without `winograd`, 3x3 convolutions are slower and a few times as exact. Raises `BackendError` for a release
    of ncnn that computes something else.
    """
    check_version()
    need_weights(graph)
    return NcnnSession(optimize(graph, passes_for("ncnn")), threads, winograd, precision)


def open_file(path: Path, *, threads: int | None = None, winograd: bool = True) -> Session:
    """ncnn on a .param file; the options are those of `open_session`."""
    from .file import NcnnFileSession

    check_version()
    return NcnnFileSession(path, threads, winograd)


def check_version() -> None:
    """Raise `BackendError` for a release of ncnn that computes something else."""
    if tuple(map(int, re.findall(r"\d+", ncnn.__version__)[:3])) < OLDEST:
        raise BackendError(f"ncnn {ncnn.__version__} clips wrongly: pip install --upgrade {BACKEND.install}")


def configured(net: Any, threads: int | None, winograd: bool, precision: Precision = WHOLE) -> Any:
    """A network of ncnn that computes in a precision, and in no other unasked."""
    options = net.opt
    if threads is not None:
        options.num_threads = threads
    options.use_winograd_convolution = winograd
    options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = False
    options.use_bf16_packed = False
    options.use_bf16_storage = precision.kind == BF16
    return net


def _parts(graph: Graph, wanted: Sequence[Value]) -> Iterator[tuple[bool, list[Op], list[Value]]]:
    """Operations one after another that ncnn has layers for, or has none for, and what others want of their results."""
    groups = [(inside, list(ops)) for inside, ops in groupby(graph.ops, has_layer)]
    later: set[Value] = {*wanted}
    found = []
    for inside, ops in reversed(groups):
        found.append((inside, ops, [op.output for op in ops if op.output in later]))
        later.update(v for op in ops for v in op.inputs)
    yield from reversed(found)


class _NcnnPart:
    """Some operations in ncnn."""

    def __init__(
        self, ops: list[Op], gives: list[Value], data: Mapping[Value, np.ndarray], threads: int | None, winograd: bool,
        precision: Precision,
    ) -> None:  # fmt: skip
        # Where ncnn takes one group after another, its results in 16 bits are read as if they had 32.
        self._writer = written = Writer(ops, gives, data, apart=precision.kind == BF16)
        self._net = configured(ncnn.Net(), threads, winograd, precision)
        self._arrays = b"".join(written.arrays) or bytes(4)  # ncnn reads there as long as it lives
        if self._net.load_param_mem(written.text()):
            raise BackendError("ncnn refuses the network")
        self._net.load_model_mem(self._arrays)

    def run(self, known: Arrays, batch: int) -> None:
        """Compute from what is known, and add to it."""
        samples = [self._sample({v: known[v][i] for v in self._writer.inputs}) for i in range(batch)]
        for value, arrays in zip(self._writer.outputs, zip(*samples, strict=True), strict=True):
            known[value] = np.stack(arrays)

    def _sample(self, inputs: Arrays) -> list[np.ndarray]:
        extractor = self._net.create_extractor()
        for value, array in inputs.items():
            held = array if array.ndim <= MOST_AXES else array.ravel()
            mat = ncnn.Mat(held).clone()  # layers write over what they read
            extractor.input(self._writer.inputs[value], mat)
        return [self._extract(extractor, *pair) for pair in self._writer.outputs.items()]

    def _extract(self, extractor: ncnn.Extractor, value: Value, name: str) -> np.ndarray:
        failed, mat = extractor.extract(name)
        if failed:
            raise BackendError(f"ncnn fails at {value}")
        return np.array(mat).reshape(value.shape)


class _NumpyPart:
    """Some operations in NumPy."""

    def __init__(self, ops: list[Op], data: Mapping[Value, np.ndarray]) -> None:
        self._ops, self._data = ops, data

    def run(self, known: Arrays, batch: int) -> None:
        """Compute from what is known, and add to it."""
        for op in self._ops:
            operands = [self._data[v] if v in self._data else known[v] for v in op.inputs]
            known[op.output] = np.ascontiguousarray(run_op(op.kind, operands, op.output.batched, op.attrs))
