"""A program of MIL computed with NumPy, as Apple's reference of its operations defines each: an answer of its own.

It reads what coremltools has written, attributes and all, and uses nothing of the rules that wrote it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray


def evaluate(function: Any, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The outputs of a function by name."""
    known = {function.inputs[name]: np.asarray(array) for name, array in inputs.items()}

    def value(operand: Any) -> Any:
        if isinstance(operand, list | tuple):
            return [value(one) for one in operand]
        return known.get(operand, operand.val)

    for op in function.operations:
        given = {name: value(operand) for name, operand in op.inputs.items() if operand is not None}
        constant = op.op_type == "const"
        known[op.outputs[0]] = op.outputs[0].val if constant else np.asarray(OPERATIONS[op.op_type](**given))
    return {output.name: known[output] for output in function.outputs}


def _padded(x: Array, pad: Array, value: float) -> Array:
    """`pad` is before and after, axis by axis, of the last axes."""
    pairs = [(int(a), int(b)) for a, b in zip(pad[::2], pad[1::2], strict=True)]
    return np.pad(x, [(0, 0)] * (x.ndim - len(pairs)) + pairs, constant_values=value)


def _windows(x: Array, kernel: Array, strides: Array, dilations: tuple[int, int] = (1, 1)) -> Array:
    reach = [(int(k) - 1) * int(d) + 1 for k, d in zip(kernel, dilations, strict=True)]
    every = sliding_window_view(x, reach, axis=(2, 3))
    return every[:, :, :: strides[0], :: strides[1], :: dilations[0], :: dilations[1]]


def conv(x: Array, weight: Array, strides: Array, pad_type: str, pad: Array, dilations: Array, groups: int,
         bias: Array | None = None) -> Array:  # fmt: skip
    assert pad_type == "custom"
    parts = []
    for part, own in zip(np.split(_padded(x, pad, 0), groups, 1), np.split(weight, groups), strict=True):
        windows = _windows(part, weight.shape[2:], strides, tuple(dilations))
        parts.append(np.einsum("nchwyx,ocyx->nohw", windows, own, optimize=True))
    y = np.concatenate(parts, 1)
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


def conv_transpose(x: Array, weight: Array, strides: Array, pad_type: str, dilations: Array, groups: int,
                   bias: Array | None = None, **_: Any) -> Array:  # fmt: skip
    assert pad_type == "valid"
    assert groups == 1
    assert tuple(dilations) == (1, 1)
    _, _, h, w = x.shape
    _, n, kh, kw = weight.shape
    y = np.zeros((1, n, (h - 1) * strides[0] + kh, (w - 1) * strides[1] + kw))
    for i in range(h):
        for j in range(w):
            top, left = i * strides[0], j * strides[1]
            y[0, :, top : top + kh, left : left + kw] += np.einsum("c,cnyx->nyx", x[0, :, i, j], weight)
    return y if bias is None else y + bias.reshape(1, -1, 1, 1)


def max_pool(x: Array, kernel_sizes: Array, strides: Array, pad_type: str, pad: Array, ceil_mode: bool) -> Array:
    assert pad_type == "custom"
    assert not ceil_mode
    return _windows(_padded(x, pad, -np.inf), kernel_sizes, strides).max((4, 5))


def avg_pool(x: Array, kernel_sizes: Array, strides: Array, pad_type: str, pad: Array, ceil_mode: bool,
             exclude_padding_from_average: bool) -> Array:  # fmt: skip
    assert exclude_padding_from_average
    assert pad_type == "custom"
    assert not ceil_mode
    sums, counts = (_windows(_padded(a, pad, 0), kernel_sizes, strides).sum((4, 5)) for a in (x, np.ones_like(x)))
    return sums / counts


def slice_by_index(x: Array, begin: Array, end: Array, stride: Array | None = None, **masks: Any) -> Array:
    assert not any(np.any(mask) for mask in masks.values())
    steps = [1] * x.ndim if stride is None else stride
    return x[tuple(slice(int(a), int(b), int(s)) for a, b, s in zip(begin, end, steps, strict=True))]


def softmax(x: Array, axis: int) -> Array:
    powers = np.exp(x - x.max(axis, keepdims=True))
    return powers / powers.sum(axis, keepdims=True)


def upsample(x: Array, scale_factor_height: float, scale_factor_width: float) -> Array:
    assert scale_factor_height == int(scale_factor_height)
    return x.repeat(int(scale_factor_height), 2).repeat(int(scale_factor_width), 3)


def _reduce(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda x, axes, keep_dims: function(x, axis=tuple(axes), keepdims=bool(keep_dims))


OPERATIONS: dict[str, Callable[..., Any]] = {
    "conv": conv,
    "conv_transpose": conv_transpose,
    "linear": lambda x, weight, bias=0: x @ weight.T + bias,
    "matmul": lambda x, y, transpose_x, transpose_y: (
        (x.swapaxes(-1, -2) if transpose_x else x) @ (y.swapaxes(-1, -2) if transpose_y else y)
    ),
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "real_div": lambda x, y: x / y,
    "maximum": lambda x, y: np.maximum(x, y),
    "minimum": lambda x, y: np.minimum(x, y),
    "leaky_relu": lambda x, alpha: np.where(x > 0, x, alpha * x),
    "elu": lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(np.minimum(x, 0)) - 1)),
    "pow": lambda x, y: x**y,
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x.astype(np.float64))),
    "tanh": lambda x: np.tanh(x),
    "softplus": lambda x: np.logaddexp(0, x),
    "silu": lambda x: x / (1 + np.exp(-x)),
    "exp": lambda x: np.exp(x),
    "sqrt": lambda x: np.sqrt(x),
    "floor": lambda x: np.floor(x),
    "ceil": lambda x: np.ceil(x),
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "reduce_max": _reduce(np.max),
    "reduce_mean": _reduce(np.mean),
    "reduce_sum": _reduce(np.sum),
    "softmax": softmax,
    "concat": lambda values, axis, interleave: np.concatenate(values, axis) if not interleave else None,
    "slice_by_index": slice_by_index,
    "pad": lambda x, pad, mode, constant_val: _padded(x, pad, constant_val) if mode == "constant" else None,
    "reshape": lambda x, shape: x.reshape(shape),
    "transpose": lambda x, perm: x.transpose(perm),
    "gather": lambda x, indices, axis, **_: x.take(indices, axis),
    "upsample_nearest_neighbor": upsample,
    "identity": lambda x: x,
    "cast": lambda x, dtype: x.astype({"fp16": np.float16, "fp32": np.float32}[dtype]),
    "expand_dims": lambda x, axes: np.expand_dims(x, tuple(axes)),
    "squeeze": lambda x, axes: np.squeeze(x, tuple(axes)),
    "batch_norm": lambda x, mean, variance, gamma, beta, epsilon: (
        (x - _column(mean)) / np.sqrt(_column(variance) + epsilon) * _column(gamma) + _column(beta)
    ),
}


def _column(values: Array) -> Array:
    return values.reshape(1, -1, 1, 1)
