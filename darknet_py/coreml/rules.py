"""How each primitive is said in MIL, the language of Core ML's programs.

Decision: one sample, as Apple's own converters write detectors; a value has a batch axis of 1 in front where that
leaves it at most `MOST_AXES`, which is all that Core ML takes. MIL gives paddings axis by axis: top, bottom, left,
right.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import BackendError
from ..ir.graph import Graph, Op, Value
from ..ir.kernels import batch_norm_affine

if TYPE_CHECKING:
    from coremltools.converters.mil import Builder as Mil

MOST_AXES = 5
FLOAT_MIN = float(np.finfo(np.float32).min)


class MilWriter:
    """Writes the operations of a graph; `op` is the one that is being written, `mil` the builder of MIL."""

    def __init__(self, graph: Graph, mil: type[Mil], inputs: Mapping[str, Any]) -> None:
        self.graph, self.mil = graph, mil
        self.op = graph.ops[0] if graph.ops else Op("none", (), graph.image, {}, 0)
        self._written: dict[Value, Any] = {}
        for value in graph.inputs:
            if len(value.shape) >= MOST_AXES:
                raise BackendError(f"Core ML takes no input of {len(value.shape)} axes")
            self._written[value] = inputs[value.name]

    def write(self) -> None:
        """All operations, in their order."""
        for op in self.graph.ops:
            self.op = op
            self._written[op.output] = RULES[op.kind](self)

    def read(self, value: Value) -> Any:
        """What holds a value, with its batch axis."""
        if value in self._written:
            return self._written[value]
        data = self.graph.data[value]
        return np.float32(data) if not value.shape else data.reshape(shape_of(value)).astype(np.float32)

    def x(self, index: int = 0) -> Any:
        """What holds an operand."""
        return self.read(self.op.inputs[index])

    def weights(self, start: int = 1) -> list[np.ndarray]:
        """The constant operands from `start` on, as they are."""
        return [self.constant(i) for i in range(start, len(self.op.inputs))]

    def constant(self, index: int) -> np.ndarray:
        """A constant operand, as it is."""
        value = self.op.inputs[index]
        if value not in self.graph.data:
            raise BackendError(f"Core ML has no {self.op.kind} by weights that are computed ({self.op.output})")
        return np.ascontiguousarray(self.graph.data[value], np.float32)

    def axis(self, axis: int, index: int = 0) -> int:
        """An axis of an operand, where its batch axis is counted."""
        return axis + len(shape_of(self.op.inputs[index])) - len(self.op.inputs[index].shape)


def shape_of(value: Value) -> tuple[int, ...]:
    """The shape that a value has in MIL; `BackendError` where it has too many axes.

    >>> shape_of(Value("map", (3, 8, 8))), shape_of(Value("parts", (2, 2, 3, 4, 4)))
    ((1, 3, 8, 8), (2, 2, 3, 4, 4))
    """
    if len(value.shape) > MOST_AXES:
        raise BackendError(f"Core ML takes at most {MOST_AXES} axes, and {value} has {len(value.shape)}")
    return value.shape if len(value.shape) == MOST_AXES else (1, *value.shape)


Rule = Callable[[MilWriter], Any]


def by_axis(pads: tuple[int, ...]) -> list[int]:
    """Paddings (top, left, bottom, right) as MIL has them.

    >>> by_axis((1, 2, 3, 4))
    [1, 3, 2, 4]
    """
    top, left, bottom, right = pads
    return [top, bottom, left, right]


# -- multiply and add --------------------------------------------------------------------------------------------


def _conv(w: MilWriter) -> Any:
    a = w.op.attrs
    weight, *bias = w.weights()
    return w.mil.conv(
        x=w.x(), weight=weight, strides=list(a["strides"]), dilations=list(a["dilations"]), groups=a["groups"],
        pad_type="custom", pad=by_axis(a["pads"]), **({"bias": bias[0]} if bias else {}),
    )  # fmt: skip


def _conv_transpose(w: MilWriter) -> Any:
    pads = w.op.attrs["pads"]
    weight, *bias = w.weights()
    given = {"bias": bias[0]} if bias else {}
    whole = w.mil.conv_transpose(x=w.x(), weight=weight, strides=list(w.op.attrs["strides"]), pad_type="valid", **given)
    # To pad the gradient of a convolution is to crop.
    starts = (0, 0, *pads[:2])
    stops = [start + n for start, n in zip(starts, shape_of(w.op.output), strict=True)]
    return whole if not any(pads) else w.mil.slice_by_index(x=whole, begin=list(starts), end=stops)


def _linear(w: MilWriter) -> Any:
    weight, *bias = w.weights()
    return w.mil.linear(x=w.x(), weight=weight, **({"bias": bias[0]} if bias else {}))


def _batch_norm(w: MilWriter) -> Any:
    scale, bias, mean, variance = w.weights()
    factor, offset = batch_norm_affine(scale, bias, mean, variance, w.op.attrs["epsilon"], w.op.attrs["outside"])
    shape = (1, -1) + (1,) * (len(w.op.output.shape) - 1)
    scaled = w.mil.mul(x=w.x(), y=np.float32(factor).reshape(shape))
    return w.mil.add(x=scaled, y=np.float32(offset).reshape(shape))


# -- element by element ------------------------------------------------------------------------------------------


def _unary(name: str, **renamed: str) -> Rule:
    def write(w: MilWriter) -> Any:
        attrs = {renamed[k]: np.float32(v) for k, v in w.op.attrs.items()}
        return getattr(w.mil, name)(x=w.x(), **attrs)

    return write


def _binary(name: str) -> Rule:
    return lambda w: getattr(w.mil, name)(x=w.x(0), y=w.x(1))


def _clip(w: MilWriter) -> Any:
    x, low, high = w.x(), w.op.attrs["low"], w.op.attrs["high"]
    if not math.isinf(low):
        x = w.mil.maximum(x=x, y=np.float32(low))
    return x if math.isinf(high) else w.mil.minimum(x=x, y=np.float32(high))


def _mish(w: MilWriter) -> Any:
    x = w.x()
    return w.mil.mul(x=x, y=w.mil.tanh(x=w.mil.softplus(x=x)))


# -- windows and reductions --------------------------------------------------------------------------------------


def _pool(name: str, **more: Any) -> Rule:
    def write(w: MilWriter) -> Any:
        a = w.op.attrs
        x, pads = w.x(), a["pads"]
        if name == "max_pool" and any(p >= k for p, k in zip(pads, a["kernel"] * 2, strict=True)):
            x, pads = _pad(w, x, pads, FLOAT_MIN), (0, 0, 0, 0)  # a window that lies wholly outside
        pool = getattr(w.mil, name)
        return pool(
            x=x,
            kernel_sizes=list(a["kernel"]),
            strides=list(a["strides"]),
            pad_type="custom",
            pad=by_axis(pads),
            **more,
        )

    return write


def _pad(w: MilWriter, x: Any, pads: tuple[int, ...], value: float) -> Any:
    return w.mil.pad(x=x, pad=by_axis(pads), mode="constant", constant_val=np.float32(value))


def _reduce(name: str) -> Rule:
    def write(w: MilWriter) -> Any:
        axes = [w.axis(a) for a in w.op.attrs["axes"]]
        return getattr(w.mil, name)(x=w.x(), axes=axes, keep_dims=True)

    return write


# -- moving values -----------------------------------------------------------------------------------------------


def _slice(w: MilWriter) -> Any:
    a, shape = w.op.attrs, list(shape_of(w.op.inputs[0]))
    begin, end, stride = [0] * len(shape), shape, [1] * len(shape)
    for axis, start, stop, step in zip(a["axes"], a["starts"], a["stops"], a["steps"], strict=True):
        begin[w.axis(axis)], end[w.axis(axis)], stride[w.axis(axis)] = start, stop, step
    return w.mil.slice_by_index(x=w.x(), begin=begin, end=end, stride=stride)


def _transpose(w: MilWriter) -> Any:
    order = [w.axis(a) for a in w.op.attrs["order"]]
    return w.mil.transpose(x=w.x(), perm=[*range(w.axis(0)), *order])


def _gather(w: MilWriter) -> Any:
    indices = np.array(w.op.attrs["indices"], np.int32)
    return w.mil.gather(x=w.x(), indices=indices, axis=w.axis(w.op.attrs["axis"]))


def _upsample(w: MilWriter) -> Any:
    down, across = w.op.attrs["scale"]
    return w.mil.upsample_nearest_neighbor(x=w.x(), scale_factor_height=down, scale_factor_width=across)


def _untile(w: MilWriter) -> Any:
    (channels, th, tw), (pixels, points) = (v.shape for v in w.op.inputs)
    c, length = channels // points, math.isqrt(pixels)
    flat = w.mil.reshape(x=w.x(), shape=[points, c * th * tw])
    mixed = w.mil.matmul(x=w.constant(1), y=flat)
    parts = w.mil.reshape(x=mixed, shape=[length, length, c, th, tw])
    image = w.mil.transpose(x=parts, perm=[2, 3, 1, 4, 0])
    whole = w.mil.reshape(x=image, shape=[1, c, th * length, tw * length])
    return w.mil.slice_by_index(x=whole, begin=[0, 0, 0, 0], end=list(shape_of(w.op.output)))


RULES: dict[str, Rule] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "matmul": _binary("matmul"),
    "batch_norm": _batch_norm,
    "add": _binary("add"),
    "sub": _binary("sub"),
    "mul": _binary("mul"),
    "div": _binary("real_div"),
    "maximum": _binary("maximum"),
    "clip": _clip,
    "leaky_relu": _unary("leaky_relu", slope="alpha"),
    "elu": _unary("elu", alpha="alpha"),
    "power": lambda w: w.mil.pow(x=w.x(), y=np.float32(w.op.attrs["exponent"])),
    "relu": _unary("relu"),
    "sigmoid": _unary("sigmoid"),
    "tanh": _unary("tanh"),
    "mish": _mish,
    "swish": _unary("silu"),
    "exp": _unary("exp"),
    "sqrt": _unary("sqrt"),
    "floor": _unary("floor"),
    "ceil": _unary("ceil"),
    "max_pool": _pool("max_pool"),
    "avg_pool": _pool("avg_pool", exclude_padding_from_average=True),
    "reduce_max": _reduce("reduce_max"),
    "reduce_mean": _reduce("reduce_mean"),
    "reduce_sum": _reduce("reduce_sum"),
    "softmax": lambda w: w.mil.softmax(x=w.x(), axis=w.axis(w.op.attrs["axis"])),
    "concat": lambda w: w.mil.concat(values=[w.read(v) for v in w.op.inputs], axis=w.axis(w.op.attrs["axis"])),
    "slice": _slice,
    "pad": lambda w: _pad(w, w.x(), w.op.attrs["pads"], w.op.attrs["value"]),
    "reshape": lambda w: w.mil.reshape(x=w.x(), shape=list(shape_of(w.op.output))),
    "transpose": _transpose,
    "gather": _gather,
    "upsample": _upsample,
    "untile": _untile,
    "repeat_batch": lambda w: w.x(),
}
