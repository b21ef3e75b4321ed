"""The table from each primitive to PyTorch, batch first and differentiable: `ir.kernels` says what each one means.

Decision: nothing is copied that PyTorch can compute in place of a copy. Padding that is equal on both sides goes into
the convolution or pool, and parts are views. Where two operands tie, the first has the whole gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import Tensor

from ...ir.kernels import FLOAT_MIN
from ...ir.ops import Pads, Pair

# -- multiply and add --------------------------------------------------------------------------------------------


def _conv(
    x: Tensor, w: Tensor, bias: Tensor | None = None, *, strides: Pair, pads: Pads, dilations: Pair, groups: int
) -> Tensor:
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return F.conv2d(x, w, bias, strides, (top, left), dilations, groups)
    return F.conv2d(F.pad(x, (left, right, top, bottom)), w, bias, strides, 0, dilations, groups)


def _conv_transpose(x: Tensor, w: Tensor, bias: Tensor | None = None, *, strides: Pair, pads: Pads) -> Tensor:
    top, left, bottom, right = pads
    if (top, left) == (bottom, right):
        return F.conv_transpose2d(x, w, bias, strides, (top, left))
    y = F.conv_transpose2d(x, w, bias, strides)
    return y[:, :, top : y.shape[2] - bottom, left : y.shape[3] - right]


def batch_norm(
    x: Tensor, scale: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, *, epsilon: float, outside: bool = False
) -> Tensor:
    """Batch normalization with stored statistics."""
    if not outside:
        return F.batch_norm(x, mean, variance, scale, bias, False, 0.0, epsilon)
    factor = scale / (variance.sqrt() + epsilon)
    shape = (-1,) + (1,) * (x.ndim - 2)
    return (x - mean.view(shape)) * factor.view(shape) + bias.view(shape)


# -- element by element ------------------------------------------------------------------------------------------


def _maximum(a: Tensor, b: Tensor) -> Tensor:
    """The larger; where both are equal the gradient is that of a (maxpool_layer.c looks for what is larger)."""
    if not torch.is_grad_enabled():
        return torch.maximum(a, b)
    if a.shape == b.shape and a.dtype == b.dtype:
        return _Larger.apply(a, b)
    return torch.where(a >= b, a, torch.maximum(a, b))


class _Larger(torch.autograd.Function):  # type: ignore[misc]  # PyTorch is not looked into
    """Of two of one shape: gradients that choose numbers, as those of `torch.where`, take ten times as long."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        first = torch.empty_like(a)
        ctx.save_for_backward(torch.ge(a, b, out=first))
        return torch.maximum(a, b)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, Tensor]:
        (first,) = ctx.saved_tensors
        to_first = g * first
        return to_first, g - to_first


def _clip(x: Tensor, *, low: float, high: float) -> Tensor:
    """Without a gradient at the ends themselves (activations.h relu6_gradient, hardtan_gradient)."""
    return F.hardtanh(x, low, high)


# -- windows and reductions --------------------------------------------------------------------------------------


# The identity of a maximum: -FLT_MAX, or the least number of a smaller type. As constants: `torch.compile` sees them.
LEAST = float(FLOAT_MIN)
LEAST_OF = {dtype: torch.finfo(dtype).min for dtype in (torch.float16, torch.bfloat16)}


def _max_pool(x: Tensor, *, kernel: Pair, strides: Pair, pads: Pads) -> Tensor:
    top, left, bottom, right = pads
    if (top, left) == (bottom, right) and 2 * top <= kernel[0] and 2 * left <= kernel[1]:
        return F.max_pool2d(x, kernel, strides, (top, left))
    if max(*kernel) <= 2 * min(x.shape[2:]) and max(pads) < max(kernel):
        return F.max_pool2d(F.pad(x, (left, right, top, bottom), value=LEAST_OF.get(x.dtype, LEAST)), kernel, strides)
    # Large windows one axis after the other, columns first: the first of the largest in the order of rows wins then.
    x = _max_along(x, 3, kernel[1], strides[1], left, right)
    return _max_along(x, 2, kernel[0], strides[0], top, bottom)


