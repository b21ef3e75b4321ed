"""Whole iterations in the format of `golden_train/step`: gradients, parameters, outputs, rates and files afterwards.

Decision: a case is computed as the product computes it. What Darknet does and we do not is a row of `BUGS`: only where
the cfg has what it is about and the numbers are off, the case is computed again with that bug put in by `bugs`, and
has to agree then.
"""

from __future__ import annotations

import csv
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, reduce
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darknet_py.apps.train.losses import HeadLoss, head_loss
from darknet_py.apps.train.optimizer import DarknetOptimizer
from darknet_py.apps.train.schedule import rate
from darknet_py.backends.torch.module import GraphModule
from darknet_py.darknet import training
from darknet_py.darknet.compile import Compilation, compile_file
from darknet_py.darknet.layers.layer import layer_of
from darknet_py.darknet.updates import Update, updates
from darknet_py.darknet.weights import Header, Weights, read_weights, write_weights
from darknet_py.ir.graph import Param

from .bugs import Bugs, computing_with, unclipped
from .differences import Errors
from .glibc import RAND_MAX, rand
from .verdict import Verdict, cpu_bug, name_of, said_of

Arrays = Mapping[str, np.ndarray]

ROLES = {"rolling_mean": "mean", "rolling_variance": "variance"}
GRADIENTS = {"weight_updates": "weights", "bias_updates": "biases", "scale_updates": "scales"}
HEADS = frozenset({"cost", "softmax", "soft", "yolo", "Gaussian_yolo", "gaussian_yolo", "region", "detection"})
CONNECTED = ("connected", "conn")
CONVOLUTIONAL = ("convolutional", "conv")
UNTRAINED = (*CONNECTED, "local", "implicit", "rnn", "crnn", "lstm", "gru", "conv_lstm")  # no l.train in Darknet


@dataclass(frozen=True)
class Bug:
    """A row of the table: in which cases it may show, the reason for not doing it, and how it is put in."""

    applies: Callable[[Case], bool]
    reason: str
    change: Callable[[Bugs], Bugs]


@dataclass(frozen=True)
class Case:
    """A folder of `golden_train/step`."""

    folder: Path
    said: dict[str, Any]

    @cached_property
    def compilation(self) -> Compilation:
        """The cfg, compiled."""
        return compile_file(self.folder / "net.cfg").check()

    def arrays(self, name: str) -> Arrays:
        """The arrays of a file, none where it is missing."""
        path = self.folder / name
        if not path.is_file():
            return {}
        with np.load(path) as file:
            return dict(file)

    def has(self, *sections: str, **options: object) -> bool:
        """Whether a layer is of one of these sections, if any are named, and has one of these options."""
        found = (i for i in self.compilation.graph.layers if not sections or i.section in sections)
        return any(all(getattr(i.layer, k, None) == v for k, v in options.items()) for i in found)

    @property
    def rows(self) -> list[dict[str, str]]:
        """The lines of rates.csv, one for each iteration."""
        with (self.folder / "rates.csv").open(encoding="utf-8") as file:
            return [*csv.DictReader(file)]


def _stops(case: Case) -> bool:
    layers = [layer_of(info) for info in case.compilation.graph.layers]
    return any(layer.onlyforward or layer.stopbackward for layer in layers)


BUGS = (
    Bug(
        lambda case: not case.said.get("force_train") and case.has(*UNTRAINED),
        f"{', '.join(f'[{s}]' for s in UNTRAINED)} are never updated (training.md 2, 13): here they learn",
        lambda b: replace(b, never_learning=True),
    ),
    Bug(
        lambda case: case.said.get("oracle") == "ref" and case.has(*CONNECTED),
        "the CPU code, which made this case, does not limit the delta of [connected]: here CUDA's meaning holds",
        lambda b: replace(b, unclipped=True),
    ),
    Bug(
        lambda case: case.has(*CONNECTED, batch_normalize=1),
        "the bias gradient of a normalized [connected] is added twice (training.md 2, 13): here once",
        lambda b: replace(b, doubled_bias=True),
    ),
    Bug(
        _stops,
        "layers that no gradient reaches decay (training.md 3, 13): here they are left alone",
        lambda b: replace(b, unreached_decay=True),
    ),
    Bug(
        lambda case: case.has(activation="gelu"),
        "the slope of gelu is taken at its output (training.md 6, 13): here it is the true one",
        lambda b: replace(b, gelu_of_output=True),
    ),
    Bug(
        lambda case: case.has(*CONVOLUTIONAL, grad_centr=1, batch_normalize=1),
        "grad_centr of filters of any length: here, as in CUDA's kernel, of multiples of 32 only (training.md 2)",
        lambda b: replace(b, always_centred=True),
    ),
)


def fits(folder: Path) -> bool:
    """Whether a folder is such a case."""
    return all((folder / name).is_file() for name in ("net.cfg", "net.weights", "params_1.npz", "input.npy"))


def cases(folder: Path) -> Iterator[Verdict]:
    """What a folder that is a case comes to, and the tables of learning rates in one that is not."""
    if fits(folder):
        yield check(folder)
    for table in sorted(folder.glob("*.csv")):
        if table.with_suffix(".cfg").is_file():
            yield check_table(table)


