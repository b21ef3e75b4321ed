"""The ONNX back end: a graph as a `ModelProto` made of old, widely implemented operators only.

Decision: one table, `EMITTERS`, from primitive to nodes. What a runtime gets wrong is written another way here, once,
with the reason beside it, so that one file runs everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import onnx

from ..errors import BackendError
from ..ir.graph import Graph, Op
from ..ir.int8 import Int8Plan
from ..ir.kernels import batch_norm_affine
from ..passes import fold_constants
from ..passes.fold_batch_norm import FOLDABLE
from .emitter import Emitter, input_names, output_names

# Every operator that a model may contain; export adds those of its suppression for boxes="nms" and "padded".
OPERATORS = frozenset(
    """
    Add AveragePool BatchNormalization Cast Ceil Clip Concat Conv ConvTranspose DequantizeLinear Div Elu Exp Expand
    Floor Gather Gemm Identity LeakyRelu MatMul Max MaxPool Mul Pad Pow QuantizeLinear ReduceMax ReduceMean ReduceSum
    Relu Reshape Resize Shape Sigmoid Slice Softmax Sqrt Sub Tanh Transpose
    """.split()
)

Emit = Callable[[Emitter], None]


def to_onnx(graph: Graph, **options: Any) -> onnx.ModelProto:
    """The graph, with its parameters loaded, as an ONNX model; `options` are those of `write_onnx`.

    Inputs and outputs are float32 with the batch axis in front: `batch` samples, or a symbolic number of them. Outputs
    are called `names` or, without these, as `output_names` says. Operations in `half` compute in float16. `emitters`
    replace some of `EMITTERS`; what a plan `int8` has is in 8 bits; `extend` may write nodes after the last and change
    `outputs`. Raises `BackendError` if parameters are missing.
    """
    return write_onnx(graph, **options).model()


def write_onnx(
    graph: Graph,
    *,
    batch: int | None = None,
    half: Container[Op] = (),
    names: Iterable[str] = (),
    emitters: Mapping[str, Emit] | None = None,
    extend: Emit | None = None,
    int8: Int8Plan | None = None,
) -> Emitter:
    """What `to_onnx` makes, still in parts: `Emitter.skeleton` and `Emitter.arrays`."""
    need_weights(graph)
    graph = fold_constants(graph)
    emitter = Emitter(graph, batch, half, list(names) or output_names(graph), int8)
    emitter.write({**EMITTERS, **(emitters or {})})
    if extend:
        extend(emitter)
    return emitter


def need_weights(graph: Graph) -> None:
    """Raise `BackendError` if parameters are missing."""
    unloaded = [p for p in graph.params if p.value not in graph.data]
    if unloaded:
        raise BackendError(f"no weights loaded ({unloaded[0].value.name} is missing)")


def feed(graph: Graph, inputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """The inputs by name, as contiguous float32; `BackendError` where their number or shapes do not fit."""
    if len(inputs) != len(graph.inputs):
        raise BackendError(f"the network wants {len(graph.inputs)} inputs, not {len(inputs)}")
    arrays = [np.ascontiguousarray(x, np.float32) for x in inputs]
    for name, value, x in zip(input_names(graph), graph.inputs, arrays, strict=True):
        if x.shape != (len(arrays[0]), *value.shape) or not len(x):
            raise BackendError(
                f"the input {name!r} wants an array of (n, {', '.join(map(str, value.shape))}), not {x.shape}"
            )
    return dict(zip(input_names(graph), arrays, strict=True))


# -- multiply and add --------------------------------------------------------------------------------------------


def _conv(e: Emitter) -> None:
    attrs = {"group" if k == "groups" else k: v for k, v in e.op.attrs.items()}
    e.node("Conv", [e.x(), *e.weights()], kernel_shape=e.op.inputs[1].shape[2:], **attrs)


def _conv_transpose(e: Emitter) -> None:
    pads: tuple[int, ...] = e.op.attrs["pads"]
    attrs: dict[str, Any] = dict(kernel_shape=e.op.inputs[1].shape[2:], strides=e.op.attrs["strides"])
    if pads[:2] == pads[2:]:
        e.node("ConvTranspose", [e.x(), *e.weights()], pads=pads, **attrs)
        return
    # OpenCV 4 has no asymmetric padding here; to pad the gradient of a convolution is to crop.
    whole = e.node("ConvTranspose", [e.x(), *e.weights()], "whole", **attrs)
    stops = [p + n for p, n in zip(pads[:2], e.op.output.shape[1:], strict=True)]
    e.node("Slice", [whole, e.integers(*pads[:2]), e.integers(*stops), e.integers(2, 3)])


def _matmul(e: Emitter) -> None:
    # OpenCV takes the first matrix of a constant second operand for all samples.
    constant = e.op.inputs[1] in e.graph.data and e.batch is not None
    e.node("MatMul", [e.x(0), e.repeated(e.op.inputs[1], 1) if constant else e.x(1)])


def _linear(e: Emitter) -> None:
    e.node("Gemm", [e.x(), *e.weights()], transB=1)


def _batch_norm(e: Emitter) -> None:
    outside = e.op.attrs["outside"]
    before = e.producers.get(e.op.inputs[0])
    if before is not None and before.kind in FOLDABLE and not outside:
        e.node("BatchNormalization", [e.x(), *e.weights()], epsilon=e.op.attrs["epsilon"])
        return
    # A factor and an offset: ONNX knows only sqrt(variance + epsilon), not pjreddie's sqrt(variance) + epsilon; and
    # OpenCV 5 fuses a BatchNormalization into a convolution across the Sigmoid, Elu, Mish or Swish between them.
    scale, bias, mean, variance = (e.graph.data[v] for v in e.op.inputs[1:])
    shape = (1, -1) + (1,) * (len(e.op.output.shape) - 1)
    name = e.op.output.name
    affine = batch_norm_affine(scale, bias, mean, variance, e.op.attrs["epsilon"], outside=outside)
    factor, offset = (a.reshape(shape) for a in affine)
    scaled = e.node("Mul", [e.x(), e.array(factor, (e.op, "factor"), f"{name}.factor")], "scaled")
    e.node("Add", [scaled, e.array(offset, (e.op, "offset"), f"{name}.offset")])


# -- element by element ------------------------------------------------------------------------------------------


def _unary(kind: str, **renamed: str) -> Emit:
    """An operator with the same attributes under other names."""

    def emit(e: Emitter) -> None:
        e.node(kind, [e.x()], **{renamed.get(k, k): v for k, v in e.op.attrs.items()})

    return emit


def _binary(kind: str) -> Emit:
    def emit(e: Emitter) -> None:
        x, y = e.x(0), e.x(1)
        a, b = (v.shape for v in e.op.inputs)
        computed = len(a) == len(b) == 3 and all(v.batched for v in e.op.inputs)
        if computed and (a[0] != b[0] or (kind == "Add" and a != b)):
            # OpenCV 5 cannot broadcast channels that it keeps in blocks, nor add to a convolution what has not its
            # shape; after an Identity it does neither.
            y = e.node("Identity", [y], "broadcast")
        e.node(kind, [x, y])

    return emit


def _discard(_: str) -> None:
    pass


def _clip(e: Emitter) -> None:
    low, high = e.op.attrs["low"], e.op.attrs["high"]
    bounds = ["" if math.isinf(n) else e.scalar(n) for n in (low, high)]
    e.node("Clip", [e.x(), *bounds])


def _power(e: Emitter) -> None:
    x, exponent = e.x(), e.op.attrs["exponent"]
    if exponent == 2:
        e.node("Mul", [x, x])
    else:
        e.node("Pow", [x, e.scalar(exponent)])


def _tanh(e: Emitter) -> None:
    # Beyond 10 float32 has 1.0; OpenCV 5 divides infinity by infinity from 45 on.
    bounded = e.node("Clip", [e.x(), e.scalar(-10.0), e.scalar(10.0)], "bounded")
    e.node("Tanh", [bounded])


def _mish(e: Emitter) -> None:
    """With t = sigmoid(x) and u = t (2 - t): tanh(log(1 + e^x)) = u / (2 - u).

    Exact at both ends, where e^x overflows or a difference cancels, and several times as fast in onnxruntime as its own
    Mish or the tanh of a softplus.
    """
    x, two = e.x(), e.scalar(2.0)
    t = e.node("Sigmoid", [x], "sigmoid")
    u = e.node("Mul", [t, e.node("Sub", [two, t], "rest")], "numerator")
    ratio = e.node("Div", [u, e.node("Sub", [two, u], "denominator")], "tanh")
    e.node("Mul", [x, ratio])


def mish_of_softplus(e: Emitter) -> None:
    """The form that OpenCV and OpenVINO recognize, and compute as one layer or as part of the convolution before."""
    x = e.x()
    e.node("Mul", [x, e.node("Tanh", [e.node("Softplus", [x], "softplus")], "tanh")])


def _swish(e: Emitter) -> None:
    x = e.x()
    e.node("Mul", [x, e.node("Sigmoid", [x], "sigmoid")])


# -- windows and reductions --------------------------------------------------------------------------------------


def _max_pool(e: Emitter) -> None:
    x, pads, kernel = e.x(), e.op.attrs["pads"], e.op.attrs["kernel"]
    if any(p >= k for p, k in zip(pads, kernel * 2, strict=True)):
        # A window that lies wholly outside is illegal in ONNX; in Darknet it gives -FLT_MAX.
        x, pads = _padded(e, x, pads, float(np.finfo(np.float32).min)), (0, 0, 0, 0)
    e.node("MaxPool", [x], kernel_shape=kernel, strides=e.op.attrs["strides"], pads=pads)


def _avg_pool(e: Emitter) -> None:
    a = e.op.attrs
    e.node("AveragePool", [e.x()], kernel_shape=a["kernel"], strides=a["strides"], pads=a["pads"], count_include_pad=0)


def _padded(e: Emitter, x: str, pads: tuple[int, ...], value: float, suffix: str = "padded") -> str:
    amounts = e.integers(0, 0, pads[0], pads[1], 0, 0, pads[2], pads[3])
    return e.node("Pad", [x, amounts, e.scalar(value)], suffix, mode="constant")


def _reduce(kind: str) -> Emit:
    def node(e: Emitter, x: str, axes: tuple[int, ...], suffix: str) -> str:
        if kind == "ReduceSum":  # its axes are an input since opset 13, those of the others since 18
            return e.node(kind, [x, e.integers(*axes)], suffix, keepdims=1)
        return e.node(kind, [x], suffix, axes=axes, keepdims=1)

    def emit(e: Emitter) -> None:
        x, axes = e.x(), tuple(a + 1 for a in e.op.attrs["axes"])
        if len(axes) > 2:  # OpenCV 4 reduces three axes at once to something else
            x, axes = node(e, x, axes[:1], "first"), axes[1:]
        node(e, x, axes, "")

    return emit


# -- moving values -----------------------------------------------------------------------------------------------


def _concat(e: Emitter) -> None:
    e.node("Concat", [e.x(i) for i in range(len(e.op.inputs))], axis=e.op.attrs["axis"] + 1)


def _slice(e: Emitter) -> None:
    a = e.op.attrs
    axes = [i + 1 for i in a["axes"]]
    e.node("Slice", [e.x(), *(e.integers(*n) for n in (a["starts"], a["stops"], axes, a["steps"]))])


def _reshape(e: Emitter) -> None:
    # A 0 keeps the batch axis, whatever its length.
    e.node("Reshape", [e.x(), e.integers(e.batch or 0, *e.op.attrs["shape"])])


def _transpose(e: Emitter) -> None:
    e.node("Transpose", [e.x()], perm=(0, *(i + 1 for i in e.op.attrs["order"])))


def _gather(e: Emitter) -> None:
    e.node("Gather", [e.x(), e.integers(*e.op.attrs["indices"])], axis=e.op.attrs["axis"] + 1)


def _upsample(e: Emitter) -> None:
    scales = e.floats(1, 1, *e.op.attrs["scale"])
    e.node(
        "Resize", [e.x(), "", scales], mode="nearest", coordinate_transformation_mode="asymmetric", nearest_mode="floor"
    )


def _untile(e: Emitter) -> None:
    (channels, th, tw), (pixels, points) = (v.shape for v in e.op.inputs)
    c, length, size, n = channels // points, math.isqrt(pixels), e.op.attrs["size"], e.batch or 0
    flat = e.node("Reshape", [e.x(), e.integers(n, points, c * th * tw)], "flat")
    mixed = e.node("MatMul", [*e.weights(), flat], "mixed")
    parts = e.node("Reshape", [mixed, e.integers(n, length, length, c, th, tw)], "parts")
    image = e.node("Transpose", [parts], "image", perm=(0, 3, 4, 2, 5, 1))
    whole, shape = (th * length, tw * length), e.integers(n, c, th * length, tw * length)
    if whole == size:
        e.node("Reshape", [image, shape])
    else:
        y = e.node("Reshape", [image, shape], "whole")
        e.node("Slice", [y, e.integers(0, 0), e.integers(*size), e.integers(2, 3)])


def _repeat_batch(e: Emitter) -> None:
    e.repeats[e.op.output] = e.op.inputs[0]


EMITTERS: dict[str, Emit] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "matmul": _matmul,
    "batch_norm": _batch_norm,
    "add": _binary("Add"),
    "sub": _binary("Sub"),
    "mul": _binary("Mul"),
    "div": _binary("Div"),
    "maximum": _binary("Max"),
    "clip": _clip,
    "leaky_relu": _unary("LeakyRelu", slope="alpha"),
    "elu": _unary("Elu"),
    "power": _power,
    "relu": _unary("Relu"),
    "sigmoid": _unary("Sigmoid"),
    "tanh": _tanh,
    "mish": _mish,
    "swish": _swish,
    "exp": _unary("Exp"),
    "sqrt": _unary("Sqrt"),
    "floor": _unary("Floor"),
    "ceil": _unary("Ceil"),
    "max_pool": _max_pool,
    "avg_pool": _avg_pool,
    "reduce_max": _reduce("ReduceMax"),
    "reduce_mean": _reduce("ReduceMean"),
    "reduce_sum": _reduce("ReduceSum"),
    "softmax": lambda e: _discard(e.node("Softmax", [e.x()], axis=e.op.attrs["axis"] + 1)),
    "concat": _concat,
    "slice": _slice,
    "pad": lambda e: _discard(_padded(e, e.x(), e.op.attrs["pads"], e.op.attrs["value"], "")),
    "reshape": _reshape,
    "transpose": _transpose,
    "gather": _gather,
    "upsample": _upsample,
    "untile": _untile,
    "repeat_batch": _repeat_batch,
}
