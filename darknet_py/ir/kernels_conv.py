"""Convolutions of the NumPy executor: unfold a block of the input into a matrix, multiply it by the weights with BLAS.

Decision: a block of columns is small enough to be still in the cache when BLAS reads it, and its product goes straight
to its place in the result. It is unfolded tap by tap, each a copy of long rows; 1x1 convolutions unfold nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from .ops import Pads, Pair

# What a block of columns takes: much less, and BLAS reads the weights too often; more, and the block leaves the cache.
# Measured on yolov3-tiny, one thread with 2 MiB of second-level cache: 1 MiB 72 ms, 4 MiB 61, 64 MiB 67.
COLUMN_BYTES = 4 << 20

Array = np.ndarray
Matmul = Callable[..., Array]  # (g, m, k) times (g, k, n), into `out`


def matmul_in_order(a: Array, b: Array, out: Array | None = None) -> Array:
    """(g, m, k) times (g, k, n), adding the products of k = 0, 1, 2 … one after the other."""
    y = np.empty((a.shape[0], a.shape[1], b.shape[2]), np.float32) if out is None else out
    y[:] = 0
    for k in range(a.shape[2]):
        y += a[:, :, k, None] * b[:, None, k]
    return y


def conv(
    x: Array, w: Array, bias: Array | None = None, *, strides: Pair = (1, 1), pads: Pads = (0, 0, 0, 0),
    dilations: Pair = (1, 1), groups: int = 1, matmul: Matmul = np.matmul,
) -> Array:  # fmt: skip
    """Cross-correlation, as the primitive `conv` says."""
    if any(pads):
        x = padded(x, pads)
    n, cg, kh, kw = w.shape
    oh = (x.shape[2] - dilations[0] * (kh - 1) - 1) // strides[0] + 1
    ow = (x.shape[3] - dilations[1] * (kw - 1) - 1) // strides[1] + 1

    def tap(rows: Array, i: int, j: int, count: int) -> Array:
        """What lies under one tap of the kernel for `count` rows of the result."""
        y, x = i * dilations[0], j * dilations[1]
        return rows[..., y : y + (count - 1) * strides[0] + 1 : strides[0],
                    x : x + (ow - 1) * strides[1] + 1 : strides[1]]  # fmt: skip

    if cg == 1 and groups > 1:
        y = _depthwise(x, w, (oh, ow), tap)
        return y if bias is None else np.add(y, bias[:, None, None], out=y)
    unfolded = (kh, kw) != (1, 1) or strides != (1, 1)
    matrix = w.reshape(groups, n // groups, cg * kh * kw)
    out = np.empty((len(x), groups, n // groups, oh * ow), np.float32)
    offset = None if bias is None else bias.reshape(groups, n // groups, 1)
    rows = max(1, min(oh, COLUMN_BYTES // (4 * x.shape[1] * kh * kw * ow)))
    for source, target in zip(x.reshape(len(x), groups, cg, *x.shape[2:]), out, strict=True):
        for top in range(0, oh, rows):
            count = min(rows, oh - top)
            part = source[:, :, top * strides[0] :]
            columns = _columns(part, (kh, kw), (count, ow), tap) if unfolded else part[:, :, :count]
            place = target[:, :, top * ow : (top + count) * ow]
            matmul(matrix, columns.reshape(groups, cg * kh * kw, count * ow), out=place)
            if offset is not None:
                place += offset
    return out.reshape(len(x), n, oh, ow)


Tap = Callable[[Array, int, int, int], Array]


def _columns(part: Array, kernel: Pair, size: Pair, tap: Tap) -> Array:
    """The input under each tap, (g, c, kh, kw, rows, columns): the order of the weights."""
    columns = np.empty((*part.shape[:2], *kernel, *size), np.float32)
    for i in range(kernel[0]):
        for j in range(kernel[1]):
            columns[:, :, i, j] = tap(part, i, j, size[0])
    return columns


def _depthwise(x: Array, w: Array, size: Pair, tap: Tap) -> Array:
    """One channel a group: a sum over the taps of the kernel, each a plain multiply."""
    batch, c = x.shape[:2]
    _, _, kh, kw = w.shape
    taps = w.reshape(c, -1, kh, kw)
    out = np.zeros((batch, c, taps.shape[1], *size), np.float32)
    product = np.empty_like(out)
    for i in range(kh):
        for j in range(kw):
            out += np.multiply(tap(x[:, :, None], i, j, size[0]), taps[:, :, i, j, None, None], out=product)
    return out.reshape(batch, -1, *size)


def conv_transpose(
    x: Array, w: Array, bias: Array | None = None, *, strides: Pair = (1, 1), pads: Pads = (0, 0, 0, 0)
) -> Array:
    """The gradient of `conv`, as the primitive `conv_transpose` says."""
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


def padded(x: Array, pads: Pads, value: float = 0.0) -> Array:
    """(n, c, h, w) with a border of `value`: top, left, bottom, right."""
    n, c, h, w = x.shape
    y = np.full((n, c, h + pads[0] + pads[2], w + pads[1] + pads[3]), value, np.float32)
    y[:, :, pads[0] : pads[0] + h, pads[1] : pads[1] + w] = x
    return y


conv_in_order = partial(conv, matmul=matmul_in_order)