def check(folder: Path) -> Verdict:
    """What a case comes to."""
    case, name = Case(folder, said_of(folder)), name_of(folder)
    off, figures = _compared(case, Bugs())
    if not off:
        return Verdict(name, figures=figures)
    if bug := cpu_bug(case.said):
        return Verdict(name, off, bug)
    rows = [row for row in BUGS if row.applies(case)]
    for some in chain.from_iterable(combinations(rows, n) for n in range(1, len(rows) + 1)):
        still, figures = _compared(case, reduce(lambda bugs, row: row.change(bugs), some, Bugs()))
        if not still:
            return Verdict(name, off, "; ".join(row.reason for row in some), f"with it {figures}")
    return Verdict(name, off)


# -- comparing -----------------------------------------------------------------------------------------------------


def _compared(case: Case, bugs: Bugs) -> tuple[str, str]:
    """What is off, and the figures, computing with some bugs."""
    errors = Errors()
    with computing_with(bugs, int(case.said.get("seed", 0))):
        _run(case, bugs, errors)
    return errors.off, errors.figures


def _run(case: Case, bugs: Bugs, errors: Errors) -> None:
    run = Run(case, bugs)
    for row in case.rows:
        step = int(row["iteration"])
        cost, used = run.iterate(errors if step == 1 else None)
        errors.compare("rates", f"iteration {step}", used, float(row["rate"]))
        errors.compare("costs", f"iteration {step}", cost, float(row["error"]))
        run.compare_parameters(step, errors)


# -- computing -----------------------------------------------------------------------------------------------------


