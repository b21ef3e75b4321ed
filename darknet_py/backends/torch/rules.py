"""What rules of training become in PyTorch: dropout, and gradients that are not those of what is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import Tensor

from ...ir.training import Chained, ClipGradient, Dropout, Rule, ScaleGradient, StopGradient


def apply_rule(rule: Rule, y: Tensor, source: Tensor | None, iteration: int) -> Tensor:
    """What a rule makes of a value that was just computed; `source` is that of a `Chained` one."""
    match rule:
        case Dropout():
            return dropped(rule, y, iteration)
        case ClipGradient():
            return _ClippedGradient.apply(y, rule.limit, rule.finite)
        case ScaleGradient():
            return _ScaledGradient.apply(y, rule.factor)
        case StopGradient():
            return y.detach() if iteration < rule.until else y
        case Chained():
            return _ChainedGradient.apply(source, y.detach(), rule.slope)


# -- dropout -----------------------------------------------------------------------------------------------------


def dropped(rule: Dropout, x: Tensor, iteration: int) -> Tensor:
    """Dropout, of single numbers or of rectangles (dropout_layer_kernels.cu), with PyTorch's random numbers."""
    if rule.block is None:
        return F.dropout(x, rule.probability, training=True)
    grown = min(1.0, iteration / rule.ramp) if rule.ramp else 1.0
    height, width = (max(1, min(int(side * grown), n)) for side, n in zip(rule.block, x.shape[2:], strict=True))
    seeds = torch.rand_like(x) < rule.probability * grown / (height * width)
    covered = F.pad(seeds.to(x.dtype), ((width - 1) // 2, width // 2, (height - 1) // 2, height // 2))
    kept = 1 - F.max_pool2d(covered, (height, width), 1)
    share = kept.mean((1, 2, 3), keepdim=True)
    return x * kept / share.clamp(min=torch.finfo(x.dtype).tiny)


# -- gradients ---------------------------------------------------------------------------------------------------


class _ClippedGradient(torch.autograd.Function):  # type: ignore[misc]  # PyTorch is not looked into
    @staticmethod
    def forward(ctx: Any, x: Tensor, limit: float, finite: bool) -> Tensor:
        ctx.limit, ctx.finite = limit, finite
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        g = torch.nan_to_num(g, 0.0, 0.0, 0.0) if ctx.finite else g
        return g.clamp(-ctx.limit, ctx.limit), None, None


class _ScaledGradient(torch.autograd.Function):  # type: ignore[misc]  # PyTorch is not looked into
    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        return g * ctx.factor, None


class _ChainedGradient(torch.autograd.Function):  # type: ignore[misc]  # PyTorch is not looked into
    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, slope: str) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.slope = SLOPES[slope]
        return y.view_as(y)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None, None]:
        x, y = ctx.saved_tensors
        return g * ctx.slope(x, y), None, None


def _constant(x: Tensor, number: float) -> Tensor:
    return torch.full_like(x, number)


# By the name of a slope: the derivative from the source and the result (activations.h, activation_kernels.cu).
SLOPES: Mapping[str, Callable[[Tensor, Tensor], Tensor]] = {
    "share": lambda x, y: y,
    "positive share": lambda x, y: torch.where(y > 0, y, _constant(y, 1.0)),
    "softmax share": lambda x, y: y * (1 - y),
    "hard_mish": lambda x, y: torch.where(x > 0, _constant(x, 1.0), torch.where(x > -2, x + 1, _constant(x, 0.0))),
    "plse": lambda x, y: torch.where((y < 0) | (y > 1), _constant(y, 0.01), _constant(y, 0.125)),
    "lhtan": lambda x, y: torch.where((y > 0) & (y < 1), _constant(y, 1.0), _constant(y, 0.001)),
    "stair": lambda x, y: torch.where(y == y.floor(), _constant(y, 0.0), _constant(y, 1.0)),
}
