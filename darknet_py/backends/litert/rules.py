"""The tables from each primitive to operators of TensorFlow Lite: in float, and in 8 bits."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from ...ir.kernels import FLOAT_MIN, KERNELS, batch_norm_affine
from ...ir.ops import Pads, Pair, same_pads
from .schema import NONE, SAME, VALID, Scale
from .writer import HIGH, LOW, LiteRTWriter, Options, Rule, quantized

LUT = np.arange(LOW, HIGH + 1)


# -- windows -----------------------------------------------------------------------------------------------------


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


def _conv(w: LiteRTWriter) -> None:
    a = w.op.attrs
    filters, each, *kernel = w.op.inputs[1].shape
    x, padding = _windowed(w, (kernel[0], kernel[1]), 0.0, a["dilations"])
    depthwise = each == 1 and a["groups"] == w.op.inputs[0].shape[0] and a["groups"] > 1
    array = w.weights(1, (1, 2, 3, 0) if depthwise else (0, 2, 3, 1))
    bias = w.weights(2) if len(w.op.inputs) > 2 else np.zeros(filters, np.float32)
    operands = [x, *_learned(w, x, array, bias, 3 if depthwise else 0)]
    strides, dilations = a["strides"], a["dilations"]
    shared = {0: ("Int8", padding), 1: ("Int32", strides[1]), 2: ("Int32", strides[0])}
    if depthwise:
        more = {3: ("Int32", filters // a["groups"]), 4: ("Int8", NONE), 5: ("Int32", dilations[1]),
                6: ("Int32", dilations[0])}  # fmt: skip
        w.result("DEPTHWISE_CONV_2D", operands, options={**shared, **more})
        return
    more = {3: ("Int8", NONE), 4: ("Int32", dilations[1]), 5: ("Int32", dilations[0])}
    w.result("CONV_2D", operands, options={**shared, **more})


def _learned(w: LiteRTWriter, x: int, array: np.ndarray, bias: np.ndarray, axis: int) -> tuple[int, int]:
    """Weights and bias: in 8 and 32 bits, each index of `axis` with a scale of its own, where the operand has 8."""
    name, bias = w.op.inputs[1].name, np.asarray(bias, np.float32)
    if not w.eight:
        return w.array(np.asarray(array, np.float32), name), w.array(bias, f"{name}.bias")
    others = tuple(i for i in range(array.ndim) if i != axis)
    largest = np.maximum(np.abs(array).max(others), 1e-12)
    scales = (largest / HIGH).astype(np.float32)
    shape = [-1 if i == axis else 1 for i in range(array.ndim)]
    stored = np.clip(np.rint(array / scales.reshape(shape)), -HIGH, HIGH).astype(np.int8)
    both = scales.astype(np.float64) * w.scale_of(x).scales[0]
    most = np.iinfo(np.int32).max
    added = np.clip(np.rint(bias / both), -most, most).astype(np.int32)
    zeros = (0,) * len(scales)
    return (
        w.array(stored, name, Scale(tuple(scales.tolist()), zeros, axis)),
        w.array(added, f"{name}.bias", Scale(tuple(both.tolist()), zeros, 0)),
    )


def _conv_transpose(w: LiteRTWriter) -> None:
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


NO_MASKS: Options = dict.fromkeys(range(5), ("Int32", 0))


def _pool_options(padding: int, kernel: Pair, strides: Pair) -> dict[int, tuple[str, float]]:
    numbers = (strides[1], strides[0], kernel[1], kernel[0])
    sized: dict[int, tuple[str, float]] = {i + 1: ("Int32", n) for i, n in enumerate(numbers)}
    return {0: ("Int8", padding), **sized, 5: ("Int8", NONE)}


def _max_pool(w: LiteRTWriter) -> None:
    kernel, strides = w.op.attrs["kernel"], w.op.attrs["strides"]
    x, padding = _windowed(w, kernel, float(FLOAT_MIN))
    w.result("MAX_POOL_2D", [x], options=_pool_options(padding, kernel, strides))


def _avg_pool(w: LiteRTWriter) -> None:
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


# -- products and element by element -----------------------------------------------------------------------------

NOT_TURNED: Options = {0: ("Bool", 0), 1: ("Bool", 0)}
FUSED_NONE: Options = {0: ("Int8", NONE)}


def _linear(w: LiteRTWriter) -> None:
    x = w.x()
    bias = w.weights(2) if len(w.op.inputs) > 2 else np.zeros(w.op.output.shape, np.float32)
    if w.eight:
        largest = float(np.abs(w.weights(1)).max()) or 1.0
        scale = Scale((float(np.float32(largest / HIGH)),), (0,))
        both = scale.scales[0] * w.scale_of(x).scales[0]
        added = np.clip(np.rint(bias / both), -(2**31) + 1, 2**31 - 1).astype(np.int32)
        name = w.op.inputs[1].name
        stored = quantized(w.weights(1), scale), added
        operands = (w.array(stored[0], name, scale), w.array(stored[1], f"{name}.bias", Scale((both,), (0,))))
    else:
        operands = _learned(w, x, w.weights(1), bias, 0)
    w.result("FULLY_CONNECTED", [x, *operands], options={0: ("Int8", NONE), 1: ("Int8", 0), 2: ("Bool", 0)})


def _matmul(w: LiteRTWriter) -> None:
    w.result("BATCH_MATMUL", [w.x(0, last=False), w.x(1, last=False)], last=False, options=NOT_TURNED)


def _batch_norm(w: LiteRTWriter) -> None:
    a = w.op.attrs
    scale, bias, mean, variance = (w.weights(i) for i in range(1, 5))
    factor, offset = batch_norm_affine(scale, bias, mean, variance, a["epsilon"], a["outside"])
    name, x = w.op.output.name, w.x()
    y = w.part("MUL", [x, w.array(factor, f"{name}.factor")], w.shape_of(x), options=FUSED_NONE)
    w.result("ADD", [y, w.array(offset, f"{name}.offset")], options=FUSED_NONE)


def _binary(kind: str) -> Rule:
    options: Options = {} if kind == "MAXIMUM" else FUSED_NONE

    def rule(w: LiteRTWriter) -> None:
        last = _last(w)
        operands = [w.x(i, last=last and len(v.shape) == 3) for i, v in enumerate(w.op.inputs)]
        w.result(kind, operands, last=last, options=options)

    return rule


def _last(w: LiteRTWriter) -> bool:
    """Whether operands are to have their channels last: where one of them has."""
    if len(w.op.output.shape) != 3:
        return False
    return any(w.has(v, last=True) for v in w.op.inputs) or not any(w.has(v, last=False) for v in w.op.inputs)


def _rescaled_maximum(w: LiteRTWriter) -> None:
    """The operator wants all three in one scale."""
    last = _last(w)
    operands = [_in_scale(w, w.x(i, last=last and len(v.shape) == 3)) for i, v in enumerate(w.op.inputs)]
    w.result("MAXIMUM", operands, last=last)


def _in_scale(w: LiteRTWriter, number: int) -> int:
    """A tensor in the scale of the result."""
    wanted = w.result_scale()
    if w.scale_of(number) == wanted:
        return number
    return w.rescaled(number, wanted)


def _unary(kind: str, options: Mapping[int, tuple[str, str]] | None = None) -> Rule:
    """An operator of one operand; options are attributes of the operation."""

    def rule(w: LiteRTWriter) -> None:
        last = _last(w)
        told = {slot: (of, float(w.op.attrs[name])) for slot, (of, name) in (options or {}).items()}
        w.result(kind, [w.x(0, last=last)], last=last, options=told)

    return rule


def _clip(w: LiteRTWriter) -> None:
    low, high, last = w.op.attrs["low"], w.op.attrs["high"], _last(w)
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
    last, exponent = _last(w), w.op.attrs["exponent"]
    x = w.x(0, last=last)
    if exponent == 2:
        w.result("MUL", [x, x], last=last, options=FUSED_NONE)
    else:
        w.result("POW", [x, w.scalar(exponent)], last=last)


def _elu(w: LiteRTWriter) -> None:
    last = _last(w)
    x = w.x(0, last=last)
    shape = w.shape_of(x)
    below = w.part("EXP", [w.part("MINIMUM", [x, w.scalar(0.0)], shape)], shape)
    scaled = w.part("SUB", [below, w.scalar(1.0)], shape, options=FUSED_NONE)
    if (alpha := w.op.attrs["alpha"]) != 1:
        scaled = w.part("MUL", [scaled, w.scalar(alpha)], shape, options=FUSED_NONE)
    w.result("ADD", [w.part("RELU", [x], shape), scaled], last=last, options=FUSED_NONE)


def _mish(w: LiteRTWriter) -> None:
    """As in `onnx.operators`: exact at both ends."""
    last = _last(w)
    x = w.x(0, last=last)
    shape = w.shape_of(x)
    t = w.part("LOGISTIC", [x], shape)
    u = w.part("MUL", [t, w.part("SUB", [w.scalar(2.0), t], shape, options=FUSED_NONE)], shape, options=FUSED_NONE)
    rest = w.part("SUB", [w.scalar(2.0), u], shape, options=FUSED_NONE)
    w.result("MUL", [x, w.part("DIV", [u, rest], shape, options=FUSED_NONE)], last=last, options=FUSED_NONE)


def _swish(w: LiteRTWriter) -> None:
    last = _last(w)
    x = w.x(0, last=last)
    w.result("MUL", [x, w.part("LOGISTIC", [x], w.shape_of(x))], last=last, options=FUSED_NONE)


def _looked_up(w: LiteRTWriter) -> None:
    """A function of one number in 8 bits: what it gives for each of the 256."""
    last = _last(w)
    x = w.x(0, last=last)
    read, shape = w.scale_of(x), w.shape_of(x)
    numbers = ((LUT - read.zeros[0]) * read.scales[0]).astype(np.float32)
    with np.errstate(all="ignore"):
        results = KERNELS[w.op.kind](numbers[None].copy(), **w.op.attrs)[0]
    table = w.array(quantized(results, w.result_scale()), f"{w.op.output.name}.table", w.result_scale())
    index = w.counted("CAST", [x], shape, options={0: ("Int8", 9), 1: ("Int8", 2)})
    index = w.counted("ADD", [index, w.integers(-LOW)], shape, options=FUSED_NONE)
    w.result("GATHER", [table, index], last=last, options={0: ("Int32", 0), 1: ("Int32", 0)})


# -- reductions and moving values ---------------------------------------------------------------------------------


def _reduce(kind: str) -> Rule:
    def rule(w: LiteRTWriter) -> None:
        last = _last(w)
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


def _concat(w: LiteRTWriter) -> None:
    last = _last(w)
    operands = [w.x(i, last=last) for i in range(len(w.op.inputs))]
    if w.eight:
        operands = [_in_scale(w, x) for x in operands]
    axis = w.axis(w.op.attrs["axis"], last=last)
    w.result("CONCATENATION", operands, last=last, options={0: ("Int32", axis), 1: ("Int8", NONE)})


def _slice(w: LiteRTWriter) -> None:
    a, last = w.op.attrs, _last(w) if len(w.op.output.shape) == 3 else False
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
    last = _last(w)
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
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
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
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "reduce_max": _reduce("REDUCE_MAX"),
    "reduce_mean": _reduce("MEAN"),
    "reduce_sum": _reduce("SUM"),
    "softmax": _softmax,
    "concat": _concat,
    "slice": _slice,
    "pad": _pad,
    "reshape": _reshape,
    "transpose": _transpose,
    "gather": _gather,
    "upsample": _upsample,
    "untile": _untile,
    "repeat_batch": _nothing,
}

# In 8 bits: what keeps the scale of its operand, what has one of its own, and what is measured.
KEPT = ("max_pool", "pad", "reshape", "transpose", "slice", "gather", "upsample", "reduce_max")
FIXED: Mapping[str, Scale] = {
    "sigmoid": Scale((1 / 256,), (LOW,)), "tanh": Scale((1 / 128,), (0,)), "softmax": Scale((1 / 256,), (LOW,)),
}  # fmt: skip
EIGHT: dict[str, Rule] = {
    **{kind: RULES[kind] for kind in (*KEPT, *FIXED, "conv", "linear", "add", "sub", "mul", "leaky_relu", "relu")},
    "reduce_mean": RULES["reduce_mean"],
    "concat": _concat,
    "maximum": _rescaled_maximum,
    **dict.fromkeys(("mish", "swish", "elu", "power", "exp", "sqrt", "floor", "ceil", "clip"), _looked_up),
}
