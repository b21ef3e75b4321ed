"""The network of a training: one set of parameters, as a module at each input size, its losses and its optimizer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ... import files
from ...darknet.compile import Compilation
from ...darknet.foreign.converted import converted
from ...darknet.foreign.kinds import is_checkpoint
from ...darknet.initial import completed, initial_weights
from ...darknet.program import program_of
from ...darknet.updates import Update, updates
from ...darknet.weights import Weights, parse_weights, read_weights
from ...errors import DataError, Say
from ...ir.graph import Graph
from ...model.model import Model
from ...torch import DarknetModule
from . import schedule
from .ema import Mean
from .losses import HeadLoss, LossFilters, losses_of
from .optimizer import DarknetOptimizer
from .plan import Plan

Size = tuple[int, int]
MAX_WEIGHTS = 1 << 33  # bytes of a file that a training reads and writes again


@dataclass(eq=False)
class Trained:
    """The parameters in training: `module` at the cfg's size, others made of it when they are wanted."""

    plan: Plan
    module: DarknetModule
    optimizer: DarknetOptimizer
    filters: LossFilters
    mean: Mean | None = None
    _modules: dict[Size, DarknetModule] = field(default_factory=dict)
    _losses: dict[Size, Sequence[HeadLoss]] = field(default_factory=dict)

    @property
    def size(self) -> Size:
        """The cfg's (height, width)."""
        return self.plan.net.height, self.plan.net.width

    def at(self, size: Size) -> DarknetModule:
        """The module for pictures of (height, width), with the parameters that all sizes share."""
        if size == self.size:
            return self.module
        if size not in self._modules:
            compilation = self.plan.at(size)
            self._modules[size] = _sharing(self.module, compilation, self.plan.settings.freeze)
            self._losses[size] = _losses(compilation, self._modules[size], self.filters)
        return self._modules[size]

    def losses(self, size: Size) -> Sequence[HeadLoss]:
        """The losses of its heads, as `at` has them."""
        self.at(size)
        if size not in self._losses:
            compilation = replace(self.plan.compilation, net=self.plan.net)
            self._losses[size] = _losses(compilation, self.module, self.filters)
        return self._losses[size]

    @contextmanager
    def settled(self) -> Iterator[None]:
        """A block in which the module has the running mean of what it learned, if there is one."""
        with self.mean.in_place() if self.mean else nullcontext():
            yield

    def model(self) -> Model:
        """The network as it is now, to be measured: in PyTorch, in evaluation mode."""
        contract = program_of(self.plan.compilation).contract
        return Model(_Now(self.module), replace(contract, names=self.plan.names, origin=str(self.plan.cfg)))


class _Now:
    """A session of a module that is in training: it computes with the parameters of the moment."""

    def __init__(self, module: DarknetModule) -> None:
        self.module = module

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Outputs for a batch of inputs, in evaluation mode."""
        device = next(iter(self.module.parameters())).device
        self.module.eval()
        with torch.inference_mode():
            results = self.module(*(torch.from_numpy(np.ascontiguousarray(x)).to(device) for x in inputs))
        self.module.train()
        return [y.float().cpu().numpy() for y in results]


def open_trained(plan: Plan, device: torch.device, say: Say) -> Trained:
    """The network of a plan with the parameters that it begins with. Raises `DarknetError`."""
    graph, settings = plan.compilation.graph, plan.settings
    weights = _begin(plan, say)
    module = DarknetModule(replace(plan.compilation, net=plan.net), weights, freeze=settings.freeze).to(device)
    rules = [_frozen(rule, settings.freeze) for rule in updates(graph, plan.net)]
    for rule in rules:
        module.tensor_of(rule.param).requires_grad_(not rule.frozen)
    if all(rule.frozen for rule in rules):
        raise DataError("no layer with parameters is trained\n  hint: freeze fewer layers (--freeze, stopbackward=)")
    filters = LossFilters()
    rate_of = (lambda n: schedule.cosine(plan.net, n)) if settings.schedule == "cosine" else None
    optimizer = DarknetOptimizer(
        {rule.name: module.tensor_of(rule.param) for rule in rules}, rules, plan.net,
        rate_of=rate_of or (lambda n: schedule.rate(plan.net, n, settings.seed)),
        adamw=settings.optimizer == "adamw", max_norm=settings.clip_norm,
    )  # fmt: skip
    return Trained(plan, module, optimizer, filters, Mean(module, settings.ema) if settings.ema else None)


def _losses(compilation: Compilation, module: DarknetModule, filters: LossFilters) -> Sequence[HeadLoss]:
    """The losses of a module's heads: a head may read what only the graph of the training has, such as a dropout."""
    return losses_of(replace(compilation, graph=module.graph), filters)


def _frozen(rule: Update, before: int) -> Update:
    return replace(rule, frozen=rule.frozen or rule.layer < before)


def _begin(plan: Plan, say: Say) -> Weights:
    """The parameters at the beginning: Darknet's random numbers, and over them what the weights file holds."""
    graph, path = plan.compilation.graph, plan.weights
    if path is None:
        say("no weights: all parameters are random, and the first thousand iterations go into edges and colours")
        _doubt_of_frozen(plan, sorted({p.layer for p in graph.params}), say)
        return initial_weights(graph, plan.settings.seed)
    held = _own_or_read(plan, graph, say)
    missing = sorted({p.layer for p in graph.params if p.value not in held.arrays})
    if missing:
        say(f"{path} ends before layer {missing[0]}: the parameters from there on are random")
        _doubt_of_frozen(plan, missing, say)
    return completed(graph, held, plan.settings.seed)


def _doubt_of_frozen(plan: Plan, random: Sequence[int], say: Say) -> None:
    """Say that a layer is kept as it is, and that what is kept is random."""
    if random and random[0] < plan.settings.freeze:
        say(
            f"freeze={plan.settings.freeze} keeps layer {random[0]} as it is, with random parameters: it never learns\n"
            "  hint: begin with WEIGHTS that hold it, or freeze fewer layers"
        )


def _own_or_read(plan: Plan, graph: Graph, say: Say) -> Weights:
    """A weights file, or another program's checkpoint.

    One that this training writes again is not noted as read, or it could not be written.
    """
    path = plan.weights
    assert path is not None
    if is_checkpoint(path):
        return converted(path, plan.compilation, say)[1]
    if path.resolve().parent != plan.backup.resolve():
        return read_weights(path, graph, allow_partial=True)
    with files.reading(path, "weights file", note=False) as file:
        return parse_weights(file.read(MAX_WEIGHTS), graph, str(path))


def _sharing(module: DarknetModule, compilation: Compilation, freeze: int) -> DarknetModule:
    """A module of the same network at another size, with the same tensors."""
    graph = compilation.graph
    shapes = {p.value.name: p.value.shape for p in module.graph.params}
    for p in graph.params:
        if shapes.get(p.value.name) != p.value.shape:
            info = graph.layer(p.layer)
            raise DataError(
                f"layer {info.index} [{info.section}] has other parameters at {graph.image.shape[2]}x"
                f"{graph.image.shape[1]}: this network cannot be trained at changing sizes\n  hint: set random=0"
            )
    nothing = {p.value: np.broadcast_to(np.float32(0), p.value.shape) for p in graph.params}
    made = DarknetModule(compilation, Weights(module.header, nothing), freeze=freeze)
    made.share(module)
    return made