def _max_along(x: Tensor, axis: int, kernel: int, stride: int, before: int, after: int) -> Tensor:
    """The maximum over windows along one axis; Darknet's default padding is often more than the last one reaches."""
    count = (x.shape[axis] + before + after - kernel) // stride + 1
    reach = (count - 1) * stride + kernel
    after = max(0, reach - x.shape[axis] - before)
    sides = (0, 0, before, after) if axis == 2 else (before, after)
    x = F.pad(x, sides, value=LEAST_OF.get(x.dtype, LEAST)).narrow(axis, 0, reach)
    return F.max_pool2d(x, (kernel, 1) if axis == 2 else (1, kernel), (stride, 1) if axis == 2 else (1, stride))


def _avg_pool(x: Tensor, *, kernel: Pair, strides: Pair, pads: Pads) -> Tensor:
    top, left, bottom, right = pads
    if (top, left) == (bottom, right) and 2 * top <= kernel[0] and 2 * left <= kernel[1]:
        return F.avg_pool2d(x, kernel, strides, (top, left), count_include_pad=False)
    sides = (left, right, top, bottom)
    inside = F.pad(torch.ones((1, 1, *x.shape[2:]), dtype=x.dtype, device=x.device), sides)
    return F.avg_pool2d(F.pad(x, sides), kernel, strides) / F.avg_pool2d(inside, kernel, strides)


def _axes(axes: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(a + 1 for a in axes)


# -- moving values -----------------------------------------------------------------------------------------------


def _slice(
    x: Tensor, *, axes: tuple[int, ...], starts: tuple[int, ...], stops: tuple[int, ...], steps: tuple[int, ...]
) -> Tensor:
    index = [slice(None)] * x.ndim
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        index[axis + 1] = slice(start, stop, step)
    return x[tuple(index)]


def _pad(x: Tensor, *, pads: Pads, value: float) -> Tensor:
    top, left, bottom, right = pads
    return F.pad(x, (left, right, top, bottom), value=value)


def _gather(x: Tensor, *, axis: int, indices: tuple[int, ...]) -> Tensor:
    return x.index_select(axis + 1, torch.tensor(indices, device=x.device))


def _upsample(x: Tensor, *, scale: Pair) -> Tensor:
    return F.interpolate(x, scale_factor=(float(scale[0]), float(scale[1])), mode="nearest")


def _untile(x: Tensor, matrix: Tensor, *, size: Pair) -> Tensor:
    pixels, points = matrix.shape
    n, c, th, tw = x.shape
    length = math.isqrt(pixels)
    mixed = matrix @ x.reshape(n, points, -1)
    parts = mixed.reshape(n, length, length, c // points, th, tw).permute(0, 3, 4, 2, 5, 1)
    return parts.reshape(n, c // points, th * length, tw * length)[..., : size[0], : size[1]]


BINARY: dict[str, Callable[..., Tensor]] = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "maximum": _maximum,
}

KERNELS: dict[str, Callable[..., Tensor]] = {
    **BINARY,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": F.linear,
    "matmul": torch.matmul,
    "batch_norm": batch_norm,
    "clip": _clip,
    "leaky_relu": lambda x, *, slope: F.leaky_relu(x, slope),
    "elu": lambda x, *, alpha: F.elu(x, alpha),
    "power": lambda x, *, exponent: x.pow(exponent),
    "relu": F.relu,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "mish": F.mish,
    "swish": F.silu,
    "exp": torch.exp,
    "sqrt": torch.sqrt,
    "floor": torch.floor,
    "ceil": torch.ceil,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "reduce_max": lambda x, *, axes: x.amax(_axes(axes), keepdim=True),
    "reduce_mean": lambda x, *, axes: x.mean(_axes(axes), keepdim=True),
    "reduce_sum": lambda x, *, axes: x.sum(_axes(axes), keepdim=True),
    "softmax": lambda x, *, axis: x.softmax(axis + 1),
    "concat": lambda *xs, axis: torch.cat(xs, axis + 1),
    "slice": _slice,
    "pad": _pad,
    "reshape": lambda x, *, shape: x.reshape(x.shape[0], *shape),
    "transpose": lambda x, *, order: x.permute(0, *(i + 1 for i in order)),
    "gather": _gather,
    "upsample": _upsample,
    "untile": _untile,
    "repeat_batch": lambda x, like: x.expand(like.shape[0], *x.shape),
}
