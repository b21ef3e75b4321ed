"""The meaning of each primitive: a NumPy kernel, float32, any batch. Every back end is held to these.

The exact kernels round where Darknet does: products are added up one input channel and tap after another (gemm.c
gemm_nn).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from .kernels_conv import conv, conv_in_order, conv_transpose, matmul_in_order, padded
from .ops import Pads, Pair

FLOAT_MIN = np.finfo(np.float32).min  # -FLT_MAX, the identity of maxpool_layer.c

Array = np.ndarray


def run_op(
    kind: str,
    operands: list[Array],
    batched: bool,
    attrs: Mapping[str, Any],
    kernels: Mapping[str, Callable[..., Array]] | None = None,
) -> Array:
    """Apply one primitive. Without a batch axis, one of length 1 is added for the kernel and taken off again."""
    kernel = (kernels or KERNELS)[kind]
    if not batched:
        operands = [x[None] for x in operands[:1]] + operands[1:]
        if kind in _BINARY or kind == "concat":
            operands = [operands[0], *(x[None] for x in operands[1:])]
        with np.errstate(all="ignore"):
            return np.asarray(kernel(*operands, **attrs)[0], np.float32)
    with np.errstate(all="ignore"):
        return np.asarray(kernel(*operands, **attrs), np.float32)


# -- multiply and add --------------------------------------------------------------------------------------------


def _linear(x: Array, w: Array, bias: Array | None = None) -> Array:
    y = x @ w.T
    return y if bias is None else y + bias


def _linear_in_order(x: Array, w: Array, bias: Array | None = None) -> Array:
    y = matmul_in_order(x[None], w.T[None])[0]
    return y if bias is None else y + bias


def _batch_norm(
    x: Array, scale: Array, bias: Array, mean: Array, variance: Array, *, epsilon: float, outside: bool = False,
    out: Array | None = None,
) -> Array:  # fmt: skip
    factor, offset = batch_norm_affine(scale, bias, mean, variance, epsilon, outside)
    shape = (-1,) + (1,) * (x.ndim - 2)
    y = np.multiply(x, factor.reshape(shape), out=out)
    return np.add(y, offset.reshape(shape), out=y)


def batch_norm_affine(
    scale: Array, bias: Array, mean: Array, variance: Array, epsilon: float, outside: bool
) -> tuple[Array, Array]:
    """Batch normalization as x * factor + offset, computed in double precision as Darknet's folding is (network.c)."""
    v = variance.astype(np.float64)
    deviation = np.sqrt(v) + epsilon if outside else np.sqrt(v + epsilon)
    factor = scale / deviation
    return factor.astype(np.float32), (bias - mean * factor).astype(np.float32)


# -- windows and reductions --------------------------------------------------------------------------------------


def _max_pool(x: Array, *, kernel: Pair, strides: Pair, pads: Pads) -> Array:
    """The maximum over rows, then over columns: a window of k x k costs 2k instead of k² comparisons.

    Each axis is padded when it is its turn: Darknet's default padding is the size of the window less one, and an image
    padded by 4095 on all sides is large.
    """
    for axis in (0, 1):
        x = _max_along(x, 2 + axis, kernel[axis], strides[axis], pads[axis], pads[2 + axis])
    return x


def _max_along(x: Array, axis: int, kernel: int, stride: int, before: int, after: int) -> Array:
    """The maximum over windows along one axis."""
    count = (x.shape[axis] + before + after - kernel) // stride + 1
    span = (count - 1) * stride + 1
    # Darknet's default padding is often more than the last window reaches.
    after = max(0, span + kernel - 1 - x.shape[axis] - before)
    if before or after:
        x = padded(x, (before, 0, after, 0) if axis == 2 else (0, before, 0, after), float(FLOAT_MIN))
    first = (slice(None),) * axis
    y = x[*first, :span:stride].copy()
    for i in range(1, kernel):
        np.maximum(y, x[*first, i : i + span : stride], out=y)
    return y


def _avg_pool(x: Array, *, kernel: Pair, strides: Pair, pads: Pads) -> Array:
    if pads[0] + pads[2] > x.shape[2] or pads[1] + pads[3] > x.shape[3]:
        return _avg_unpadded(x, kernel, strides, pads)
    border = ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3]))
    inside = np.pad(np.ones((1, 1, *x.shape[2:]), np.float32), border)

    def window_sum(a: Array) -> Array:
        windows = sliding_window_view(a, kernel, (2, 3))[:, :, :: strides[0], :: strides[1]]
        return windows.sum((4, 5))

    return window_sum(np.pad(x, border)) / window_sum(inside)


def _avg_unpadded(x: Array, kernel: Pair, strides: Pair, pads: Pads) -> Array:
    """The mean without a border in memory, over rows, then over columns: one of 1280 on all sides is 200 MB."""
    inside = np.ones((1, 1, *x.shape[2:]), np.float32)
    for axis in (0, 1):
        given = 2 + axis, kernel[axis], strides[axis], pads[axis], pads[2 + axis]
        x, inside = _sum_along(x, *given), _sum_along(inside, *given)
    return x / inside