class Run:
    """A case on its way: the module, its heads, the optimizer, and how many iterations are done."""

    def __init__(self, case: Case, bugs: Bugs) -> None:
        self.case, self.bugs = case, bugs
        compilation, said = case.compilation, case.said
        graph = compilation.graph
        loaded = read_weights(case.folder / "net.weights", graph)
        rules = training.training_of(replace(compilation, graph=graph.with_data(loaded.arrays)))
        self.graph = rules.graph
        self.module = GraphModule(self.graph, unclipped(rules) if bugs.unclipped else rules).train()
        whole = replace(compilation, graph=self.graph)
        heads = [i.index for i in self.graph.layers if i.section in HEADS]
        self.heads: list[tuple[int, HeadLoss]] = [(i, head_loss(whole, i)) for i in heads]
        self.updates = updates(self.graph, compilation.net)
        if bugs.always_centred:
            self.updates = tuple(replace(rule, centred=self._may_be_centred(rule)) for rule in self.updates)
        tensors = {rule.name: self.module.tensor_of(rule.param) for rule in self.updates}
        self.optimizer = DarknetOptimizer(tensors, self.updates, compilation.net)
        self.places = dict(_places(self.updates, self.graph.params))
        self.subdivisions = int(said.get("subdivisions", 1))
        self.iteration, self.seen = int(said.get("start_iteration", 0)), int(said.get("start_seen", 0))
        self.images = torch.from_numpy(np.load(case.folder / "input.npy"))
        self.truth = torch.from_numpy(np.load(case.folder / "truth.npy"))

    def iterate(self, errors: Errors | None) -> tuple[float, float]:
        """One iteration: the mean cost as Darknet prints it, and the rate; the first compares what is in between."""
        self.module.iteration = self.iteration
        parts = zip(self.images.chunk(self.subdivisions), self.truth.chunk(self.subdivisions), strict=True)
        total = sum(self._mini_batch(x, t, errors if n == 0 else None) for n, (x, t) in enumerate(parts))
        self._put_in_bugs()
        if errors:
            self._compare_gradients(errors)
        self._unlearn()
        self.iteration += 1
        return total / len(self.images), self.optimizer.step(self.iteration)

    def _mini_batch(self, images: torch.Tensor, truth: torch.Tensor, errors: Errors | None) -> float:
        self.seen += len(images)
        layers = [i for i in self.graph.layers if i.section not in HEADS]
        wanted = [*(i.output for i in layers), *(loss.source for _, loss in self.heads)]
        states = [torch.zeros(len(images), *s.input.shape) for s in self.graph.states]
        values = self.module.values([images, *states], wanted)
        outputs = {f"L{i.index:03d}": v for i, v in zip(layers, values[: len(layers)], strict=True)}
        for info in reversed(layers):
            if info.section == "dropout":  # it works in place: the layer before it is recorded as what is left of it
                outputs[f"L{info.inputs[0]:03d}"] = outputs[f"L{info.index:03d}"]
        results = []
        for (index, loss), x in zip(self.heads, values[len(layers) :], strict=True):
            results.append(loss(x, truth, seen=self.seen, iteration=self.iteration))
            outputs[f"delta_L{index:03d}"] = results[-1].delta
        total = torch.stack([r.cost for r in results]).sum()
        if total.requires_grad:  # not where `stopbackward` is in the last layer
            total.backward()
        if errors:
            self._compare_outputs(outputs, errors)
        return sum(r.cost.item() for r in results) / len(results)

    def _put_in_bugs(self) -> None:
        for rule in self.updates:
            tensor, info = self.module.tensor_of(rule.param), self.graph.layer(rule.layer)
            if self.bugs.unreached_decay and tensor.grad is None:
                tensor.grad = torch.zeros_like(tensor)
            if tensor.grad is None:
                continue
            normalized = info.section in CONNECTED and bool(getattr(info.layer, "batch_normalize", False))
            if self.bugs.doubled_bias and normalized and rule.param.role == "biases":
                tensor.grad *= 2

    def _may_be_centred(self, rule: Update) -> bool:
        layer = self.graph.layer(rule.layer).layer
        asked = getattr(layer, "grad_centr", 0) and getattr(layer, "batch_normalize", 0)
        return bool(asked) and rule.param.role == "weights"

    def _unlearn(self) -> None:
        for rule in self.updates:
            if self.bugs.never_learning and self.graph.layer(rule.layer).section in UNTRAINED:
                self.module.tensor_of(rule.param).grad = None

    def _compare_outputs(self, outputs: Mapping[str, torch.Tensor], errors: Errors) -> None:
        for name, wanted in self.case.arrays("outputs_1.npz").items():
            if name in outputs:
                kind = "deltas" if name.startswith("delta") else "outputs"
                errors.compare(kind, name, outputs[name].detach().numpy(), wanted)

    def _compare_gradients(self, errors: Errors) -> None:
        for name, wanted in self.case.arrays("grads_1.npz").items():
            layer, _, kind = name.partition(".")
            param = self.places.get((int(layer[1:]), GRADIENTS.get(kind, kind)))
            if param is None:
                errors.missing.append(f"no parameter for {name}")
                continue
            grad = self.module.tensor_of(param).grad
            errors.compare("gradients", name, np.zeros(wanted.shape) if grad is None else -grad.numpy(), wanted)

    def compare_parameters(self, step: int, errors: Errors) -> None:
        """The parameters after an iteration, those of a weights file, and the running mean, where there are any."""
        for name, wanted in self.case.arrays(f"params_{step}.npz").items():
            layer, _, role = name.partition(".")
            param = self.places.get((int(layer[1:]), ROLES.get(role, role)))
            if param is None:
                errors.missing.append(f"no parameter for {name}")
                continue
            errors.compare("parameters", f"{name} after {step}", self.module.array_of(param), wanted)
        self._compare_file(step, errors)
        mean = self.optimizer.ema.mean if self.optimizer.ema else {}
        for name, wanted in self.case.arrays("ema.npz").items():
            kept, _, place = name.partition(".")
            layer, _, role = place.partition(".")
            if kept == f"ema{step}":
                got = mean[self.places[int(layer[1:]), role].value.name]
                errors.compare("parameters", f"{place} of the running mean after {step}", got.numpy(), wanted)

    def _compare_file(self, step: int, errors: Errors) -> None:
        wanted = self.case.folder / f"after_{step}.weights"
        if not wanted.is_file():
            return
        graph = self.case.compilation.graph
        arrays = {p.value: self.module.array_of(p) for p in graph.params}
        with tempfile.TemporaryDirectory() as folder:
            own = Path(folder, "own.weights")
            write_weights(own, graph, Weights(Header(seen=self.seen), arrays))
            if own.stat().st_size != wanted.stat().st_size:
                errors.missing.append(f"{wanted.name} has {wanted.stat().st_size} bytes, ours {own.stat().st_size}")
                return
            ours, theirs = read_weights(own, graph).arrays, read_weights(wanted, graph).arrays
        for param in graph.params:
            errors.compare("parameters", f"{wanted.name} {param.value.name}", ours[param.value], theirs[param.value])


def _places(rules: tuple[Update, ...], params: tuple[Param, ...]) -> Iterator[tuple[tuple[int, str], Param]]:
    """Each parameter by layer and role; those that are shared by each layer that uses them."""
    yield from (((p.layer, p.role), p) for p in params)
    for rule in rules:
        if rule.layer != rule.param.layer:
            yield from (((rule.layer, p.role), p) for p in params if p.layer == rule.param.layer)


# -- learning rates ------------------------------------------------------------------------------------------------


def check_table(table: Path) -> Verdict:
    """What a table comes to; of policy random, with what glibc draws after srand of the seed in the table's name."""
    seed = re.search(r"seed(\d+)$", table.stem)
    numbers = rand(int(seed[1]) if seed else 1)
    net, errors = compile_file(table.with_suffix(".cfg")).check().net, Errors()
    with table.open(encoding="utf-8") as file:
        rows = [(int(row["batch_num"]), float(row["rate"])) for row in csv.DictReader(file)]
    for iteration, wanted in rows:
        got = rate(net, iteration)
        if net.policy == "random" and iteration >= net.burn_in:
            got = net.learning_rate * (next(numbers) / RAND_MAX) ** net.power
        errors.compare("rates", f"iteration {iteration}", got, wanted)
    return Verdict(name_of(table.with_suffix("")), errors.off, figures=errors.figures)
