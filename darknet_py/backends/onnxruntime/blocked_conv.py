"""Convolutions in onnxruntime's blocked layout, with what is fused to them, and the end of those that are tiled."""

from __future__ import annotations

import math

import numpy as np

from .blocked_emitter import BlockedEmitter
from .fusion import Fused


def write_conv(e: BlockedEmitter, fused: Fused) -> str:
    """Write a convolution with what is fused to it; the name of the result, or "" if it cannot be in blocks."""
    conv, x, block = fused.conv, fused.conv.inputs[0], e.block
    weights, channels = e.graph.data[conv.inputs[1]], x.shape[0]
    bias = e.graph.data[conv.inputs[2]] if len(conv.inputs) > 2 else np.zeros(len(weights), np.float32)
    groups, n = conv.attrs["groups"], len(weights)
    depthwise = groups > 1 and groups == channels == n
    direct = groups == 1 and channels < block and not e.is_blocked(x)  # such as the image: read in the plain layout
    if (
        x in e.graph.data
        or not (direct or e.can_block(x))
        or (fused.addend is not None and not e.can_block(fused.addend))
    ):
        return ""
    if groups > 1 and not depthwise and (n // groups % block or channels // groups % block):
        return ""
    if fused.negated:
        weights, bias = -weights, -bias
    filled = e.padded(n)
    weights = _filled(weights, filled, weights.shape[1] if direct or groups > 1 else e.padded(channels))
    stored = _by_output(weights, block) if direct or depthwise else _by_both(weights, block)
    inputs = [
        e.plain(x) if direct else e.blocked(x),
        e.initializer(stored, f"{conv.output.name}.weights.blocked"),
        e.initializer(np.pad(bias, (0, filled - n)), f"{conv.output.name}.biases.blocked"),
    ]
    if fused.addend is not None:
        inputs.append(e.blocked(fused.addend))
    e.op = fused.last
    attrs = {k: v for k, v in conv.attrs.items() if k != "groups"}
    attrs.update(fused.activation, group=filled if depthwise else groups, kernel_shape=weights.shape[2:])
    return e.block_node("Conv", inputs, "negated" if fused.negated else "", **attrs)


def write_untile(e: BlockedEmitter, fused: Fused) -> str:
    """Write `untile`; the name of the result, or "" if it cannot be in blocks."""
    x, matrix = fused.conv.inputs
    (pixels, points), (c, h, w), (_, th, tw) = matrix.shape, fused.conv.output.shape, x.shape
    if not e.is_blocked(x) or c % e.block:
        return ""
    e.op, length = fused.last, math.isqrt(pixels)
    mixing = e.graph.data[matrix] * (-1 if fused.negated else 1)
    flat = e.block_node("Reshape", [e.blocked(x), e.integers(0, points, c * th * tw)], "flat", domain="")
    y = e.block_node("MatMul", [e.array(mixing, (matrix, fused.negated), matrix.name), flat], "mixed", domain="")
    # (pixels across, pixels down, blocks, tiles down, tiles across, block), then in the order of an image
    parts = e.integers(0, length, length, c // e.block, th, tw, e.block)
    y = e.block_node("Reshape", [y, parts], "parts", domain="")
    y = e.block_node("Transpose", [y], "image", domain="", perm=(0, 3, 4, 2, 5, 1, 6))
    whole = (th * length, tw * length)
    if whole != (h, w):
        y = e.block_node("Reshape", [y, e.integers(0, c // e.block, *whole, e.block)], "whole", domain="")
        y = e.block_node("Slice", [y, e.integers(0, 0), e.integers(h, w), e.integers(2, 3)], "cut", domain="")
    return e.block_node("Reshape", [y, e.integers(0, c, h, w)], "negated" if fused.negated else "", domain="")


# -- how weights are stored --------------------------------------------------------------------------------------


def _filled(weights: np.ndarray, n: int, c: int) -> np.ndarray:
    """Weights for n outputs and c inputs; those that are new are zeros."""
    if weights.shape[:2] == (n, c):
        return weights
    return np.pad(weights, ((0, n - len(weights)), (0, c - weights.shape[1]), (0, 0), (0, 0)))


def _by_output(weights: np.ndarray, block: int) -> np.ndarray:
    """(n, c, h, w) stored as (n / block, c, h, w, block), under its own shape (MlasReorderFilterOIHWBo)."""
    n, c, h, w = weights.shape
    return weights.reshape(n // block, block, c, h, w).transpose(0, 2, 3, 4, 1).reshape(weights.shape)


def _by_both(weights: np.ndarray, block: int) -> np.ndarray:
    """(n, c, h, w) stored as (n / block, c / block, h, w, block of c, block of n) (MlasReorderFilterOIHWBiBo)."""
    n, c, h, w = weights.shape
    parts = weights.reshape(n // block, block, c // block, block, h, w)
    return parts.transpose(0, 2, 4, 5, 3, 1).reshape(weights.shape)
