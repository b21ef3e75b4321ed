"""The table from each primitive to operators of TensorFlow Lite, in float; many of them are the same in 8 bits."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np

from ...ir.kernels import FLOAT_MIN, batch_norm_affine
from .schema import NONE
from .windows import convolution, in_float, largest_of_window, mean_of_window, product, transposed_convolution
from .writer import FUSED_NONE, NO_MASKS, LiteRTWriter, Options, Rule

NOT_TURNED: Options = {0: ("Bool", 0), 1: ("Bool", 0)}


def _matmul(w: LiteRTWriter) -> None:
    w.result("BATCH_MATMUL", [w.x(0, last=False), w.x(1, last=False)], last=False, options=NOT_TURNED)


def _batch_norm(w: LiteRTWriter) -> None:
    a = w.op.attrs
    scale, bias, mean, variance = (w.weights(i) for i in range(1, 5))
    factor, offset = batch_norm_affine(scale, bias, mean, variance, a["epsilon"], a["outside"])
    name, x, rank = w.op.output.name, w.x(), len(w.op.output.shape)
    own = (-1,) if rank == 3 else (-1,) + (1,) * (rank - 1)  # the channels of an image are last
    y = w.part("MUL", [x, w.array(factor.reshape(own), f"{name}.factor")], w.shape_of(x), options=FUSED_NONE)
    w.result("ADD", [y, w.array(offset.reshape(own), f"{name}.offset")], options=FUSED_NONE)


def _binary(kind: str) -> Rule:
    options: Options = {} if kind == "MAXIMUM" else FUSED_NONE

    def rule(w: LiteRTWriter) -> None:
        last = channels_last(w)
        operands = [w.x(i, last=last and len(v.shape) == 3) for i, v in enumerate(w.op.inputs)]
        w.result(kind, operands, last=last, options=options)

    return rule


def channels_last(w: LiteRTWriter) -> bool:
    """Whether operands are to have their channels last: where one of them has."""
    if len(w.op.output.shape) != 3:
        return False
    return any(w.has(v, last=True) for v in w.op.inputs) or not any(w.has(v, last=False) for v in w.op.inputs)


def _unary(kind: str, options: Mapping[int, tuple[str, str]] | None = None) -> Rule:
    """An operator of one operand; options are attributes of the operation."""

    def rule(w: LiteRTWriter) -> None:
        last = channels_last(w)
        told = {slot: (of, float(w.op.attrs[name])) for slot, (of, name) in (options or {}).items()}
        w.result(kind, [w.x(0, last=last)], last=last, options=told)

    return rule


def _clip(w: LiteRTWriter) -> None:
    low, high, last = w.op.attrs["low"], w.op.attrs["high"], channels_last(w)
    x = w.x(0, last=last)
    if (low, high) in ((0.0, 6.0), (0.0, math.inf)):
        w.result("RELU6" if high == 6.0 else "RELU", [x], last=last)
        return
    bounds = [(kind, n) for kind, n in (("MAXIMUM", low), ("MINIMUM", high)) if not math.isinf(n)]
    for kind, number in bounds[:-1]:
        x = w.part(kind, [x, w.scalar(number)], w.shape_of(x))
    kind, number = bounds[-1] if bounds else ("MAXIMUM", float(FLOAT_MIN))
    w.result(kind, [x, w.scalar(number)], last=last)


def _power(w: LiteRTWriter) -> None:
    last, exponent = channels_last(w), w.op.attrs["exponent"]
    x = w.x(0, last=last)
    if exponent == 2:
        w.result("MUL", [x, x], last=last, options=FUSED_NONE)
    else:
        w.result("POW", [x, w.scalar(exponent)], last=last)


def _elu(w: LiteRTWriter) -> None:
    last = channels_last(w)
    x = w.x(0, last=last)
    shape = w.shape_of(x)
    below = w.part("EXP", [w.part("MINIMUM", [x, w.scalar(0.0)], shape)], shape)
    scaled = w.part("SUB", [below, w.scalar(1.0)], shape, options=FUSED_NONE)
    if (alpha := w.op.attrs["alpha"]) != 1:
        scaled = w.part("MUL", [scaled, w.scalar(alpha)], shape, options=FUSED_NONE)
    w.result("ADD", [w.part("RELU", [x], shape), scaled], last=last, options=FUSED_NONE)


def _mish(w: LiteRTWriter) -> None:
    """As in `onnx.operators`: exact at both ends."""
    last = channels_last(w)
    x = w.x(0, last=last)
    shape = w.shape_of(x)
    t = w.part("LOGISTIC", [x], shape)
    u = w.part("MUL", [t, w.part("SUB", [w.scalar(2.0), t], shape, options=FUSED_NONE)], shape, options=FUSED_NONE)
    rest = w.part("SUB", [w.scalar(2.0), u], shape, options=FUSED_NONE)
    w.result("MUL", [x, w.part("DIV", [u, rest], shape, options=FUSED_NONE)], last=last, options=FUSED_NONE)


def _swish(w: LiteRTWriter) -> None:
    last = channels_last(w)
    x = w.x(0, last=last)
    w.result("MUL", [x, w.part("LOGISTIC", [x], w.shape_of(x))], last=last, options=FUSED_NONE)


# -- reductions and moving values ---------------------------------------------------------------------------------


def _reduce(kind: str) -> Rule:
    def rule(w: LiteRTWriter) -> None:
        last = channels_last(w)
        axes = sorted(w.axis(a, last=last) for a in w.op.attrs["axes"])
        w.result(kind, [w.x(0, last=last), w.integers(*axes)], last=last, options={0: ("Bool", 1)})

    return rule


def _softmax(w: LiteRTWriter) -> None:
    """The operator works along the last axis."""
    axis, rank = w.op.attrs["axis"], len(w.op.output.shape)
    beta = {0: ("Float32", 1.0)}
    if axis == rank - 1 or (rank == 3 and axis == 0):
        last = axis != rank - 1
        w.result("SOFTMAX", [w.x(0, last=last)], last=last, options=beta)
        return
    x = w.x(0, last=False)
    order = [*(i for i in range(rank + 1) if i != axis + 1), axis + 1]
    moved = w.part("TRANSPOSE", [x, w.integers(*order)], [w.shape_of(x)[i] for i in order])
    y = w.part("SOFTMAX", [moved], w.shape_of(moved), options=beta)
    w.result("TRANSPOSE", [y, w.integers(*(order.index(i) for i in range(rank + 1)))], last=False)


def concatenation(scaled: Callable[[LiteRTWriter, int], int]) -> Rule:
    """The rule of a concatenation of operands after `scaled`, which gives a tensor in the scale of the result."""

    def rule(w: LiteRTWriter) -> None:
        last = channels_last(w)
        operands = [w.x(i, last=last) for i in range(len(w.op.inputs))]
        axis = w.axis(w.op.attrs["axis"], last=last)
        options = {0: ("Int32", axis), 1: ("Int8", NONE)}
        w.result("CONCATENATION", [scaled(w, x) for x in operands], last=last, options=options)

    return rule


def _slice(w: LiteRTWriter) -> None:
    a, last = w.op.attrs, channels_last(w) if len(w.op.output.shape) == 3 else False
    x = w.x(0, last=last)
    shape = w.shape_of(x)
    starts, stops, steps = [0] * len(shape), list(shape), [1] * len(shape)
    for axis, start, stop, step in zip(a["axes"], a["starts"], a["stops"], a["steps"], strict=True):
        place = w.axis(axis, last=last)
        starts[place], stops[place], steps[place] = start, stop, step
    w.result("STRIDED_SLICE", [x, *(w.integers(*n) for n in (starts, stops, steps))], last=last, options=NO_MASKS)


def _pad(w: LiteRTWriter) -> None:
    pads, value, x = w.op.attrs["pads"], w.op.attrs["value"], w.x()
    rows = w.table([(0, 0), (pads[0], pads[2]), (pads[1], pads[3]), (0, 0)])
    if value:
        w.result("PADV2", [x, rows, w.scalar(value, x)])
    else:
        w.result("PAD", [x, rows])


def _reshape(w: LiteRTWriter) -> None:
    value, shape = w.op.inputs[0], w.op.attrs["shape"]
    pixel = len(value.shape) == 3 and value.shape[1:] == (1, 1)  # in one order either way
    x = w.x(0, last=pixel and w.has(value, last=True))
    to_pixel = len(shape) == 3 and shape[1:] == (1, 1)
    whole = (1, *((1, 1, shape[0]) if to_pixel else shape))
    w.result("RESHAPE", [x, w.integers(*whole)], last=to_pixel)


def _transpose(w: LiteRTWriter) -> None:
    order = w.op.attrs["order"]
    value = w.op.inputs[0]
    last = len(order) == 3 and w.has(value, last=True)
    x = w.x(0, last=last)
    moves = [0, *(w.axis(a, last=last) for a in order)]
    if moves == sorted(moves):
        w.same(x, last=False)
        return
    w.result("TRANSPOSE", [x, w.integers(*moves)], last=False)


def _gather(w: LiteRTWriter) -> None:
    last = channels_last(w)
    axis = w.axis(w.op.attrs["axis"], last=last)
    w.result("GATHER", [w.x(0, last=last), w.integers(*w.op.attrs["indices"])], last=last, options={0: ("Int32", axis),
             1: ("Int32", 0)})  # fmt: skip


def _upsample(w: LiteRTWriter) -> None:
    _, height, width = w.op.output.shape
    # By the centres of pixels: the others are at whole numbers, where a rounding would choose.
    w.result("RESIZE_NEAREST_NEIGHBOR", [w.x(), w.integers(height, width)], options={0: ("Bool", 0), 1: ("Bool", 1)})


def _untile(w: LiteRTWriter) -> None:
    (channels, rows, columns), (pixels, points) = (v.shape for v in w.op.inputs)
    each, length, (height, width) = channels // points, math.isqrt(pixels), w.op.attrs["size"]

    def reshaped(number: int, *shape: int) -> int:
        return w.part("RESHAPE", [number, w.integers(*shape)], shape)

    flat = reshaped(w.x(0, last=False), 1, points, each * rows * columns)
    matrix = w.array(np.asarray(w.weights(1), np.float32)[None], w.op.inputs[1].name)
    mixed = w.part("BATCH_MATMUL", [matrix, flat], (1, pixels, each * rows * columns), options=NOT_TURNED)
    parts = reshaped(mixed, length, length, each, rows, columns)
    turned = w.part("TRANSPOSE", [parts, w.integers(2, 3, 1, 4, 0)], (each, rows, length, columns, length))
    whole = reshaped(turned, 1, each, rows * length, columns * length)
    cut = [w.integers(0, 0, 0, 0), w.integers(1, each, height, width), w.integers(1, 1, 1, 1)]
    w.result("STRIDED_SLICE", [whole, *cut], last=False, options=NO_MASKS)


def _nothing(w: LiteRTWriter) -> None:
    raise AssertionError("repeat_batch is read as the constant that it repeats")


RULES: dict[str, Rule] = {
    "conv": convolution(in_float),
    "conv_transpose": transposed_convolution,
    "linear": product(in_float),
    "matmul": _matmul,
    "batch_norm": _batch_norm,
    "add": _binary("ADD"),
    "sub": _binary("SUB"),
    "mul": _binary("MUL"),
    "div": _binary("DIV"),
    "maximum": _binary("MAXIMUM"),
    "clip": _clip,
    "leaky_relu": _unary("LEAKY_RELU", {0: ("Float32", "slope")}),
    "elu": _elu,
    "power": _power,
    "relu": _unary("RELU"),
    "sigmoid": _unary("LOGISTIC"),
    "tanh": _unary("TANH"),
    "mish": _mish,
    "swish": _swish,
    "exp": _unary("EXP"),
    "sqrt": _unary("SQRT"),
    "floor": _unary("FLOOR"),
    "ceil": _unary("CEIL"),
    "max_pool": largest_of_window,
    "avg_pool": mean_of_window,
    "reduce_max": _reduce("REDUCE_MAX"),
    "reduce_mean": _reduce("MEAN"),
    "reduce_sum": _reduce("SUM"),
    "softmax": _softmax,
    "concat": concatenation(lambda w, x: x),
    "slice": _slice,
    "pad": _pad,
    "reshape": _reshape,
    "transpose": _transpose,
    "gather": _gather,
    "upsample": _upsample,
    "untile": _untile,
    "repeat_batch": _nothing,
}
