"""The table from primitives to operators of TensorFlow Lite in 8 bits: numbers in their scales, functions as tables."""

from __future__ import annotations

import numpy as np

from ...ir.kernels import KERNELS
from .eight import FIXED, KEPT
from .rules import RULES, channels_last, concatenation
from .schema import Scale
from .windows import convolution, product
from .writer import FUSED_NONE, HIGH, LOW, LiteRTWriter, Rule, quantized

LUT = np.arange(LOW, HIGH + 1)


def _by_filter(w: LiteRTWriter, x: int, array: np.ndarray, bias: np.ndarray, axis: int) -> tuple[int, int]:
    """Weights and bias in 8 and 32 bits, each index of `axis` with a scale of its own."""
    name, bias = w.op.inputs[1].name, np.asarray(bias, np.float32)
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


def _as_a_whole(w: LiteRTWriter, x: int, array: np.ndarray, bias: np.ndarray, axis: int) -> tuple[int, int]:
    """Weights and bias in 8 and 32 bits, with one scale for all."""
    largest = float(np.abs(array).max()) or 1.0
    scale = Scale((float(np.float32(largest / HIGH)),), (0,))
    both = scale.scales[0] * w.scale_of(x).scales[0]
    added = np.clip(np.rint(bias / both), -(2**31) + 1, 2**31 - 1).astype(np.int32)
    name = w.op.inputs[1].name
    stored = quantized(array, scale)
    return w.array(stored, name, scale), w.array(added, f"{name}.bias", Scale((both,), (0,)))


def _rescaled_maximum(w: LiteRTWriter) -> None:
    """The operator wants all three in one scale."""
    last = channels_last(w)
    operands = [_in_scale(w, w.x(i, last=last and len(v.shape) == 3)) for i, v in enumerate(w.op.inputs)]
    w.result("MAXIMUM", operands, last=last)


def _in_scale(w: LiteRTWriter, number: int) -> int:
    """A tensor in the scale of the result."""
    wanted = w.result_scale()
    if w.scale_of(number) == wanted:
        return number
    return w.rescaled(number, wanted)


def _looked_up(w: LiteRTWriter) -> None:
    """A function of one number in 8 bits: what it gives for each of the 256."""
    last = channels_last(w)
    x = w.x(0, last=last)
    read, shape = w.scale_of(x), w.shape_of(x)
    numbers = ((LUT - read.zeros[0]) * read.scales[0]).astype(np.float32)
    with np.errstate(all="ignore"):
        results = KERNELS[w.op.kind](numbers[None].copy(), **w.op.attrs)[0]
    table = w.array(quantized(results, w.result_scale()), f"{w.op.output.name}.table", w.result_scale())
    index = w.counted("CAST", [x], shape, options={0: ("Int8", 9), 1: ("Int8", 2)})
    index = w.counted("ADD", [index, w.integers(-LOW)], shape, options=FUSED_NONE)
    w.result("GATHER", [table, index], last=last, options={0: ("Int32", 0), 1: ("Int32", 0)})


EIGHT: dict[str, Rule] = {
    **{kind: RULES[kind] for kind in (*KEPT, *FIXED, "add", "sub", "mul", "leaky_relu", "relu")},
    "conv": convolution(_by_filter),
    "linear": product(_as_a_whole),
    "reduce_mean": RULES["reduce_mean"],
    "concat": concatenation(_in_scale),
    "maximum": _rescaled_maximum,
    **dict.fromkeys(("mish", "swish", "elu", "power", "exp", "sqrt", "floor", "ceil", "clip"), _looked_up),
}
