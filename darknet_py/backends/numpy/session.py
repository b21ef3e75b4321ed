"""NumPy, the reference executor: the kernels of the IR one after another; the others are held to it.

With `exact` it rounds where Darknet does: batch normalization is folded into the weights, and products are added up
one input channel and tap after another (gemm.c gemm_nn). Then even layers that cancel large numbers agree with it;
BLAS, the default, is many times faster.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from ...errors import BackendError
from ...ir.graph import Graph, Op, Value
from ...ir.kernels import ELEMENTWISE, EXACT_KERNELS, KERNELS, VIEWS, Array, run_op
from ...passes import optimize, passes_for


class NumpySession:
    """Runs a graph operation by operation, dropping each value after its last reader."""

    def __init__(self, graph: Graph, exact: bool = False) -> None:
        unloaded = [p for p in graph.params if p.value not in graph.data]
        if unloaded:
            raise BackendError(f"no weights loaded ({unloaded[0].value.name} is missing)")
        self.graph = graph
        self._kernels = EXACT_KERNELS if exact else KERNELS
        self._last = {v: i for i, op in enumerate(graph.ops) for v in op.inputs}
        for value in graph.roots:
            self._last.pop(value, None)
        self._overwriting = frozenset(overwriting(graph, self._last))

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Outputs, then the new states, for a batch of inputs."""
        graph = self.graph
        env: dict[Value, Array] = {
            v: np.ascontiguousarray(x, np.float32) for v, x in zip(graph.inputs, inputs, strict=True)
        }
        for i, op in enumerate(graph.ops):
            operands = [graph.data[v] if v in graph.data else env[v] for v in op.inputs]
            attrs = {**op.attrs, "out": operands[0]} if op in self._overwriting else op.attrs
            env[op.output] = run_op(op.kind, operands, op.output.batched, attrs, self._kernels)
            for v in op.inputs:
                if self._last.get(v) == i:
                    env.pop(v, None)
        batch = len(inputs[0])
        return [_batched(v, env[v] if v in env else graph.data[v], batch) for v in graph.roots]


def open_session(graph: Graph, exact: bool = False) -> NumpySession:
    """The NumPy executor for a graph with its parameters loaded; `exact` rounds as Darknet does, slowly."""
    if exact:
        graph = optimize(graph, passes_for("numpy, exact"))
    return NumpySession(graph, exact)


def overwriting(graph: Graph, last: Mapping[Value, int]) -> Iterator[Op]:
    """The operations that may write their result over their first operand.

    `last` is the index of the last operation that reads a value, for those that are not kept. The operand must be an
    array of its own: nothing else reads it later, and it shares its memory with no other value.
    """
    producers = graph.producers()
    viewed = {v for op in graph.ops if op.kind in VIEWS for v in op.inputs}
    for i, op in enumerate(graph.ops):
        if op.kind not in ELEMENTWISE or not op.output.batched:
            continue
        x, *others = op.inputs
        own = x in producers and producers[x].kind not in VIEWS and x not in viewed and x not in others
        if own and x.batched and last.get(x) == i and x.shape == op.output.shape:
            yield op


def _batched(value: Value, array: Array, batch: int) -> Array:
    return array if value.batched else np.broadcast_to(array, (batch, *array.shape))
