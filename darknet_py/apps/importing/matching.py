"""Whether some operations compute what a section of a cfg does: the section is lowered, and held against them.

Decision: no layer is described a second time. Its own lowering is the pattern, so whatever a section can say that our
exporter writes is recognized, and what is recognized means exactly that section.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import numpy as np

from ...darknet.cfg import spell
from ...darknet.compile import compile_cfg
from ...darknet.dialects import ALEXEYAB
from ...darknet.layers.activations import ACTIVATIONS
from ...ir import Graph, Op, State, Value
from ...ir.builder import Builder
from ...ir.ops import Shape
from ...passes import fold_constants

CLOSE = 1e-4  # relative: other programs write 1.67326 for Darknet's 1.6732
MAX_PATTERN = 20_000  # operations
KEPT = 4096  # patterns

# Darknet's names for one function each, the plainest first; `linear` is none.
NAMES = tuple(n for n in ACTIVATIONS if n not in ("linear", "revleaky", "silu", "hard_sigmoid"))
COMMUTING = frozenset({"add", "mul", "maximum"})


class _Expanding(Builder):
    """A builder that writes some primitives as ONNX files have them (onnx/operators.py)."""

    def op(self, kind: str, *inputs: Value | float, **attrs: Any) -> Value:
        """The same value in other operations."""
        if kind == "mish":
            t = super().op("sigmoid", inputs[0])
            u = self.mul(t, self.sub(2, t))
            return self.mul(inputs[0], super().op("div", u, self.sub(2, u)))
        if kind == "swish":
            return self.mul(inputs[0], super().op("sigmoid", inputs[0]))
        if kind == "tanh":
            return super().op("tanh", super().op("clip", inputs[0], low=-10.0, high=10.0))
        if kind == "power" and attrs == {"exponent": 2.0}:
            return self.mul(inputs[0], inputs[0])
        return super().op(kind, *inputs, **attrs)


def _as_in_files(graph: Graph) -> Graph:
    """A graph in the operations that ONNX files have, its constants computed."""
    graph, b, made = fold_constants(graph), _Expanding(), dict[Value, Value]()
    for op in graph.ops:
        made[op.output] = b.op(op.kind, *(made.get(v, v) for v in op.inputs), **op.attrs)
    states = tuple(State(s.input, made.get(s.output, s.output)) for s in graph.states)
    outputs = tuple(made.get(v, v) for v in graph.outputs)
    return replace(graph, ops=tuple(b.ops), outputs=outputs, states=states, data={**graph.data, **b.data})


@cache
def activations(kind: str) -> tuple[tuple[str, Graph], ...]:
    """The activation functions whose last operation is of a kind: Darknet's name, and what it computes of an image.

    Long ones come first, because a short one may be the end of it.
    """
    found: list[tuple[str, Graph]] = []
    for name in NAMES:
        b = Builder()
        x = b.input("x", (2, 2, 2))
        plain = b.graph(x, ACTIVATIONS[name](b, x))
        found.extend((name, graph) for graph in (plain, _as_in_files(plain)) if graph.ops[-1].kind == kind)
    return tuple(sorted(found, key=lambda pair: -len(pair[1].ops)))


def lowered(
    section: str, options: Mapping[str, str], shape: Shape, dialect: str = ALEXEYAB.name, folder: str | None = None
) -> Graph | None:
    """What a section computes of an input of that shape, or None where it cannot stand there.

    `folder` is where the files lie that it names.
    """
    return _compiled(spell([(section, options)]), shape, dialect, folder)


@lru_cache(KEPT)
def _compiled(section: str, shape: Shape, dialect: str, folder: str | None) -> Graph | None:
    size = "channels={}\nheight={}\nwidth={}\n".format(*shape) if len(shape) == 3 else f"inputs={math.prod(shape)}\n"
    compiled = compile_cfg(f"[net]\n{size}{section}", dialect=dialect, folder=folder)
    return None if compiled.errors else _as_in_files(compiled.graph)


@dataclass(frozen=True, eq=False)
class Bound:
    """A pattern that was found in a graph: `source` is its input, `arrays` what it leaves open, by its own values.

    These are its parameters and what is computed of parameters alone, in whatever shape the graph has them. `states`
    are those of the graph, in the order of the pattern's.
    """

    source: Value
    arrays: Mapping[Value, np.ndarray]
    states: tuple[State, ...]


class Matcher:
    """The operations of a graph, to be held against patterns."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.producers = graph.producers()
        self._states = {s.input: s for s in graph.states}
        self._patterns: dict[Graph, Mapping[Value, Op]] = {}

    def kind(self, value: Value) -> str:
        """The operation that computes a value; '' for an input or a constant."""
        return self.producers[value].kind if value in self.producers else ""

    def constant(self, value: Value) -> np.ndarray | None:
        """The numbers of a constant."""
        return self.graph.data.get(value)

    def ancestors(self, value: Value, kinds: Sequence[str]) -> Iterator[Op]:
        """The operations of some kinds, one on the other, that compute a value."""
        seen, waiting = set[Value](), [value]
        while waiting:
            op = self.producers.get(waiting.pop())
            if op is None or op.kind not in kinds or op.output in seen:
                continue
            seen.add(op.output)
            yield op
            waiting.extend(op.inputs)

    def origin(self, value: Value, kinds: Sequence[str]) -> Value | None:
        """The one value that operations of some kinds, one on the other, compute this one of."""
        found = {v for op in self.ancestors(value, kinds) for v in op.inputs
                 if v not in self.graph.data and self.kind(v) not in kinds}  # fmt: skip
        return found.pop() if len(found) == 1 else None

    def source(self, pattern: Graph, value: Value) -> Value | None:
        """The value of which the graph computes `value` as the pattern computes its output of its input, or None."""
        bound = self.bind(pattern, value)
        return None if bound is None else bound.source

    def bind(self, pattern: Graph, value: Value) -> Bound | None:
        """How the graph computes `value` as the pattern computes its output, or None where it does not."""
        if pattern not in self._patterns:
            self._patterns[pattern] = pattern.producers()
        made, memories = self._patterns[pattern], {s.input: s for s in pattern.states}
        bound: dict[Value, Value] = {}
        arrays: dict[Value, np.ndarray] = {}
        pairs = [(pattern.outputs[0], value)]
        while pairs:
            if len(bound) > MAX_PATTERN:
                return None
            wanted, got = pairs.pop()
            if wanted in bound:
                if bound[wanted] is not got:
                    return None
                continue
            if wanted in pattern.data:
                if not self._is_same(pattern.data[wanted], got):
                    return None
                continue
            if not wanted.batched:
                numbers = self.graph.data.get(got)
                if numbers is None or not _is_equal(arrays.setdefault(wanted, numbers), numbers):
                    return None
                continue
            if wanted in made and made[wanted].kind == "repeat_batch":  # the same for each sample, repeated or not
                pairs.append((made[wanted].inputs[0], self._once(got)))
                continue
            bound[wanted] = got
            if wanted is pattern.image:
                continue
            if wanted in memories:
                if got not in self._states:
                    return None
                pairs.append((memories[wanted].output, self._states[got].output))
                continue
            op, other = made[wanted], self.producers.get(got)
            if other is None or not _is_alike(op, other):
                return None
            pairs.extend(self._paired(op, other, made, pattern))
        if pattern.image not in bound or not memories.keys() <= bound.keys():
            return None
        return Bound(bound[pattern.image], arrays, tuple(self._states[bound[s.input]] for s in pattern.states))

    def _paired(self, op: Op, other: Op, made: Mapping[Value, Op], pattern: Graph) -> list[tuple[Value, Value]]:
        """The operands of two operations that belong together."""
        theirs = list(other.inputs)
        if op.kind in COMMUTING and not all(
            self._may_be(w, g, made, pattern) for w, g in zip(op.inputs, theirs, strict=True)
        ):
            theirs.reverse()
        return list(zip(op.inputs, theirs, strict=True))

    def _may_be(self, wanted: Value, got: Value, made: Mapping[Value, Op], pattern: Graph) -> bool:
        if not wanted.batched or (wanted in made and made[wanted].kind == "repeat_batch"):
            return self._once(got) in self.graph.data
        return wanted not in made or made[wanted].kind == self.kind(got)

    def _once(self, value: Value) -> Value:
        """What a value is of one sample, where it is the same for each."""
        return self.producers[value].inputs[0] if self.kind(value) == "repeat_batch" else value

    def _is_same(self, wanted: np.ndarray, got: Value) -> bool:
        numbers = self.graph.data.get(got)
        if numbers is None:
            return False
        if wanted.size == 1 or numbers.size == 1:
            return bool(np.allclose(wanted, numbers, CLOSE, 1e-7))
        return wanted.size == numbers.size and bool(np.allclose(wanted.ravel(), numbers.ravel(), CLOSE, 1e-7))


def _is_alike(op: Op, other: Op) -> bool:
    """Whether two operations are the same one on their operands."""
    if op.kind != other.kind or len(op.inputs) != len(other.inputs) or op.attrs.keys() != other.attrs.keys():
        return False
    return all(_is_close(v, other.attrs[k]) for k, v in op.attrs.items())


def _is_equal(a: np.ndarray, b: np.ndarray) -> bool:
    return a is b or np.array_equal(a, b, equal_nan=True)


def _is_close(a: Any, b: Any) -> bool:
    if isinstance(a, float) or isinstance(b, float):
        return math.isclose(a, b, rel_tol=CLOSE, abs_tol=1e-9)
    return bool(a == b)
