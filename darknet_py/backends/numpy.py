"""The reference executor: a NumPy kernel for each primitive, float32, any batch; the others are held to it.

With `exact` it rounds where Darknet does: batch normalization is folded into the weights, and products are added up
one input channel and tap after another (gemm.c gemm_nn). Then even layers that cancel large numbers agree with it;
BLAS, the default, is many times faster.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ..errors import BackendError
from ..ir.graph import Graph, Value
from ..ir.ops import Pads, Pair

FLOAT_MIN = np.finfo(np.float32).min  # -FLT_MAX, the identity of maxpool_layer.c
COLUMN_BYTES = 64 << 20  # the most that an unfolded convolution input may take at once

Array = np.ndarray


class NumpySession:
    """Runs a graph operation by operation, dropping each value after its last reader."""

    def __init__(self, graph: Graph, exact: bool = False) -> None:
        unloaded = [p for p in graph.params if p.value not in graph.data]
        if unloaded:
            raise BackendError(f"no weights loaded ({unloaded[0].value.name} is missing)")
        self.graph = graph
        self._kernels = EXACT_KERNELS if exact else KERNELS
        self._last = {v: i for i, op in enumerate(graph.ops) for v in op.inputs}
        for value in (*graph.outputs, *(s.output for s in graph.states)):
            self._last.pop(value, None)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        """Outputs, then the new states, for a batch of inputs."""
        graph = self.graph
        env: dict[Value, Array] = {
            v: np.ascontiguousarray(x, np.float32) for v, x in zip(graph.inputs, inputs, strict=True)
        }
        for i, op in enumerate(graph.ops):
            operands = [graph.data[v] if v in graph.data else env[v] for v in op.inputs]
            env[op.output] = run_op(op.kind, operands, op.output.batched, op.attrs, self._kernels)
            for v in op.inputs:
                if self._last.get(v) == i:
                    env.pop(v, None)
        batch = len(inputs[0])
        wanted = (*graph.outputs, *(s.output for s in graph.states))
        return [_batched(v, env[v] if v in env else graph.data[v], batch) for v in wanted]


def open_session(graph: Graph, exact: bool = False) -> NumpySession:
    """The NumPy executor for a graph with its parameters loaded; `exact` rounds as Darknet does, slowly."""
    if exact:
        from ..passes import optimize  # which folds constants with the kernels below

        graph = optimize(graph)
    return NumpySession(graph, exact)


def _batched(value: Value, array: Array, batch: int) -> Array:
    return array if value.batched else np.broadcast_to(array, (batch, *array.shape))


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


def _matmul_in_order(a: Array, b: Array) -> Array:
    """(g, m, k) times (g, k, n), adding the products of k = 0, 1, 2 … one after the other."""
    out = np.zeros((a.shape[0], a.shape[1], b.shape[2]), np.float32)
    for k in range(a.shape[2]):
        out += a[:, :, k, None] * b[:, None, k]
    return out


def _conv(
    x: Array, w: Array, bias: Array | None = None, *, strides: Pair = (1, 1), pads: Pads = (0, 0, 0, 0),
    dilations: Pair = (1, 1), groups: int = 1, matmul: Callable[[Array, Array], Array] = np.matmul,
) -> Array:  # fmt: skip
    if any(pads):
        x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))
    n, cg, kh, kw = w.shape
    reach = (dilations[0] * (kh - 1) + 1, dilations[1] * (kw - 1) + 1)
    windows = sliding_window_view(x, reach, (2, 3))[:, :, :: strides[0], :: strides[1]]
    windows = windows[..., :: dilations[0], :: dilations[1]]
    if cg == 1 and groups > 1:
        y = _conv_depthwise(windows, w, n // groups)
    else:
        y = _conv_grouped(windows, w, groups, matmul)
    return y if bias is None else np.add(y, bias[:, None, None], out=y)


def _conv_depthwise(windows: Array, w: Array, multiplier: int) -> Array:
    """One channel a group: a sum over the taps of the kernel, each a plain multiply."""
    batch, c, oh, ow, kh, kw = windows.shape
    taps = w.reshape(c, multiplier, kh, kw)
    out = np.zeros((batch, c, multiplier, oh, ow), np.float32)
    for i in range(kh):
        for j in range(kw):
            out += windows[:, :, None, :, :, i, j] * taps[None, :, :, i, j, None, None]
    return out.reshape(batch, c * multiplier, oh, ow)


def _conv_grouped(windows: Array, w: Array, groups: int, matmul: Callable[[Array, Array], Array] = np.matmul) -> Array:
    """Unfold some rows of the input into a matrix, multiply, and go on with the next rows."""
    batch, c, oh, ow, kh, kw = windows.shape
    n, cg = w.shape[:2]
    matrix = w.reshape(groups, n // groups, cg * kh * kw)
    out = np.empty((batch, groups, n // groups, oh, ow), np.float32)
    rows = max(1, COLUMN_BYTES // (4 * c * kh * kw * ow))
    for b in range(batch):
        for top in range(0, oh, rows):
            part = windows[b, :, top : top + rows]
            columns = part.reshape(groups, cg, *part.shape[1:]).transpose(0, 1, 4, 5, 2, 3)
            columns = columns.reshape(groups, cg * kh * kw, -1)
            product = matmul(matrix, columns)
            out[b, :, :, top : top + rows] = product.reshape(groups, n // groups, part.shape[1], ow)
    return out.reshape(batch, n, oh, ow)


def _conv_transpose(
    x: Array, w: Array, bias: Array | None = None, *, strides: Pair = (1, 1), pads: Pads = (0, 0, 0, 0)
) -> Array:
    batch, _, h, width = x.shape
    _, n, kh, kw = w.shape
    spread = np.einsum("bchw,cnij->bnijhw", x, w, optimize=True)
    full = np.zeros((batch, n, (h - 1) * strides[0] + kh, (width - 1) * strides[1] + kw), np.float32)
    for i in range(kh):
        for j in range(kw):
            rows = slice(i, i + (h - 1) * strides[0] + 1, strides[0])
            columns = slice(j, j + (width - 1) * strides[1] + 1, strides[1])
            full[:, :, rows, columns] += spread[:, :, i, j]
    y = full[:, :, pads[0] : full.shape[2] - pads[2], pads[1] : full.shape[3] - pads[3]]
    return y if bias is None else y + bias[:, None, None]


def _linear(x: Array, w: Array, bias: Array | None = None) -> Array:
    y = x @ w.T
    return y if bias is None else y + bias


def _linear_in_order(x: Array, w: Array, bias: Array | None = None) -> Array:
    y = _matmul_in_order(x[None], w.T[None])[0]
    return y if bias is None else y + bias


def _batch_norm(
    x: Array, scale: Array, bias: Array, mean: Array, variance: Array, *, epsilon: float, outside: bool = False
) -> Array:
    factor, offset = batch_norm_affine(scale, bias, mean, variance, epsilon, outside)
    shape = (-1,) + (1,) * (x.ndim - 2)
    return x * factor.reshape(shape) + offset.reshape(shape)


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
    """The maximum over rows, then over columns: a window of k x k costs 2k instead of k² comparisons."""
    x = np.pad(x, ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])), constant_values=FLOAT_MIN)
    oh, ow = ((x.shape[2 + i] - kernel[i]) // strides[i] + 1 for i in (0, 1))
    rows = x[:, :, : (oh - 1) * strides[0] + 1 : strides[0]].copy()
    for i in range(1, kernel[0]):
        np.maximum(rows, x[:, :, i : i + (oh - 1) * strides[0] + 1 : strides[0]], out=rows)
    y = rows[..., : (ow - 1) * strides[1] + 1 : strides[1]].copy()
    for j in range(1, kernel[1]):
        np.maximum(y, rows[..., j : j + (ow - 1) * strides[1] + 1 : strides[1]], out=y)
    return y


def _avg_pool(x: Array, *, kernel: Pair, strides: Pair, pads: Pads) -> Array:
    border = ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3]))
    inside = np.pad(np.ones((1, 1, *x.shape[2:]), np.float32), border)

    def window_sum(a: Array) -> Array:
        windows = sliding_window_view(a, kernel, (2, 3))[:, :, :: strides[0], :: strides[1]]
        return windows.sum((4, 5))

    return window_sum(np.pad(x, border)) / window_sum(inside)


def _reduce(function: Callable[..., Array]) -> Callable[..., Array]:
    return lambda x, *, axes: function(x, axis=tuple(a + 1 for a in axes), keepdims=True)


def _softmax(x: Array, *, axis: int) -> Array:
    e = np.exp(x - x.max(axis + 1, keepdims=True))
    return e / e.sum(axis + 1, keepdims=True)


# -- element by element ------------------------------------------------------------------------------------------


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _mish(x: Array) -> Array:
    """With n = e^x: tanh(log(1 + n)) = (n² + 2n) / (n² + 2n + 2); exact where e^x overflows float32's square."""
    n = np.exp(np.minimum(x, 20))
    m = n * (n + 2)
    return x * (m / (m + 2))


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
    border = ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3]))
    return np.pad(x, border, constant_values=value)


def _upsample(x: Array, *, scale: Pair) -> Array:
    return x.repeat(scale[0], 2).repeat(scale[1], 3)


_BINARY: dict[str, Callable[..., Array]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": np.divide,
    "maximum": np.maximum,
}

KERNELS: dict[str, Callable[..., Array]] = {
    **_BINARY,
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "matmul": np.matmul,
    "batch_norm": _batch_norm,
    "clip": lambda x, *, low, high: np.clip(x, np.float32(low), np.float32(high)),
    "leaky_relu": lambda x, *, slope: np.where(x > 0, x, np.float32(slope) * x),
    "elu": _elu,
    "power": lambda x, *, exponent: np.power(x, np.float32(exponent)),
    "relu": lambda x: np.maximum(x, 0),
    "sigmoid": _sigmoid,
    "tanh": np.tanh,
    "mish": _mish,
    "swish": lambda x: x * _sigmoid(x),
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
    "repeat_batch": lambda x, like: np.broadcast_to(x, (len(like), *x.shape)),
}

EXACT_KERNELS: dict[str, Callable[..., Array]] = {
    **KERNELS,
    "conv": partial(_conv, matmul=_matmul_in_order),
    "linear": _linear_in_order,
}
