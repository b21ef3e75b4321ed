"""Heads in the format of `golden_train/loss`: deltas, outputs, costs, printed numbers, and the gradients of weights.

Decision: what the head reads comes out of the module that is trained, so that one pass shows deltas and gradients, and
cases with batch normalization need nothing else. Where a case needs a bug of Darknet that is not copied, everything is
compared but the cells of the objects that meet it; `needs_bug` says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from darknet_py.apps.train.losses import HeadLoss, LossResult, head_loss
from darknet_py.backends.torch.module import GraphModule
from darknet_py.darknet.compile import Compilation, compile_file
from darknet_py.darknet.layers.heads.gaussian_yolo import GaussianYolo
from darknet_py.darknet.layers.heads.region import Region
from darknet_py.darknet.layers.heads.yolo import AnchorHead
from darknet_py.darknet.layers.layer import layer_of
from darknet_py.darknet.training import training_of
from darknet_py.darknet.weights import read_weights

# How far numbers may be off, in parts of the largest of an array, of the cost, of the total loss.
DELTA, OUTPUT, COST, GRADIENT, PRINTED = 1e-5, 1e-5, 1e-4, 1e-4, 1e-5

ROLES = {"weight_updates": "weights", "bias_updates": "biases", "scale_updates": "scales"}
NUMBER = re.compile(r"(-?(?:nan|inf|\d+(?:\.\d+)?))")

# Which bugs of Darknet are not copied: why the objects that meet one are left out of the comparison.
EDGE = (
    "an object whose centre is at an edge or beyond lands in another row (training.md 7, 13); here in the nearest cell"
)
SIZELESS = "mse gives -inf to the size of an object that has none (training.md 7, 13); here nothing"
NO_NUMBER = "an object with a NaN writes out of bounds; here it is left out"
NO_CLASS = "an object of a class that there is not writes elsewhere (training.md 8); here it is left out"


@dataclass(frozen=True)
class Case:
    """A folder of `golden_train/loss`."""

    folder: Path

    @cached_property
    def said(self) -> dict[str, Any]:
        """What meta.json says."""
        return json.loads((self.folder / "meta.json").read_text("utf-8"))

    @cached_property
    def compilation(self) -> Compilation:
        """The cfg with its weights."""
        compilation = compile_file(self.folder / "net.cfg").check()
        graph = compilation.graph
        return replace(compilation, graph=graph.with_data(read_weights(self.folder / "net.weights", graph).arrays))

    @cached_property
    def mini_batches(self) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Pictures and truth of each mini batch."""
        images, truth = (torch.from_numpy(np.load(self.folder / f"{n}.npy")) for n in ("input", "truth"))
        size = self.said["batch"]
        return [(images[i : i + size], truth[i : i + size]) for i in range(0, len(images), size)]

    def array(self, name: str, index: int) -> np.ndarray:
        """The array of a head: a file with its number, or the only one."""
        own = self.folder / f"{name}_L{index:03d}.npy"
        return np.load(own if own.is_file() else self.folder / f"{name}.npy")

    @cached_property
    def bugs(self) -> dict[int, list[tuple[str, int, int]]]:
        """For each head (reason, picture, cell) of what a bug of Darknet does otherwise."""
        truth = self.mini_batches[0][1].numpy()
        heads = (head["layer"] for head in self.said["heads"])
        return {i: list(_bugs(self.compilation, i, truth)) for i in heads}


def fits(folder: Path) -> bool:
    """Whether a folder is such a case."""
    names = {p.name for p in folder.iterdir()} if folder.is_dir() else set()
    return {"net.cfg", "meta.json", "truth.npy"} <= names and any(n.startswith("delta") for n in names)


def needs_bug(folder: Path) -> str | None:
    """Which bug of Darknet that is not copied a case needs, None if it needs none."""
    reasons = {reason for found in Case(folder).bugs.values() for reason, _, _ in found}
    return "; ".join(sorted(reasons)) or None


def check(folder: Path) -> str | None:
    """What of a case is off, and by how much; None where nothing is."""
    return "; ".join(_off(Case(folder))) or None


def figures(folder: Path) -> dict[str, float]:
    """How far the numbers of a case are off, at most, in parts of what `check` allows them to be parts of."""
    case, found = Case(folder), dict.fromkeys(("delta", "output", "cost", "gradient"), 0.0)
    for name, _, off, _ in _compared(case, _run(case)):
        found[name] = max(found[name], off)
    return found


def _run(case: Case) -> tuple[GraphModule, list[tuple[HeadLoss, LossResult]]]:
    """The module after one backward of all mini batches, and the results of the first."""
    # The untouched CPU code ("ref") has none of what is peculiar to CUDA, such as the clipped delta of [connected].
    rules = training_of(case.compilation, quirks=case.said.get("oracle") != "ref")
    module = GraphModule(rules.graph, rules).train()
    whole = replace(case.compilation, graph=rules.graph)
    losses = [head_loss(whole, head["layer"]) for head in case.said["heads"]]
    first: list[tuple[HeadLoss, LossResult]] = []
    seen = int(case.said["seen_before"])
    for images, truth in case.mini_batches:
        seen += len(images)
        read = module.values([images], [loss.source for loss in losses])
        results = [loss(x, truth, seen=seen) for loss, x in zip(losses, read, strict=True)]
        torch.stack([result.cost for result in results]).sum().backward()
        first = first or list(zip(losses, results, strict=True))
    return module, first


