"""What works on windows of an image: convolutions, pooling, and linear layers, whose window is the whole."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...ir.kernels import FLOAT_MIN, KERNELS
from ...ir.ops import Pads, Pair, same_pads
from .schema import NONE, SAME, VALID
from .writer import FUSED_NONE, NO_MASKS, LiteRTWriter, Rule

# Writes weights and bias for an operand: each index of an axis of the weights is one filter.
Learned = Callable[[LiteRTWriter, int, np.ndarray, np.ndarray, int], tuple[int, int]]


def _windowed(w: LiteRTWriter, kernel: Pair, fill: float, dilations: Pair = (1, 1)) -> tuple[int, int]:
    """The operand for windows and the padding that is left to the operator; with a border where that has no word."""
    a, x = w.op.attrs, w.x()
    pads: Pads = a["pads"]
    if not any(pads):
        return x, VALID
    if pads == same_pads(w.op.inputs[0].shape[1:], kernel, a["strides"], dilations):
        return x, SAME
    return _bordered(w, x, pads, fill), VALID


def _bordered(w: LiteRTWriter, x: int, pads: Pads, fill: float) -> int:
    n, height, width, channels = w.shape_of(x)
    shape = (n, height + pads[0] + pads[2], width + pads[1] + pads[3], channels)
    rows = w.table([(0, 0), (pads[0], pads[2]), (pads[1], pads[3]), (0, 0)])
    if not fill:
        return w.part("PAD", [x, rows], shape, x)
    return w.part("PADV2", [x, rows, w.scalar(fill, x)], shape, x)


def in_float(w: LiteRTWriter, x: int, array: np.ndarray, bias: np.ndarray, axis: int) -> tuple[int, int]:
    """Weights and bias as they are."""
    name = w.op.inputs[1].name
    return w.array(np.asarray(array, np.float32), name), w.array(np.asarray(bias, np.float32), f"{name}.bias")


def convolution(learned: Learned) -> Rule:
    """The rule of a convolution whose weights are written by `learned`."""

    def rule(w: LiteRTWriter) -> None:
        a = w.op.attrs
        filters, each, *kernel = w.op.inputs[1].shape
        x, padding = _windowed(w, (kernel[0], kernel[1]), 0.0, a["dilations"])
        depthwise = each == 1 and a["groups"] == w.op.inputs[0].shape[0] and a["groups"] > 1
        array = w.weights(1, (1, 2, 3, 0) if depthwise else (0, 2, 3, 1))
        bias = w.weights(2) if len(w.op.inputs) > 2 else np.zeros(filters, np.float32)
        operands = [x, *learned(w, x, array, bias, 3 if depthwise else 0)]
        strides, dilations = a["strides"], a["dilations"]
        shared = {0: ("Int8", padding), 1: ("Int32", strides[1]), 2: ("Int32", strides[0])}
        if depthwise:
            more = {3: ("Int32", filters // a["groups"]), 4: ("Int8", NONE), 5: ("Int32", dilations[1]),
                    6: ("Int32", dilations[0])}  # fmt: skip
            w.result("DEPTHWISE_CONV_2D", operands, options={**shared, **more})
            return
        more = {3: ("Int8", NONE), 4: ("Int32", dilations[1]), 5: ("Int32", dilations[0])}
        w.result("CONV_2D", operands, options={**shared, **more})

    return rule


def transposed_convolution(w: LiteRTWriter) -> None:
    """The operator has no padding of its own: what it gives is cut."""
    a, x = w.op.attrs, w.x()
    top, left, bottom, right = a["pads"]
    channels, height, width = w.op.output.shape
    whole = (1, height + top + bottom, width + left + right, channels)
    array = w.array(w.weights(1, (1, 2, 3, 0)), w.op.inputs[1].name)
    bias = w.weights(2) if len(w.op.inputs) > 2 else np.zeros(channels, np.float32)
    operands = [w.integers(*whole), array, x, w.array(np.asarray(bias, np.float32), f"{w.op.inputs[1].name}.bias")]
    options = {0: ("Int8", VALID), 1: ("Int32", a["strides"][1]), 2: ("Int32", a["strides"][0]),
               3: ("Int8", NONE)}  # fmt: skip
    if not any(a["pads"]):
        w.result("TRANSPOSE_CONV", operands, options=options)
        return
    y = w.part("TRANSPOSE_CONV", operands, whole, options=options)
    cut = [w.integers(0, top, left, 0), w.integers(1, top + height, left + width, channels), w.integers(1, 1, 1, 1)]
    w.result("STRIDED_SLICE", [y, *cut], options=NO_MASKS)


def _pool_options(padding: int, kernel: Pair, strides: Pair) -> dict[int, tuple[str, float]]:
    numbers = (strides[1], strides[0], kernel[1], kernel[0])
    sized: dict[int, tuple[str, float]] = {i + 1: ("Int32", n) for i, n in enumerate(numbers)}
    return {0: ("Int8", padding), **sized, 5: ("Int8", NONE)}


def largest_of_window(w: LiteRTWriter) -> None:
    """Outside the image is what is below every number."""
    kernel, strides = w.op.attrs["kernel"], w.op.attrs["strides"]
    x, padding = _windowed(w, kernel, float(FLOAT_MIN))
    w.result("MAX_POOL_2D", [x], options=_pool_options(padding, kernel, strides))


def mean_of_window(w: LiteRTWriter) -> None:
    """The operator leaves out what is outside the image."""
    kernel, strides, pads = (w.op.attrs[k] for k in ("kernel", "strides", "pads"))
    x, padding = _windowed(w, kernel, 0.0)
    options = _pool_options(padding, kernel, strides)
    if padding == SAME or not any(pads):
        w.result("AVERAGE_POOL_2D", [x], options=options)
        return
    # The mean with the border, times the size of the window over how much of it is inside.
    channels, height, width = w.op.output.shape
    y = w.part("AVERAGE_POOL_2D", [x], (1, height, width, channels), options=options)
    ones = np.pad(np.ones((1, 1, *w.op.inputs[0].shape[1:]), np.float32),
                  ((0, 0), (0, 0), (pads[0], pads[2]), (pads[1], pads[3])))  # fmt: skip
    share = KERNELS["avg_pool"](ones, kernel=kernel, strides=strides, pads=(0, 0, 0, 0))
    w.result("MUL", [y, w.array((1 / share).transpose(0, 2, 3, 1).astype(np.float32), "share")], options=FUSED_NONE)


def product(learned: Learned) -> Rule:
    """The rule of a linear layer whose weights are written by `learned`."""

    def rule(w: LiteRTWriter) -> None:
        x = w.x()
        bias = w.weights(2) if len(w.op.inputs) > 2 else np.zeros(w.op.output.shape, np.float32)
        operands = learned(w, x, w.weights(1), bias, 0)
        w.result("FULLY_CONNECTED", [x, *operands], options={0: ("Int8", NONE), 1: ("Int8", 0), 2: ("Bool", 0)})

    return rule
