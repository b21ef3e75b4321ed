"""The loss of [cost]: squares, or Darknet's smooth L1 (cost_layer.c, blas.c l2_cpu, smooth_l1_cpu).

Decision: what goes back through a [softmax] before it skips that layer, as in Darknet, where such a layer hands on the
delta as it is: so the loss reads what the [softmax] reads, and takes the softmax itself.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ....darknet.layers.passthrough import Cost
from .head import HeadLoss, HeadPlace
from .result import LossResult, result, said
from .softmax import SoftmaxLoss

MASKED = -1234.0  # truth that says nothing (blas.h SECRET_NUM)


class CostLoss(HeadLoss):
    """The delta is truth minus number; the truth is (B, numbers of x). `before` are the layers that are skipped."""

    def __init__(self, place: HeadPlace, layer: Cost, before: tuple[SoftmaxLoss, ...] = ()) -> None:
        super().__init__(place)
        self.layer, self.before = layer, before

    def __call__(self, x: Tensor, truth: Tensor, *, seen: int = 0, iteration: int = 0) -> LossResult:
        with torch.no_grad():
            numbers = x.detach().float()
            for layer in self.before:
                numbers = layer.output(numbers).reshape(x.shape)
            wanted = truth.to(x.device, torch.float32).reshape(x.shape)
            off = wanted - numbers
            if self.layer.type_ == "masked":
                off = torch.where(wanted == MASKED, 0.0, off)
            delta, error = off, off * off
            if self.layer.type_ == "smooth":
                size_of = off.abs()
                delta = torch.where(size_of < 1, off, torch.where(off > 0, 1.0, -1.0))
                error = torch.where(size_of < 1, error, 2 * size_of - 1)
            losses = error.flatten(1).sum(1)
        says = said("")
        return result(x, losses.sum(), delta, error, losses, says, self.layer.scale)
