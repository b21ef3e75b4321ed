"""Whether two networks compute the same: their lowered graphs side by side, and the first place where they part.

Names, layer numbers, comments and sections that compute nothing (a [route] of one layer, [dropout]) do not count. The
operations, what they read, their attributes, the parameters in the order of the weights file, and the options by which
heads decode do. Equal graphs take each other's weights files.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from itertools import zip_longest
from typing import Any

import numpy as np

from ..darknet.cfg.options import phase_of
from ..darknet.layers.layer import layer_of
from ..ir.graph import Graph, LayerInfo, Op, Param, Value

Place = tuple[str, int]  # the n-th operation, parameter, input or state: what a value is, whatever its name


@dataclass(frozen=True)
class Difference:
    """What differs, and the layer of each network where it does (as `17_shortcut`)."""

    what: str
    layer_a: str
    layer_b: str

    def __str__(self) -> str:
        return f"{self.layer_a} and {self.layer_b}: {self.what}"


def diff(a: Graph, b: Graph) -> Difference | None:
    r"""The first difference between two graphs, in the order in which they compute, or None.

    >>> from darknet_py.darknet.compile import compile_cfg
    >>> net = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nfilters=4\nactivation="
    >>> print(diff(compile_cfg(net + "leaky").graph, compile_cfg(net + "relu").graph))
    0_convolutional and 0_convolutional: leaky_relu against relu
    """
    if a.image.shape != b.image.shape:
        return Difference(f"an input of {_size(a.image)} against {_size(b.image)}", "[net]", "[net]")
    return _diff_ops(a, b) or _diff_params(a, b) or _diff_ends(a, b) or _diff_heads(a, b)


def _diff_ops(a: Graph, b: Graph) -> Difference | None:
    places_a, places_b = _places(a), _places(b)
    for op_a, op_b in zip_longest(a.ops, b.ops):
        if op_a is None or op_b is None:
            return Difference(_surplus(op_a or op_b), _layer(a, op_a), _layer(b, op_b))
        what = _diff_op(op_a, op_b) or _diff_inputs(a, b, op_a, op_b, places_a, places_b)
        if what:
            return Difference(what, _layer(a, op_a), _layer(b, op_b))
    return None


def _diff_op(a: Op, b: Op) -> str | None:
    if a.kind != b.kind:
        return f"{a.kind} against {b.kind}"
    if a.output.shape != b.output.shape:
        return f"{a.kind} gives {_size(a.output)} against {_size(b.output)}"
    for key in sorted({*a.attrs, *b.attrs}):
        if a.attrs.get(key) != b.attrs.get(key):
            return f"{a.kind} has {key} {a.attrs.get(key)} against {b.attrs.get(key)}"
    if len(a.inputs) != len(b.inputs):
        return f"{a.kind} reads {len(a.inputs)} values against {len(b.inputs)}"
    return None


def _diff_inputs(
    a: Graph, b: Graph, op_a: Op, op_b: Op, places_a: Mapping[Value, Place], places_b: Mapping[Value, Place]
) -> str | None:
    for x, y in zip(op_a.inputs, op_b.inputs, strict=True):
        if x in places_a and places_a.get(x) == places_b.get(y):
            continue
        if _is_constant(x, places_a) and _is_constant(y, places_b):
            if x.shape == y.shape and np.array_equal(a.data[x], b.data[y]):
                continue
            return f"{op_a.kind} with another constant"
        return f"{op_a.kind} reads %{x.name} against %{y.name}"
    return None


def _is_constant(x: Value, places: Mapping[Value, Place]) -> bool:
    return x not in places


def _places(graph: Graph) -> dict[Value, Place]:
    found: dict[Value, Place] = {v: ("input", i) for i, v in enumerate(graph.inputs)}
    found |= {p.value: ("parameter", i) for i, p in enumerate(graph.params)}
    return found | {op.output: ("operation", i) for i, op in enumerate(graph.ops)}


def _diff_params(a: Graph, b: Graph) -> Difference | None:
    for p, q in zip_longest(a.params, b.params):
        if _param(p) != _param(q):
            what = f"the weights file holds {_param(p)} against {_param(q)}"
            return Difference(what, _layer(a, p), _layer(b, q))
    return None


def _param(p: Param | None) -> str:
    if p is None:
        return "nothing"
    return f"{p.role} of {'x'.join(map(str, p.value.shape))}{' transposed' if p.layout == 'columns' else ''}"


def _diff_ends(a: Graph, b: Graph) -> Difference | None:
    """Outputs and states: rarely the first difference, as their operations come before."""
    places_a, places_b = _places(a), _places(b)
    ends_a, ends_b = [places_a.get(v) for v in a.roots], [places_b.get(v) for v in b.roots]
    return None if ends_a == ends_b else Difference("other outputs", _end(a), _end(b))


def _diff_heads(a: Graph, b: Graph) -> Difference | None:
    for i, j in zip(a.heads, b.heads, strict=True):
        options_a, options_b = (_decoding(g.layer(k)) for g, k in ((a, i), (b, j)))
        for key in sorted({*options_a, *options_b}):
            x, y = options_a.get(key), options_b.get(key)
            if x != y:
                return Difference(f"{key} {_plain(x)} against {_plain(y)}", a.layer(i).name, b.layer(j).name)
    return None


def _decoding(info: LayerInfo) -> dict[str, Any]:
    """The options of a head, without those of training."""
    layer = layer_of(info)
    return {f.name: getattr(layer, f.name) for f in fields(layer) if phase_of(f) == "infer"}


def _surplus(op: Op) -> str:
    return f"{op.kind} against nothing"


def _layer(graph: Graph, at: Op | Param | None) -> str:
    return graph.layer(at.layer).name if at is not None else "the end"


def _end(graph: Graph) -> str:
    return graph.layers[-1].name


def _size(x: Value) -> str:
    return "x".join(map(str, x.shape))


def _plain(x: Any) -> str:
    return ",".join(map(str, x)) if isinstance(x, tuple) else str(x)
