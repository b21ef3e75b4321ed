"""Which additions and activations become part of the convolution before them, as onnxruntime's blocked kernel can.

Decision: a plan, not a pass: the graph keeps its primitives, and the plan says what one node of the runtime covers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...ir.graph import Graph, Op, Value

# The attributes of a fused activation, as onnxruntime's Conv takes them.
ACTIVATIONS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "relu": lambda a: {"activation": "Relu"},
    "sigmoid": lambda a: {"activation": "Sigmoid"},
    "tanh": lambda a: {"activation": "Tanh"},
    "leaky_relu": lambda a: {"activation": "LeakyRelu", "activation_params": [float(a["slope"])]},
    "clip": lambda a: {"activation": "Clip", "activation_params": [float(a["low"]), float(a["high"])]},
}


@dataclass(frozen=True, eq=False)
class Fused:
    """A convolution, then perhaps an addition, then perhaps an activation, to be written as one, at the last."""

    ops: tuple[Op, ...]
    addend: Value | None = None
    activation: Mapping[str, Any] = field(default_factory=dict)
    negated: bool = False  # the convolution is to give -x, for the Mish after it

    @property
    def conv(self) -> Op:
        """The convolution."""
        return self.ops[0]

    @property
    def last(self) -> Op:
        """The operation whose result is the result."""
        return self.ops[-1]

    @property
    def swallowed(self) -> tuple[Op, ...]:
        """The operations that write nothing themselves."""
        return self.ops[:-1]


def fuse_convolutions(graph: Graph) -> dict[Op, Fused]:
    """For each convolution with constant weights what is fused to it, by the last operation.

    A result that something else reads stays; an addition goes to the convolution that is computed last. What ends in
    `untile` can be negated, too, and takes nothing else.
    """
    alone, places = graph.sole_readers(), {op: i for i, op in enumerate(graph.ops)}
    taken: set[Op] = set()
    fused: dict[Op, Fused] = {}
    for conv in reversed(graph.ops):
        if conv.kind not in ("conv", "untile") or not all(v in graph.data for v in conv.inputs[1:]):
            continue
        plan = _plan(conv, alone, taken)
        taken.update(plan.ops)
        fused[plan.last] = plan
    assert all(places[f.conv] <= places[f.last] for f in fused.values())
    return fused


def _plan(conv: Op, alone: Mapping[Value, Op], taken: set[Op]) -> Fused:
    plan, after = Fused((conv,)), alone.get(conv.output)
    if after is not None and after.kind == "mish":
        return Fused((conv, after), negated=True)
    if conv.kind == "untile":
        return plan
    if after is not None and after.kind == "add" and after not in taken:
        addend = _addend(after, conv.output)
        if addend is not None:
            plan, after = Fused((conv, after), addend), alone.get(after.output)
    if after is not None and after.kind in ACTIVATIONS and after not in taken:
        plan = Fused((*plan.ops, after), plan.addend, ACTIVATIONS[after.kind](after.attrs))
    return plan


def _addend(add: Op, x: Value) -> Value | None:
    """What is added to x, if it has the shape of x."""
    others = [v for v in add.inputs if v is not x]
    return others[0] if len(others) == 1 and others[0].batched and others[0].shape == x.shape else None
