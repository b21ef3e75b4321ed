"""The parts that a network is made of: for each value that is needed, what computes it.

Decision: it begins at the outputs and asks for what each part reads, so what lies inside a part that was recognized is
never looked at. A value that no section computes is an error that names its node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from ...errors import DataError
from ...ir import Op, State, Value
from .composed import (
    find_activation,
    find_binary,
    find_crop,
    find_history,
    find_local,
    find_local_response,
    find_maxout,
    find_reorg,
    find_sums,
)
from .heads import head_parts
from .matching import Matcher
from .parts import Finder, Part, Parts
from .reader import ReadNetwork
from .recurrent import find_recurrent
from .single import (
    find_affine,
    find_avgpool,
    find_batchnorm,
    find_connected,
    find_convolutional,
    find_gate,
    find_group,
    find_pool,
    find_route,
    find_shortcut,
    find_smaller_shortcut,
    find_softmax,
    find_upsample,
    refuse_class_tree,
)
from .trees import Trees

Rule = Callable[[Finder, Op], Part | None]

# What an operation may be the last one of, besides an activation.
RULES: Mapping[str, tuple[Rule, ...]] = {
    "conv": (find_convolutional,),
    "batch_norm": (find_batchnorm,),
    "linear": (find_connected,),
    "max_pool": (partial(find_pool, section="maxpool"),),
    "avg_pool": (partial(find_pool, section="local_avgpool"),),
    "reduce_mean": (find_avgpool,),
    "upsample": (find_upsample,),
    "add": (find_binary, find_local, find_affine, find_shortcut),
    "sub": (find_crop, find_affine),
    "mul": (find_sums, find_local_response, find_affine, find_gate),
    "div": (find_affine,),
    "maximum": (find_maxout,),
    "concat": (find_maxout, find_history, find_smaller_shortcut, refuse_class_tree, find_route),
    "slice": (find_crop, find_group),
    "gather": (find_reorg,),
    "reshape": (find_reorg, find_softmax),
    "softmax": (find_softmax,),
}


def find_parts(network: ReadNetwork, trees: Trees) -> Parts:
    """The parts that compute the outputs of a network. Raises `DataError` for a node that no section computes."""
    graph, s = network.graph, Finder(network, Matcher(network.graph), trees)
    heads = head_parts(s)
    parts: dict[Value, Part] = {}
    renamed: dict[Value, Value] = {}
    wanted = [h.main for h in heads] or [*graph.outputs]
    while wanted:
        value = wanted.pop()
        if value in parts or value in renamed or value is graph.image:
            continue
        op = s.m.producers.get(value)
        if value in graph.inputs:
            raise _misread(s, value)
        if op is None:
            raise DataError(f"{network.path}: an output is a constant, which a cfg has no words for")
        rules = (rule(s, op) for rule in (find_recurrent, find_activation, *RULES.get(op.kind, ())))
        part = next((part for part in rules if part is not None), None)
        if part is not None:
            parts[value] = part
            wanted.extend(part.reads)
        elif op.kind == "reshape":
            renamed[value] = op.inputs[0]
            wanted.append(op.inputs[0])
        else:
            raise s.refuse(op, _hint(op))
    kept = {state for part in parts.values() for state in part.states}
    lost = next((state for state in graph.states if state not in kept), None)
    if lost is not None:
        raise _lost(s, lost)
    order = {op.output: n for n, op in enumerate(graph.ops)}
    found = sorted((*parts.values(), *heads), key=lambda p: (order.get(p.value, -1), p.head))
    return Parts(tuple(found), renamed)


def _misread(s: Finder, state: Value) -> DataError:
    """The error of a state that is read by no layer that remembers."""
    reader = next((op for op in s.network.graph.ops if state in op.inputs), None)
    if reader is None:
        return DataError(f"{s.network.path}: the state {state.name!r} is an output")
    return s.refuse(reader, f"it reads the state {state.name!r}, and no layer of Darknet does that")


def _lost(s: Finder, state: State) -> DataError:
    """The error of a state that is kept by no layer of those that compute an output."""
    op = s.m.producers.get(state.output)
    if op is None:
        return DataError(f"{s.network.path}: the state {state.input.name!r} becomes what no layer computes")
    return s.refuse(op, "it is remembered, and leads to no output through a layer")


def _hint(op: Op) -> str:
    """Why an operation is in no section, as far as that can be said."""
    if op.kind == "leaky_relu":
        return f"a slope of {op.attrs['slope']:g}, and Darknet has 0.1 (leaky) and 0.01 (relie)"
    if op.kind in ("add", "sub", "mul", "div") and any(not v.batched for v in op.inputs):
        return f"a constant for each place ({op.kind}), and Darknet has one for each channel"
    if op.kind == "pad":
        return "Darknet has no layer that pads"
    if op.kind == "slice":
        return "Darknet takes equal parts of the channels, and nothing else"
    return f"no section computes this {op.kind}"
