"""A graph as a `torch.nn.Module`: differentiable, with its parameters under the names that the graph has for them.

Decision: the graph stays as it was lowered, because what is folded cannot be trained, and an interpreter walks over its
operations: a step costs a microsecond, and `torch.compile` and `torch.export` see through it. What training computes
differently comes as data (`ir.training`); in evaluation mode a module computes what every other back end does.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import Tensor, nn

from ...errors import BackendError
from ...ir.graph import Graph, Op, Param, Value
from ...ir.training import Rule, Training
from .kernels import BINARY, KERNELS
from .rules import apply_rule

STATISTICS = slice(3, 5)  # the operands of batch_norm that are learned by averaging


@dataclass(frozen=True, eq=False)
class _Step:
    """One operation: what it reads and where its result goes, as places in a list; what nobody reads later goes."""

    kind: str
    kernel: Any
    attrs: Mapping[str, Any]
    reads: tuple[int, ...]
    writes: int
    batched: bool
    last: tuple[int, ...]
    rules: tuple[Rule, ...]
    source: int  # where the source of a chained gradient is
    learns: bool  # a batch normalization with statistics of its own


@dataclass(frozen=True, eq=False)
class _Plan:
    """What computes some values: the places of inputs, and those of tensors that the module holds."""

    size: int
    inputs: tuple[int, ...]
    held: tuple[tuple[int, str, str], ...]  # place, name of the child, name in it
    steps: tuple[_Step, ...]
    results: tuple[tuple[int, bool], ...]  # place, whether it has a batch axis


class GraphModule(nn.Module):  # type: ignore[misc]  # PyTorch is not looked into
    """A graph, as it was lowered, in PyTorch.

    `state_dict()` has each parameter under its name in the graph (`0_convolutional.weights`). Stored statistics of
    batch normalization are buffers, and so are constants, which no state has.

    In training mode (`train()`) batch normalization is that of the batch and updates the stored statistics, and the
    rules of `training` hold; without these only the former. `iteration` is what rules that grow look at; set it.
    """

    iteration: int

    def __init__(self, graph: Graph, training: Training | None = None) -> None:
        """A module of `graph`, whose parameters must be loaded; with `training`, of that graph with the same arrays."""
        super().__init__()
        graph = graph if training is None else training.graph.with_data(graph.data)
        unloaded = [p for p in graph.params if p.value not in graph.data]
        if unloaded:
            raise BackendError(f"no weights loaded ({unloaded[0].value.name} is missing)")
        own = {p.value for p in graph.params}
        constants = {v: a for v, a in graph.data.items() if v not in own}
        self.graph = replace(graph, data=constants)
        self.rules = training or Training(self.graph)
        self.iteration = 0
        statistics = {v for op in graph.ops if op.kind == "batch_norm" for v in op.inputs[STATISTICS]}
        self._homes: dict[str, tuple[str, str]] = {}
        for param in graph.params:
            self._hold_param(param.value, graph.data[param.value], param.value in statistics)
        self.add_module("constants", nn.Module())
        for i, (value, array) in enumerate(constants.items()):
            self._modules["constants"].register_buffer(f"c{i}", _seen(array), persistent=False)
            self._homes[value.name] = "constants", f"c{i}"
        self._plans: dict[tuple[Value, ...], _Plan] = {}
        self._whole = self._planned(self.graph.roots)

    # -- what it computes ----------------------------------------------------------------------------------------

    def forward(self, image: Tensor, *states: Tensor) -> list[Tensor]:
        """The outputs of the graph, then the new states; inputs and results have a batch axis in front."""
        return self._run(self._whole, (image, *states))

    def values(self, inputs: Sequence[Tensor], wanted: Sequence[Value]) -> list[Tensor]:
        """Some values of the graph from the image and the states; only what they need is computed."""
        key = tuple(wanted)
        if key not in self._plans:
            self._plans[key] = self._planned(key)
        return self._run(self._plans[key], inputs)

    def tensor_of(self, param: Param | Value) -> Tensor:
        """The tensor that holds a parameter or a constant: a `Parameter`, or a buffer."""
        value = param.value if isinstance(param, Param) else param
        child, name = self._homes[value.name]
        return getattr(self._modules[child], name)

    def array_of(self, param: Param | Value) -> np.ndarray:
        """A copy of a parameter as it is now: float32, in the shape of the graph."""
        return as_array(self.tensor_of(param))

    def share(self, other: GraphModule) -> None:
        """Hold the parameters and statistics of another module, of the same layers at another input size."""
        for child, held in other._modules.items():
            if child != "constants":
                self._modules[child] = held

    # -- how -----------------------------------------------------------------------------------------------------

    def _hold_param(self, value: Value, array: np.ndarray, statistic: bool) -> None:
        child, _, name = value.name.rpartition(".")
        if child not in self._modules:
            self.add_module(child, nn.Module())
        holder = self._modules[child]
        assert holder is not None
        tensor = _as_tensor(array)
        if statistic:
            holder.register_buffer(name, tensor)
        else:
            holder.register_parameter(name, nn.Parameter(tensor))
        self._homes[value.name] = child, name

    def _planned(self, wanted: tuple[Value, ...]) -> _Plan:
        """The steps to some values, and the last reader of each place."""
        graph = self.graph
        live, ops = {*wanted}, []
        for op in reversed(graph.ops):
            if op.output in live:
                ops.append(op)
                live.update(self._reads(op))
        ops.reverse()
        known = {*graph.inputs, *(op.output for op in ops)}
        held = [v for v in live if v not in known]
        places = {v: i for i, v in enumerate((*graph.inputs, *held, *(op.output for op in ops)))}
        last: dict[Value, Op] = {v: op for op in ops for v in self._reads(op)}
        ends: dict[Op, list[int]] = {}
        for value, op in last.items():
            if value not in wanted and value in known:
                ends.setdefault(op, []).append(places[value])
        steps = tuple(self._step(op, places, tuple(ends.get(op, ()))) for op in ops)
        homes = tuple((places[v], *self._homes[v.name]) for v in held)
        inputs = tuple(places[v] for v in graph.inputs)
        return _Plan(len(places), inputs, homes, steps, tuple((places[v], v.batched) for v in wanted))

    def _reads(self, op: Op) -> tuple[Value, ...]:
        source = self.rules.source(op.output)
        return op.inputs if source is None else (*op.inputs, source)

    def _step(self, op: Op, places: Mapping[Value, int], last: tuple[int, ...]) -> _Step:
        rules, source = self.rules.rules.get(op.output, ()), self.rules.source(op.output)
        learns = op.kind == "batch_norm" and op.layer >= self.rules.frozen
        return _Step(
            op.kind, KERNELS[op.kind], dict(op.attrs), tuple(places[v] for v in op.inputs), places[op.output],
            op.output.batched, last, rules, -1 if source is None else places[source], learns,
        )  # fmt: skip

    def _run(self, plan: _Plan, inputs: Sequence[Tensor]) -> list[Tensor]:
        env: list[Any] = [None] * plan.size
        for place, tensor in zip(plan.inputs, inputs, strict=True):
            env[place] = tensor
        for place, child, name in plan.held:
            env[place] = getattr(self._modules[child], name)
        for step in plan.steps:
            operands = [env[i] for i in step.reads]
            env[step.writes] = self._trained(step, operands, env) if self.training else _computed(step, operands)
            for i in step.last:
                env[i] = None
        batch = inputs[0].shape[0]
        return [env[i] if batched else env[i].expand(batch, *env[i].shape) for i, batched in plan.results]

    def _trained(self, step: _Step, operands: list[Tensor], env: list[Any]) -> Tensor:
        """The result of a step in training mode."""
        if step.learns:
            x, scale, bias, mean, variance = operands
            y = F.batch_norm(x, mean, variance, scale, bias, True, self.rules.momentum, self.rules.epsilon)
        else:
            y = _computed(step, operands)
        for rule in step.rules:
            y = apply_rule(rule, y, None if step.source < 0 else env[step.source], self.iteration)
        return y

    # -- copies: graphs are shared, because their values are known by identity -----------------------------------

    def __deepcopy__(self, memo: dict[int, Any]) -> GraphModule:
        memo.update((id(x), x) for x in self._shared())
        made = type(self).__new__(type(self))
        memo[id(self)] = made
        made.__dict__ = copy.deepcopy(self.__dict__, memo)
        return made

    def _shared(self) -> tuple[object, ...]:
        """What copies of a module have in common."""
        return (self.graph, self.rules, self._plans, self._whole)

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in self.__dict__.items() if k not in ("_plans", "_whole")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._plans = {}
        self._whole = self._planned(self.graph.roots)


def as_array(tensor: Tensor) -> np.ndarray:
    """A copy of a tensor as float32, wherever it is."""
    return tensor.detach().to("cpu", torch.float32).contiguous().numpy().copy()


def _computed(step: _Step, operands: list[Tensor]) -> Tensor:
    """The result of a step."""
    if step.batched:
        return step.kernel(*operands, **step.attrs)
    first, *others = operands
    if step.kind in BINARY or step.kind == "concat":
        others = [x[None] for x in others]
    return step.kernel(first[None], *others, **step.attrs)[0]


def _as_tensor(array: np.ndarray) -> Tensor:
    """A tensor of its own; what is one number seen many times stays one."""
    seen = _seen(array)
    return seen if array.size and not any(array.strides) else seen.clone()


def _seen(array: np.ndarray) -> Tensor:
    """A tensor with the memory of an array, which nobody writes to: a network is as large as its weights once only."""
    if array.size and not any(array.strides):
        return torch.tensor(array.flat[0], dtype=torch.float32).expand(array.shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a tensor cannot be read-only as the array is
        return torch.from_numpy(np.ascontiguousarray(array, np.float32))
