"""What the loss of a head gives, and how it reaches autograd.

Decision: Darknet's deltas are not the gradients of its cost, so the cost carries them: its backward puts minus the
delta into the gradient of what the head read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor


class _Carry(torch.autograd.Function):  # type: ignore[misc]  # PyTorch is not looked into
    """The cost, whose gradient by `x` is minus what the head sends back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cost: Tensor, sent: Tensor) -> Tensor:
        ctx.save_for_backward(sent)
        ctx.dtype = x.dtype
        return cost.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (sent,) = ctx.saved_tensors
        return (sent * -grads[0]).to(ctx.dtype), None, None


@dataclass(frozen=True, eq=False)
class Said:
    """The numbers that Darknet prints of a head, by name, and its line.

    They stay on the device until the first is asked for: a trainer that prints every tenth iteration waits for the GPU
    in every tenth. Names: `iou`, `count`, `skipped` (objects left out) and, of [yolo], `class_loss`, `iou_loss`,
    `total_loss`, `boxes` and `rewritten` (to be added up over iterations for Darknet's "rewritten_bbox"); of
    [Gaussian_yolo] also `uc_loss`, `class`, `obj`, `no_obj`, `half` and `most` (IoU above .5 and .75); of [region]
    `class`, `obj`, `no_obj`, `recall`; of [detection] `class`, `all_class`, `obj`, `any_obj`.
    """

    names: tuple[str, ...]
    numbers: Tensor  # on the device, one for each of `names`
    known: Mapping[str, float]  # those that never were there
    template: str = ""  # of printf, with the names of both

    @cached_property
    def values(self) -> Mapping[str, float]:
        """The numbers by name; waits for the device."""
        return {**dict(zip(self.names, self.numbers.tolist(), strict=True)), **self.known}

    def __getitem__(self, name: str) -> float:
        return self.values[name]

    @cached_property
    def line(self) -> str:
        """What Darknet prints, without the end of the line; '' for a head of which it prints nothing."""
        return (self.template % self.values).replace("nan", "-nan")  # as glibc prints 0 / 0 on x86


def said(template: str, **numbers: Any) -> Said:
    """Numbers (0-dim tensors of one device, or plain ones) as `Said`, without waiting for the device."""
    there = {name: number.float() for name, number in numbers.items() if isinstance(number, torch.Tensor)}
    known = {name: number for name, number in numbers.items() if name not in there}
    together = torch.stack([*there.values()]) if there else torch.zeros(0)
    return Said(tuple(there), together, known, template)


@dataclass(frozen=True, eq=False)
class LossResult:
    """What a head makes of what it read.

    `cost` (0-dim) is Darknet's l.cost, and carries the gradient; `delta` is Darknet's l.delta (minus the gradient,
    summed over the pictures) and `sent` what it adds to the delta of the layer before: they differ by
    delta_normalizer, or [cost]'s scale. Both have the shape of x. `output` is what Darknet's layer outputs.
    `per_sample` (B,) is the cost that each picture alone would have: Darknet has nothing like it, it is for finding
    wrong labels.
    """

    cost: Tensor
    delta: Tensor
    sent: Tensor
    output: Tensor
    per_sample: Tensor
    said: Said


def result(
    x: Tensor, cost: Tensor, delta: Tensor, output: Tensor, per_sample: Tensor, said: Said, factor: float = 1.0
) -> LossResult:
    """The result for `x`, which may require a gradient; `factor` is of what goes back."""
    delta = delta.reshape(x.shape)
    sent = delta if factor == 1 else delta * factor
    return LossResult(_Carry.apply(x, cost, sent), delta, sent, output, per_sample, said)
