"""Float16: what a network loses in it, found by computing both ways once.

Decision: the NumPy kernels run the operations that are exported, once as they are and once with every operand and
result rounded to float16. Nobody has to have a processor that really computes so: onnxruntime on a CPU does not, and
hides it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from ..ir.graph import Graph, Op, Value
from ..ir.kernels import KERNELS, Array, run_op
from ..onnx.emitter import HALF_MAX


@dataclass(frozen=True)
class Excess:
    """Numbers of a layer that no float16 holds: `count` of `size`, up to `largest`; `role` says which numbers."""

    layer: int
    section: str
    role: str
    count: int
    size: int
    largest: float

    def __str__(self) -> str:
        """The finding in words."""
        own = f"{self.count:,} of {self.size:,} {self.role} of layer {self.layer} [{self.section}]"
        becomes = "infinite in it, and NaN may come of that" if self.role == "values" else "cut to it"
        return f"{own} are beyond {HALF_MAX:.0f}, the largest float16, up to {self.largest:.3g}: they are {becomes}"


@dataclass(frozen=True)
class HalfLoss:
    """What float16 loses: weights and values out of its range, and by how much outputs differ at most.

    `difference` is relative to the largest number of the outputs; infinite where they are not finite in float16.
    """

    weights: tuple[Excess, ...]
    values: tuple[Excess, ...]
    difference: float

    @property
    def sound(self) -> bool:
        """Whether everything is within the range of float16."""
        return not self.weights and not self.values and bool(np.isfinite(self.difference))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is out of range, a sentence each: all layers with such weights, and the first with such values."""
        told = [*map(str, self.weights), *map(str, self.values[:1])]
        if len(self.values) > 1:
            told.append(f"so are values of {len(self.values) - 1} more layers")
        if told or not self.sound:
            told.append(f"{self}: do not use this file where float16 is really computed in")
        return tuple(told)

    def __str__(self) -> str:
        """The loss in words."""
        share = f"off by at most {self.difference:.2g} of their scale" if np.isfinite(self.difference) else "not finite"
        return f"float16 against float32, on random numbers: outputs are {share}"


def find_half_loss(graph: Graph, seed: int = 0) -> HalfLoss:
    r"""What a graph, its passes done and its parameters loaded, loses in float16 on random numbers between 0 and 1.

    >>> from darknet_py.darknet.compile import compile_cfg
    >>> find_half_loss(compile_cfg("[net]\nwidth=8\nheight=8\nchannels=3\n[avgpool]").graph).sound
    True
    """
    image = np.random.default_rng(seed).random((1, *graph.image.shape), np.float32)
    inputs = {graph.image: image, **{s.input: np.zeros((1, *s.input.shape), np.float32) for s in graph.states}}
    values: dict[int, Excess] = {}
    with np.errstate(all="ignore"):
        whole = {v: a for v, a in _run(graph, inputs, half=False, excess=values) if v in graph.outputs}
        half = {v: a for v, a in _run(graph, inputs, half=True, excess={}) if v in graph.outputs}
    differences = [_difference(half[v], whole[v]) for v in whole]
    return HalfLoss(find_cut_weights(graph), tuple(values.values()), max(differences, default=0.0))


def find_cut_weights(graph: Graph) -> tuple[Excess, ...]:
    """The weights of a graph that are out of the range of float16."""
    found = (e for op in graph.ops for v in op.inputs if v in graph.data and (e := _of_weights(graph, op, v)))
    return tuple(dict.fromkeys(found))


def _run(
    graph: Graph, inputs: Mapping[Value, Array], half: bool, excess: dict[int, Excess]
) -> Iterator[tuple[Value, Array]]:
    """Each value and its array; the values of a layer that float16 does not hold are noted in `excess`."""
    last = {v: i for i, op in enumerate(graph.ops) for v in op.inputs}
    known = {v: _rounded(a, half) for v, a in inputs.items()}
    stored: dict[Value, Array] = {}
    for i, op in enumerate(graph.ops):
        for v in op.inputs:
            if half and v in graph.data and v not in stored:
                stored[v] = _rounded(np.clip(graph.data[v], -HALF_MAX, HALF_MAX), half)
        operands = [stored[v] if v in stored else graph.data[v] if v in graph.data else known[v] for v in op.inputs]
        result = _rounded(run_op(op.kind, operands, op.output.batched, op.attrs, KERNELS), half)
        known[op.output] = result
        if not half and op.layer not in excess and (found := _of_values(graph, op, result)):
            excess[op.layer] = found
        yield op.output, result
        for v in op.inputs:
            if last.get(v) == i:
                known.pop(v, None)
                stored.pop(v, None)


def _rounded(array: Array, half: bool) -> Array:
    return array.astype(np.float16).astype(np.float32) if half else array


def _of_values(graph: Graph, op: Op, array: Array) -> Excess | None:
    largest = float(np.abs(array).max(initial=0))
    # The least float32 in place of minus infinity is what a pool has outside of its image, and no value.
    if not HALF_MAX < largest < np.finfo(np.float32).max:
        return None
    return Excess(op.layer, _section(graph, op), "values", _beyond(array), array.size, largest)


def _of_weights(graph: Graph, op: Op, value: Value) -> Excess | None:
    array = graph.data[value]
    count = _beyond(array)
    if not count or not value.shape:  # a number of the arithmetic, such as the least float32
        return None
    roles = {p.value: p.role for p in graph.params}
    role = roles.get(value, "weights" if op.kind == "conv" and len(value.shape) > 1 else "numbers")
    return Excess(op.layer, _section(graph, op), role, count, array.size, float(np.abs(array).max()))


def _beyond(array: Array) -> int:
    return int(np.count_nonzero(np.abs(array) > HALF_MAX))


def _section(graph: Graph, op: Op) -> str:
    return next((i.section for i in graph.layers if i.index == op.layer), "net")


def _difference(half: Array, whole: Array) -> float:
    if not np.isfinite(half).all():
        return float("inf")
    scale = float(np.abs(whole).max(initial=0)) or 1.0
    return float(np.abs(half - whole).max(initial=0)) / scale