def _off(case: Case) -> Iterator[str]:
    run = _run(case)
    for name, place, off, limit in _compared(case, run):
        if not off <= limit:
            yield f"{name}{place} off by {off:.1e} of its scale"
    if any(case.bugs.values()):
        return
    printed = iter(case.said["printed"])
    for (loss, result), head in zip(run[1], case.said["heads"], strict=True):
        line = next(printed)["line"].strip() if result.said.line else ""
        if not same_line(result.said.line, line):
            yield f"{head['type']} {loss.info.index} says {result.said.line!r}, not {line!r}"
    for name, key in (("total_bbox", "boxes"), ("rewritten_bbox", "rewritten")):
        count = sum(int(result.said.values.get(key, 0)) for _, result in run[1])
        if count != case.said.get(name, count):
            yield f"{name} {count}, not {case.said[name]}"


def _compared(
    case: Case, run: tuple[GraphModule, list[tuple[HeadLoss, LossResult]]]
) -> Iterator[tuple[str, str, float, float]]:
    """What is compared: its kind, its place, how far it is off, and how far it may be."""
    module, results = run
    for (loss, result), head in zip(results, case.said["heads"], strict=True):
        index = loss.info.index
        place = f" of layer {index}" if len(results) > 1 else ""
        bugs = case.bugs[index]
        yield "output", place, _difference(result.output, case.array("output", index)), OUTPUT
        yield "delta", place, _difference(result.delta, case.array("delta", index), bugs), DELTA
        if not bugs:
            yield "cost", place, _difference(result.cost, np.float64(head["cost"])), COST
    path = case.folder / "grads.npz"
    if not path.is_file() or any(case.bugs.values()):
        return
    params = {(p.layer, p.role): p for p in module.graph.params}
    with np.load(path) as arrays:
        for name, wanted in arrays.items():
            layer, _, kind = name.partition(".")
            param = params.get((int(layer[1:]), ROLES.get(kind, kind)))
            grad = module.tensor_of(param).grad if param else None
            off = np.inf if grad is None else _difference(-grad, wanted)
            yield "gradient", f" {name}", off, GRADIENT


def _difference(got: torch.Tensor, wanted: Any, bugs: list[tuple[str, int, int]] | None = None) -> float:
    """The largest difference in parts of the largest wanted number, without the cells of some objects."""
    ours, theirs = got.detach().numpy().reshape(wanted.shape), np.asarray(wanted)
    for _, image, cell in bugs or ():
        rows, columns = theirs.shape[2:]
        row, column = divmod(cell % (rows * columns), columns)  # below the last row the next anchor begins
        ours, theirs = ours.copy(), theirs.copy()
        ours[image, :, row, column] = theirs[image, :, row, column] = 0
    if not theirs.size:
        return 0.0
    scale = float(np.abs(theirs).max())
    return float(np.abs(ours - theirs).max()) / (scale or 1.0)


def same_line(ours: str, theirs: str) -> bool:
    """Whether two printed lines say the same: losses up to PRINTED of the total, others up to their last digit.

    >>> same_line("IOU: 0.5, iou_loss = 2.0, total_loss = 9.00001", "IOU: 0.5, iou_loss = 2.0, total_loss = 9.00003")
    True
    >>> same_line("IOU: 0.51, total_loss = 9.0", "IOU: 0.53, total_loss = 9.0")
    False
    """
    one, other = NUMBER.split(ours), NUMBER.split(theirs)
    if one[::2] != other[::2]:
        return False
    total = abs(float(other[-2])) if len(other) > 1 and "total_loss" in theirs else 0.0
    return all(
        _same_number(a, b, total if before.endswith("_loss = ") else 0.0)
        for before, a, b in zip(other[::2], one[1::2], other[1::2], strict=False)
    )


def _same_number(ours: str, theirs: str, total: float) -> bool:
    if ours == theirs:
        return True
    last = 10.0 ** -len(theirs.partition(".")[2]) if "." in theirs else 0.0
    return abs(float(ours) - float(theirs)) <= 1.01 * last + PRINTED * total


def _bugs(compilation: Compilation, index: int, truth: np.ndarray) -> Iterator[tuple[str, int, int]]:
    """The objects (reason, picture, cell) with which Darknet does something that is not done here."""
    info = compilation.graph.layer(index)
    layer = layer_of(info)
    if not isinstance(layer, AnchorHead | Region):
        return
    _, rows, columns = info.output.shape
    squares = isinstance(layer, Region) or (layer.iou_loss == "mse" and not isinstance(layer, GaussianYolo))
    pointed = isinstance(layer, GaussianYolo) and layer.yolo_point != "center"
    for image, objects in enumerate(truth):
        for x, y, w, h, kind, *_ in objects[: layer.max_]:
            if x == 0:
                break
            finite = bool(np.isfinite([x, y, w, h, kind]).all())
            column, row = (int(np.float32(v * n)) if finite else 0 for v, n in ((x, columns), (y, rows)))
            near = (min(max(column, 0), columns - 1), min(max(row, 0), rows - 1))
            reasons = {
                NO_NUMBER: not finite, EDGE: near != (column, row) and not pointed,
                SIZELESS: squares and (w == 0 or h == 0),
                NO_CLASS: (not isinstance(layer, AnchorHead) and kind <= -1) or (isinstance(layer, GaussianYolo) and (
                    kind <= -1 or kind >= layer.classes
                )),
            }  # fmt: skip
            for reason in (r for r, met in reasons.items() if met):
                yield reason, image, row * columns + column
                yield reason, image, near[1] * columns + near[0]
