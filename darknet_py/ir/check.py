"""The checker: what must be true of every graph, before and after every pass."""

from __future__ import annotations

from .graph import Graph, Op, Value
from .ops import PRIMITIVES


class InvalidGraph(AssertionError):
    """A graph that a lowering or a pass has broken: a bug in this package, never the user's fault."""


def check(graph: Graph) -> Graph:
    """Return the graph if it is sound; raise `InvalidGraph` naming the first operation that is not.

    Sound: every value is defined once and before its use, names are unique, every operation has all attributes of its
    primitive and the shape that this says, every parameter and constant that is read has its place, and outputs and
    states are defined.
    """
    defined = {*graph.inputs, *graph.data, *(p.value for p in graph.params)}
    names = {v.name for v in defined}
    _require(len(names) == len(defined), "two inputs, constants or parameters share a name")
    for op in graph.ops:
        problem = _problem(op, defined, names)
        _require(not problem, f"{op}: {problem}" if problem else "")
        defined.add(op.output)
        names.add(op.output.name)
    for value in graph.roots:
        _require(value in defined, f"the output {value} is not defined")
    for value, array in graph.data.items():
        _require(array.shape == value.shape, f"{value} holds an array of shape {array.shape}")
    return graph


def _problem(op: Op, defined: set[Value], names: set[str]) -> str | None:
    primitive = PRIMITIVES.get(op.kind)
    if primitive is None:
        return "unknown primitive"
    if missing := primitive.attributes - op.attrs.keys():
        return f"it lacks {' and '.join(sorted(missing))}"
    if not all(v in defined for v in op.inputs):
        return "reads a value that is not defined yet"
    if op.output.name in names:
        return "its name is taken"
    try:
        shape = primitive.shape(*(v.shape for v in op.inputs), **op.attrs)
    except (ArithmeticError, LookupError, TypeError, ValueError) as e:  # a rule takes its operands apart as it likes
        return str(e)
    if shape != op.output.shape:
        return f"its shape should be {shape}"
    batched = any(v.batched for v in op.inputs)
    return None if batched == op.output.batched else f"its batch axis should be {batched}"


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InvalidGraph(message)
