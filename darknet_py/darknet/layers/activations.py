"""Activation functions by Darknet's names, as primitives (activations.h; the GPU kernels where the CPU code is wrong).

The piecewise ones (plse, lhtan, stair, hard_mish) are written with clips and floors instead of comparisons, because
every runtime has the former.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from ...ir.builder import Builder
    from ...ir.graph import Value

LEAKY_SLOPE = 0.1
SELU_ALPHA, SELU_SCALE = 1.6732, 1.0507  # activations.h selu_activate
CHANNEL_EPSILON = 1e-4  # activations.c activate_array_normalize_channels

Function: TypeAlias = "Callable[[Builder, Value], Value]"


def _unary(kind: str, **attrs: float) -> Function:
    return lambda b, x: b.op(kind, x, **attrs)


def _linear(b: Builder, x: Value) -> Value:
    return x


def _loggy(b: Builder, x: Value) -> Value:
    return b.sub(b.mul(b.op("sigmoid", x), 2), 1)


def _ramp(b: Builder, x: Value) -> Value:
    return b.add(b.op("relu", x), b.mul(x, 0.1))


def _selu(b: Builder, x: Value) -> Value:
    return b.mul(b.op("elu", x, alpha=SELU_ALPHA), SELU_SCALE)


def _gelu(b: Builder, x: Value) -> Value:
    cube = b.op("power", x, exponent=3.0)
    inner = b.add(b.mul(x, 0.797885), b.mul(cube, 0.035677))
    return b.mul(b.mul(x, 0.5), b.add(b.op("tanh", inner), 1))


def _hard_mish(b: Builder, x: Value) -> Value:
    """X above 0, x²/2 + x down to -2, 0 below."""
    low = b.op("clip", x, low=-2.0, high=0.0)
    return b.add(b.op("relu", x), b.add(b.mul(b.mul(low, low), 0.5), low))


def _plse(b: Builder, x: Value) -> Value:
    """0.125 x + 0.5 between -4 and 4, slope 0.01 outside."""
    middle = b.op("clip", x, low=-4.0, high=4.0)
    return b.add(b.add(b.mul(middle, 0.125), 0.5), b.mul(b.sub(x, middle), 0.01))


def _lhtan(b: Builder, x: Value) -> Value:
    """X between 0 and 1, slope 0.001 outside."""
    middle = b.op("clip", x, low=0.0, high=1.0)
    return b.add(middle, b.mul(b.sub(x, middle), 0.001))


def _stair(b: Builder, x: Value) -> Value:
    """Flat over even intervals, rising over odd ones."""
    whole, half = b.op("floor", x), b.op("floor", b.mul(x, 0.5))
    odd = b.sub(whole, b.mul(half, 2))
    return b.add(half, b.mul(b.sub(x, whole), odd))


def _hard_sigmoid(b: Builder, x: Value) -> Value:
    """relu6(x + 3) / 6: ours, for PaddleDetection's effective squeeze and excitation; Darknet has none."""
    return b.mul(b.op("clip", b.add(x, 3), low=0.0, high=6.0), 1 / 6)


def _normalize_channels(b: Builder, x: Value) -> Value:
    return _over_channel_sum(b, b.op("relu", x))


def _normalize_channels_softmax(b: Builder, x: Value) -> Value:
    return _over_channel_sum(b, b.op("exp", x))


def _normalize_channels_softmax_maxval(b: Builder, x: Value) -> Value:
    return _over_channel_sum(b, b.op("exp", b.sub(x, b.op("reduce_max", x, axes=(0,)))))


def _over_channel_sum(b: Builder, x: Value) -> Value:
    return b.op("div", x, b.add(b.op("reduce_sum", x, axes=(0,)), CHANNEL_EPSILON))


ACTIVATIONS: dict[str, Function] = {
    "linear": _linear,
    "logistic": _unary("sigmoid"),
    "loggy": _loggy,
    "relu": _unary("relu"),
    "relu6": _unary("clip", low=0.0, high=6.0),
    "relie": _unary("leaky_relu", slope=0.01),
    "ramp": _ramp,
    "leaky": _unary("leaky_relu", slope=LEAKY_SLOPE),
    "revleaky": _unary("leaky_relu", slope=LEAKY_SLOPE),
    "elu": _unary("elu", alpha=1.0),
    "selu": _selu,
    "gelu": _gelu,
    "tanh": _unary("tanh"),
    "hardtan": _unary("clip", low=-1.0, high=1.0),
    "lhtan": _lhtan,
    "plse": _plse,
    "stair": _stair,
    "mish": _unary("mish"),
    "hard_mish": _hard_mish,
    "hard_sigmoid": _hard_sigmoid,
    "swish": _unary("swish"),
    "silu": _unary("swish"),  # its name in WongKinYiu's PyTorch cfgs
    "normalize_channels": _normalize_channels,
    "normalize_channels_softmax": _normalize_channels_softmax,
    "normalize_channels_softmax_maxval": _normalize_channels_softmax_maxval,
}


NOT_ZERO_AT_ZERO = frozenset(
    "logistic plse hard_sigmoid normalize_channels_softmax normalize_channels_softmax_maxval".split()
)
SUMS_OF_CHANNELS = frozenset({"normalize_channels_softmax", "normalize_channels_softmax_maxval"})  # 0 counts as 1


def activate(b: Builder, x: Value, name: str) -> Value:
    """Apply the activation that a cfg calls `name`."""
    return ACTIVATIONS[name](b, x)
