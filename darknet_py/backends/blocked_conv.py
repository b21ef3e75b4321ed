"""Convolutions in onnxruntime's blocked layout: its own kernel, with what is fused to it, or Winograd's method."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..ir.graph import Graph, Op
from .blocked_emitter import BlockedEmitter
from .fusion import Fused
from .winograd import PAD, SIZE, Tile, best_tile


def tiles_of(graph: Graph) -> dict[Op, Tile]:
    """The convolutions that are computed by Winograd's method, and how."""
    found = {op: _tile(op) for op in graph.ops if op.kind == "conv" and op.inputs[1] in graph.data}
    return {op: tile for op, tile in found.items() if tile is not None}


def _tile(conv: Op) -> Tile | None:
    filters, channels, *size = conv.inputs[1].shape
    plain = all(conv.attrs.get(k, one) == one for k, one in (("strides", (1, 1)), ("dilations", (1, 1)), ("groups", 1)))
    if not plain or size != [SIZE, SIZE] or conv.attrs.get("pads") != (PAD,) * 4:
        return None
    return best_tile(filters, channels, *conv.output.shape[1:])


def write_conv(e: BlockedEmitter, fused: Fused, tile: Tile | None) -> str:
    """Write a convolution with what is fused to it; the name of the result, or "" if it cannot be in blocks."""
    conv, x, block = fused.conv, fused.conv.inputs[0], e.block
    weights, channels = e.graph.data[conv.inputs[1]], x.shape[0]
    bias = e.graph.data[conv.inputs[2]] if len(conv.inputs) > 2 else np.zeros(len(weights), np.float32)
    groups, n = conv.attrs.get("groups", 1), len(weights)
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
    bias = np.pad(bias, (0, filled - n))
    suffix = "negated" if fused.negated else ""
    if tile is not None and not direct:
        return _write_winograd(e, conv, weights, bias, tile, suffix)
    stored = _by_output(weights, block) if direct or depthwise else _by_both(weights, block)
    inputs = [
        e.plain(x) if direct else e.blocked(x),
        e.initializer(stored, f"{conv.output.name}.weights.blocked"),
        e.initializer(bias, f"{conv.output.name}.biases.blocked"),
    ]
    if fused.addend is not None:
        inputs.append(e.blocked(fused.addend))
    e.op = fused.last
    attrs = {k: v for k, v in conv.attrs.items() if k != "groups"}
    attrs.update(fused.activation, group=filled if depthwise else groups, kernel_shape=weights.shape[2:])
    return e.block_node("Conv", inputs, suffix, **attrs)


# -- Winograd's method -------------------------------------------------------------------------------------------


def _write_winograd(e: BlockedEmitter, conv: Op, weights: np.ndarray, bias: np.ndarray, tile: Tile, suffix: str) -> str:
    """Nodes for a convolution of (n, c, 3, 3) with whole blocks; the name of the result.

    The image is transformed by depthwise convolutions, one for each point; one grouped convolution multiplies, which is
    where the time goes; a small matrix and a transposition make the image.
    """
    (n, c), x, (h, w) = weights.shape[:2], conv.inputs[0], conv.output.shape[1:]
    points = e.blocked(x)
    for axis in (0, 1):
        points = _write_points(e, points, c * len(tile.taps) ** axis, tile, x.shape[1 + axis], axis)
    parameters = [
        e.initializer(_by_both(tile.weights(weights), e.block), f"{conv.output.name}.weights.winograd"),
        e.initializer(tile.bias(bias), f"{conv.output.name}.biases.winograd"),
    ]
    products = e.block_node("Conv", [points, *parameters], "products", group=tile.points, kernel_shape=(1, 1))
    flat = e.block_node("Reshape", [products, e.integers(0, tile.points, -1)], "flat", domain="")
    y = e.block_node("MatMul", [e.array(tile.square, (tile,), "const.winograd"), flat], "mixed", domain="")
    # (results across, results down, blocks, tiles down, tiles across, block), then in the order of an image
    shape = (tile.length, tile.length, n // e.block, tile.count(h), tile.count(w), e.block)
    y = e.block_node("Reshape", [y, e.integers(0, *shape)], "parts", domain="")
    y = e.block_node("Transpose", [y], "image", domain="", perm=(0, 3, 4, 2, 5, 1, 6))
    whole = [tile.count(size) * tile.length for size in (h, w)]
    if whole != [h, w]:
        y = e.block_node("Reshape", [y, e.integers(0, n // e.block, *whole, e.block)], "whole", domain="")
        y = e.block_node("Slice", [y, e.integers(0, 0), e.integers(h, w), e.integers(2, 3)], "cut", domain="")
    return e.block_node("Reshape", [y, e.integers(0, n, h, w)], suffix, domain="")


def _write_points(e: BlockedEmitter, x: str, channels: int, tile: Tile, size: int, axis: int) -> str:
    """x with its channels once for each point along one axis of the image, where it is `size` long."""
    points = []
    for first, step, factors in tile.taps:
        pads, strides, dilations = [0, 0, 0, 0], [1, 1], [1, 1]
        pads[axis], strides[axis], dilations[axis] = PAD - first, tile.length, step
        last = tile.length * (tile.count(size) - 1) + step * (len(factors) - 1) - pads[axis]  # that is read
        pads[2 + axis] = max(0, last - (size - 1))
        kernel = np.expand_dims(np.array(factors, np.float32), 1 - axis)
        stored = _by_output(np.broadcast_to(kernel, (channels, 1, *kernel.shape)), e.block)
        inputs = [x, e.array(stored, ("winograd", channels, axis, factors), "const.point")]
        windows: dict[str, Any] = {"strides": strides, "dilations": dilations, "pads": pads}
        points.append(e.block_node("Conv", inputs, "point", group=channels, kernel_shape=kernel.shape, **windows))
    return e.block_node("Concat", points, "points", domain="", axis=1)


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