def _sum_along(x: Array, axis: int, kernel: int, stride: int, before: int, after: int) -> Array:
    """The sum over what lies inside of windows along one axis."""
    first = (slice(None),) * axis
    starts = range(-before, x.shape[axis] + after - kernel + 1, stride)
    return np.stack([x[*first, max(0, n) : max(0, n + kernel)].sum(axis) for n in starts], axis)


def _reduce(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda x, *, axes: function(x, axis=tuple(a + 1 for a in axes), keepdims=True)


def _softmax(x: Array, *, axis: int) -> Array:
    e = np.exp(x - x.max(axis + 1, keepdims=True))
    return e / e.sum(axis + 1, keepdims=True)


# -- element by element ------------------------------------------------------------------------------------------


# `out` is where the result goes, often `x` itself; None: a new array.


def _leaky_relu(x: Array, *, slope: float, out: Array | None = None) -> Array:
    if not 0 <= slope <= 1:
        return np.where(x > 0, x, np.float32(slope) * x)
    return np.maximum(x, x * np.float32(slope), out=out)


def _sigmoid(x: Array, *, out: Array | None = None) -> Array:
    y = np.exp(np.negative(x, out=out), out=out)
    y += 1
    return np.divide(1, y, out=y)


def _swish(x: Array, *, out: Array | None = None) -> Array:
    return np.multiply(x, _sigmoid(x), out=out)


def _mish(x: Array, *, out: Array | None = None) -> Array:
    """With n = e^x: tanh(log(1 + n)) = (n² + 2n) / (n² + 2n + 2); exact where e^x overflows float32's square."""
    n = np.minimum(x, 20)
    np.exp(n, out=n)
    m = n + 2
    m *= n
    np.add(m, 2, out=n)
    m /= n
    return np.multiply(x, m, out=out)


def _elu(x: Array, *, alpha: float = 1.0) -> Array:
    return np.where(x > 0, x, np.float32(alpha) * (np.exp(np.minimum(x, 0)) - 1))


# -- moving values -----------------------------------------------------------------------------------------------


def _slice(
    x: Array, *, axes: tuple[int, ...], starts: tuple[int, ...], stops: tuple[int, ...], steps: tuple[int, ...]
) -> Array:
    index = [slice(None)] * x.ndim
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        index[axis + 1] = slice(start, stop, step)
    return x[tuple(index)]


def _pad(x: Array, *, pads: Pads, value: float) -> Array:
    return padded(x, pads, value)


def _upsample(x: Array, *, scale: Pair) -> Array:
    return x.repeat(scale[0], 2).repeat(scale[1], 3)


def _untile(x: Array, matrix: Array, *, size: Pair) -> Array:
    (pixels, points), (n, c, th, tw) = matrix.shape, x.shape
    length = math.isqrt(pixels)
    mixed = matrix @ x.reshape(n, points, -1)
    parts = mixed.reshape(n, length, length, c // points, th, tw).transpose(0, 3, 4, 2, 5, 1)
    return parts.reshape(n, c // points, th * length, tw * length)[..., : size[0], : size[1]]


_BINARY: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "maximum": np.maximum,
}

KERNELS: dict[str, Callable[..., Array]] = {
    **_BINARY,
    "conv": conv,
    "conv_transpose": conv_transpose,
    "linear": _linear,
    "matmul": np.matmul,
    "batch_norm": _batch_norm,
    "clip": lambda x, *, low, high, out=None: np.clip(x, np.float32(low), np.float32(high), out=out),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "power": lambda x, *, exponent: np.power(x, np.float32(exponent)),
    "relu": lambda x, *, out=None: np.maximum(x, 0, out=out),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "mish": _mish,
    "swish": _swish,
    "exp": np.exp,
    "sqrt": np.sqrt,
    "floor": np.floor,
    "ceil": np.ceil,
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "reduce_max": _reduce(np.max),
    "reduce_mean": _reduce(np.mean),
    "reduce_sum": _reduce(np.sum),
    "softmax": _softmax,
    "concat": lambda *xs, axis: np.concatenate(xs, axis + 1),
    "slice": _slice,
    "pad": _pad,
    "reshape": lambda x, *, shape: x.reshape(len(x), *shape),
    "transpose": lambda x, *, order: x.transpose(0, *(i + 1 for i in order)),
    "gather": lambda x, *, axis, indices: np.take(x, indices, axis + 1),
    "upsample": _upsample,
    "untile": _untile,
    "repeat_batch": lambda x, like: np.broadcast_to(x, (len(like), *x.shape)),
}

# What takes `out`, and what may give an array that shares its memory with an operand.
ELEMENTWISE = frozenset(
    (*_BINARY, "batch_norm", "clip", "leaky_relu", "relu", "sigmoid", "tanh", "mish", "swish", "exp", "sqrt")
)
VIEWS = frozenset(("slice", "reshape", "transpose", "repeat_batch"))

EXACT_KERNELS: dict[str, Callable[..., Array]] = {
    **KERNELS,
    "conv": conv_in_order,
    "linear": _linear_in_order,
}
