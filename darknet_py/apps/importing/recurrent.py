"""Sections that remember: what they compute of an input and of their states is held against the file, states too.

Decision: sizes are those of the states of the file and of the kernels that read them; of what a section can say beyond
that everything is tried, because each try is a lowering that is kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from ...ir import Op, Value
from ...ir.ops import Shape
from .matching import NAMES, activations
from .parts import Finder, Part, in_cfg

Options = dict[str, str]
Candidate = tuple[str, Options, Shape]  # a section, its options, and a shape that its input may have


def find_recurrent(s: Finder, op: Op) -> Part | None:
    """[rnn], [gru], [lstm], [crnn] and [conv_lstm]."""
    if not s.network.graph.states:
        return None
    dense = len(op.output.shape) == 1 or op.output.shape[1:] == (1, 1)
    tries = (*(_dense(s, op) if dense else ()), *(_convolutional(s, op) if len(op.output.shape) == 3 else ()))
    parts = (s.fitted(section, options, shape, op.output) for section, options, shape in tries)
    return next((part for part in parts if part is not None), None)


def _dense(s: Finder, op: Op) -> Iterator[Candidate]:
    output = {"output": str(op.output.shape[0])}
    if op.kind == "add":
        yield "gru", output, (1,)
    if op.kind != "reshape":
        return
    yield "lstm", output, (1,)
    last = s.m.producers.get(op.inputs[0])
    hidden = {v.shape[0] for v in _memories(s) if len(v.shape) == 1}
    for n, name, again, shortcut in product(sorted(hidden), _ends(s, last), ("0", "1", "2"), ("0", "1")):
        yield "rnn", {**output, "hidden": str(n), "activation": name, "logistic": again, "shortcut": shortcut}, (1,)


def _convolutional(s: Finder, op: Op) -> Iterator[Candidate]:
    images = [v for v in _memories(s) if len(v.shape) == 3 and v.shape[1:] == op.output.shape[1:]]
    hidden = sorted({v.shape[0] for v in images})
    for kernel, groups in _kernels(s):
        options = {"output": str(op.output.shape[0]), **kernel}
        shape = (groups, *op.output.shape[1:])
        for n, name, shortcut in product(hidden, _ends(s, op), ("0", "1")):
            yield "crnn", {**options, "hidden": str(n), "activation": name, "shortcut": shortcut}, shape
        if op.kind != "mul" or not hidden:
            continue
        for limit, name, peephole in product(_limits(s), ("linear", *NAMES), ("0", "1")):
            told = {"activation": name, "peephole": peephole, "state_constrain": limit}
            yield "conv_lstm", {**options, **told}, shape


def _memories(s: Finder) -> Iterator[Value]:
    return (state.input for state in s.network.graph.states)


def _ends(s: Finder, op: Op | None) -> list[str]:
    """The activations that an operation may be the last one of."""
    if op is None:
        return []
    found = [name for name, pattern in activations(op.kind) if s.m.source(pattern, op.output) is not None]
    return [*dict.fromkeys((*found, "linear"))]


def _kernels(s: Finder) -> list[tuple[Options, int]]:
    """The options of the convolutions that read a state, each once, with their groups."""
    memories, found = {*_memories(s)}, dict[tuple[int, int, int], None]()
    for op in s.network.graph.ops:
        if op.kind == "conv" and op.inputs[0] in memories:
            found[op.inputs[1].shape[2], op.attrs["dilations"][0], op.attrs["groups"]] = None
    return [(_kernel(size, dilation, groups), groups) for size, dilation, groups in found]


def _kernel(size: int, dilation: int, groups: int) -> Options:
    options = {"size": str(size), "pad": "1", "dilation": str(dilation), "groups": str(groups)}
    return {key: value for key, value in options.items() if value != "1" or key in ("size", "pad")}


def _limits(s: Finder) -> list[str]:
    """The bounds of the states, and none."""
    ends = (s.m.producers.get(state.output) for state in s.network.graph.states)
    return [*dict.fromkeys(in_cfg(op.attrs["high"]) for op in ends if op is not None and op.kind == "clip"), "0"]
