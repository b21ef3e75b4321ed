"""The operators of ONNX in primitives: what our emitter writes, and the forms that other programs write.

Decision: one table, `READERS`, from the kind of a node to a function of it. What no primitive computes is refused, and
what a primitive computes in one form only (a pad of channels, a reversed slice) is refused with that form.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from onnx import TensorProto

from ...ir import Value
from ...ir.ops import Pads, Pair, same_pads
from .nodes import Given, MishPart, Node, Refused

Result = Given | tuple[Value, ...]
Reader = Callable[[Node], Result]
READERS: dict[str, Reader] = {}


def _reads(*kinds: str) -> Callable[[Reader], Reader]:
    def register(read: Reader) -> Reader:
        READERS.update(dict.fromkeys(kinds, read))
        return read

    return register


@_reads("Identity", "Dropout")
def _same(node: Node) -> Result:
    return node.x()


@_reads("Cast")
def _cast(node: Node) -> Result:
    kind = TensorProto.DataType.Name(node.at["to"]).lower()
    if "float" not in kind and kind != "double":
        raise Refused(f"it makes {kind} of the numbers, and Darknet computes in float32")
    return node.x()


# -- multiply and add --------------------------------------------------------------------------------------------


def _window(node: Node, x: Value, kernel: Sequence[int]) -> tuple[Pair, Pads]:
    """The steps and paddings of a window."""
    strides = tuple(node.at.get("strides", (1, 1)))
    dilations = tuple(node.at.get("dilations", (1, 1)))
    auto = node.word("auto_pad", "NOTSET")
    if len(kernel) != 2 or len(strides) != 2:
        raise Refused(f"a window of {len(kernel)} axes")
    steps = (strides[0], strides[1])
    if auto.startswith("SAME"):
        pads = same_pads(x.shape[1:], kernel, steps, dilations)
        return steps, pads if auto == "SAME_UPPER" else (*pads[2:], *pads[:2])
    top, left, bottom, right = node.at.get("pads", (0, 0, 0, 0)) if auto == "NOTSET" else (0, 0, 0, 0)
    if node.at.get("ceil_mode"):  # as much more as another window needs
        _, height, width = x.shape
        bottom += -(height + top + bottom - kernel[0]) % steps[0]
        right += -(width + left + right - kernel[1]) % steps[1]
    return steps, (top, left, bottom, right)


@_reads("Conv")
def _conv(node: Node) -> Result:
    x, weights = node.image(), node.constant(1)
    strides, pads = _window(node, x, weights.shape[2:])
    bias = [node.b.const(node.constant(2))] if node.has(2) else []
    attrs = dict(dilations=tuple(node.at.get("dilations", (1, 1))), groups=node.at.get("group", 1))
    return node.b.op("conv", x, node.b.const(weights), *bias, strides=strides, pads=pads, **attrs)


@_reads("Gemm")
def _gemm(node: Node) -> Result:
    x, weights = node.x(), node.constant(1)
    if node.at.get("transA"):
        raise Refused("its first matrix is transposed")
    weights = (weights if node.at.get("transB") else weights.T) * np.float32(node.at.get("alpha", 1))
    bias = []
    if node.has(2):
        c = node.constant(2) * np.float32(node.at.get("beta", 1))
        bias = [node.b.const(np.broadcast_to(c.reshape(-1), (len(weights),)))]
    return node.b.op("linear", x, node.b.const(weights), *bias)


@_reads("MatMul")
def _matmul(node: Node) -> Result:
    x, weights = node.x(), node.constant(1)
    if len(x.shape) != 1 or weights.ndim != 2:
        raise Refused("Darknet multiplies a vector with a constant matrix, and nothing else")
    return node.b.op("linear", x, node.b.const(weights.T))


@_reads("BatchNormalization")
def _batch_norm(node: Node) -> Result:
    if node.at.get("training_mode") or node.outputs > 1:  # before version 14, its outputs say so
        raise Refused("it is in training")
    parameters = [node.b.const(node.constant(i)) for i in range(1, 5)]
    return node.b.op("batch_norm", node.x(), *parameters, epsilon=node.at.get("epsilon", 1e-5))


# -- element by element ------------------------------------------------------------------------------------------


@_reads("Add", "Sub", "Mul", "Div", "Max", "Sum")
def _elementwise(node: Node) -> Result:
    kind = {"Max": "maximum", "Sum": "add"}.get(node.kind, node.kind.lower())
    if kind == "mul":
        for part, other in (node.inputs, node.inputs[::-1]):
            if isinstance(part, MishPart) and part.bounded and part.x is other:
                return node.b.op("mish", part.x)
    result, *others = node.operands()
    for other in others:
        result = node.b.op(kind, result, other)
    return result


@_reads("Softplus")
def _softplus(node: Node) -> Result:
    return MishPart(node.x(), bounded=False)


@_reads("Tanh")
def _tanh(node: Node) -> Result:
    part = node.inputs[0]
    if isinstance(part, MishPart) and not part.bounded:
        return MishPart(part.x, bounded=True)
    return node.b.op("tanh", node.x())


@_reads("Relu", "Sigmoid", "Exp", "Sqrt", "Floor", "Ceil", "Mish")
def _unary(node: Node) -> Result:
    return node.b.op(node.kind.lower(), node.x())


@_reads("Neg")
def _neg(node: Node) -> Result:
    return node.b.mul(node.x(), -1)


@_reads("LeakyRelu")
def _leaky_relu(node: Node) -> Result:
    return node.b.op("leaky_relu", node.x(), slope=node.at.get("alpha", 0.01))


@_reads("Elu")
def _elu(node: Node) -> Result:
    return node.b.op("elu", node.x(), alpha=node.at.get("alpha", 1.0))


@_reads("Selu")
def _selu(node: Node) -> Result:
    alpha, gamma = node.at.get("alpha", 1.67326), node.at.get("gamma", 1.0507)
    return node.b.mul(node.b.op("elu", node.x(), alpha=alpha), gamma)


@_reads("Clip")
def _clip(node: Node) -> Result:
    low, high = node.at.get("min", -math.inf), node.at.get("max", math.inf)
    return node.b.op("clip", node.x(), low=node.number(1, low), high=node.number(2, high))


@_reads("Pow")
def _pow(node: Node) -> Result:
    return node.b.op("power", node.x(), exponent=node.number(1, 1))


# -- windows and reductions --------------------------------------------------------------------------------------


@_reads("MaxPool")
def _max_pool(node: Node) -> Result:
    x, kernel = node.image(), tuple(node.at["kernel_shape"])
    if any(d != 1 for d in node.at.get("dilations", ())):
        raise Refused("its window is dilated")
    strides, pads = _window(node, x, kernel)
    return node.b.op("max_pool", x, kernel=kernel, strides=strides, pads=pads)


@_reads("AveragePool")
def _average_pool(node: Node) -> Result:
    x, kernel = node.image(), tuple(node.at["kernel_shape"])
    strides, pads = _window(node, x, kernel)
    if any(pads) and node.at.get("count_include_pad"):
        raise Refused("it counts the padding, and Darknet counts what lies inside the image")
    return node.b.op("avg_pool", x, kernel=kernel, strides=strides, pads=pads)


@_reads("GlobalAveragePool")
def _global_average(node: Node) -> Result:
    return node.b.op("reduce_mean", node.image(), axes=(1, 2))


@_reads("GlobalMaxPool")
def _global_max(node: Node) -> Result:
    x = node.image()
    return node.b.op("max_pool", x, kernel=x.shape[1:], strides=(1, 1), pads=(0, 0, 0, 0))


@_reads("ReduceMax", "ReduceMean", "ReduceSum")
def _reduce(node: Node) -> Result:
    x = node.x()
    rank = len(x.shape)
    given = node.integers(1, "axes") or [*range(rank + 1)]
    axes = tuple(sorted(node.axis(a, rank, "adds up") for a in given))
    y = node.b.op("reduce_" + node.kind.removeprefix("Reduce").lower(), x, axes=axes)
    kept = [n for i, n in enumerate(y.shape) if node.at.get("keepdims", 1) or i not in axes]
    return node.b.reshape(y, *(kept or [1]))


@_reads("Softmax")
def _softmax(node: Node) -> Result:
    x, new = node.x(), node.opset >= 13
    axis = node.axis(node.at.get("axis", -1 if new else 1), len(x.shape), "is over")
    if new:
        return node.b.op("softmax", x, axis=axis)
    if axis:  # before version 13 it was over all axes from the given one on
        raise Refused("it is over some axes only")
    return node.b.reshape(node.b.op("softmax", node.b.flatten(x), axis=0), *x.shape)


# -- moving values -----------------------------------------------------------------------------------------------


@_reads("Concat")
def _concat(node: Node) -> Result:
    values = node.operands()
    return node.b.concat(values, node.axis(node.at["axis"], max(len(v.shape) for v in values), "joins"))


@_reads("Slice")
def _slice(node: Node) -> Result:
    x = node.x()
    starts, stops = node.integers(1, "starts"), node.integers(2, "ends")
    axes = node.integers(3, "axes") or [*range(len(starts))]
    steps = node.integers(4, "steps") or [1] * len(starts)
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        if step < 1:
            raise Refused("it goes backwards")
        if axis == 0 == start and stop != 0:
            continue
        place = node.axis(axis, len(x.shape), "takes some of the")
        first, last, _ = slice(start, stop, step).indices(x.shape[place])
        x = node.b.slice(x, place, first, last, step)
    return x


@_reads("Split")
def _split(node: Node) -> Result:
    x, count = node.x(), node.outputs
    axis = node.axis(node.at.get("axis", 0), len(x.shape), "splits")
    sizes = node.integers(1, "split") or [-(-x.shape[axis] // count)] * count
    ends = np.minimum(np.cumsum(sizes), x.shape[axis]).tolist()
    return tuple(node.b.slice(x, axis, end - size, end) for size, end in zip(sizes, ends, strict=True))


@_reads("Pad")
def _pad(node: Node) -> Result:
    x, amounts = node.image(), node.integers(1, "pads")
    if node.word("mode", "constant") != "constant" or len(amounts) != 8 or node.has(3):
        raise Refused("Darknet pads with one number")
    if amounts[0] or amounts[1] or amounts[4] or amounts[5] or min(amounts) < 0:
        raise Refused("it pads samples or channels, or cuts")
    pads = (amounts[2], amounts[3], amounts[6], amounts[7])
    return node.b.op("pad", x, pads=pads, value=node.number(2, node.at.get("value", 0)))


@_reads("Reshape")
def _reshape(node: Node) -> Result:
    x, wanted = node.x(), node.integers(1, "shape")
    whole = node.whole(x)
    shape = [whole[i] if n == 0 and i < len(whole) else n for i, n in enumerate(wanted)]
    if -1 in shape:
        shape[shape.index(-1)] = math.prod(whole) // max(1, math.prod(n for n in shape if n != -1))
    return node.shaped(x, shape)


@_reads("Flatten")
def _flatten(node: Node) -> Result:
    if node.at.get("axis", 1) != 1:
        raise Refused("it keeps some axes")
    return node.b.flatten(node.x())


@_reads("Squeeze")
def _squeeze(node: Node) -> Result:
    whole, axes = [*node.whole(node.x())], node.integers(1, "axes")
    gone = {a % len(whole) for a in axes} or {i for i, n in enumerate(whole) if n == 1 and i}
    return node.shaped(node.x(), [n for i, n in enumerate(whole) if i not in gone])


@_reads("Unsqueeze")
def _unsqueeze(node: Node) -> Result:
    whole, axes = [*node.whole(node.x())], node.integers(1, "axes")
    for axis in sorted(a % (len(whole) + len(axes)) for a in axes):
        whole.insert(axis, 1)
    return node.shaped(node.x(), whole)


@_reads("Transpose")
def _transpose(node: Node) -> Result:
    x = node.x()
    order = node.at.get("perm") or [*range(len(x.shape) + 1)][::-1]
    if order[0] != 0:
        raise Refused("it moves the axis of samples")
    return node.b.op("transpose", x, order=tuple(i - 1 for i in order[1:]))


@_reads("Gather")
def _gather(node: Node) -> Result:
    x, indices = node.x(), node.constant(1)
    axis = node.axis(node.at.get("axis", 0), len(x.shape), "takes some of the")
    if indices.ndim > 1:
        raise Refused("it takes a table")
    places = tuple(int(i) % x.shape[axis] for i in indices.ravel())
    y = node.b.op("gather", x, axis=axis, indices=places)
    return y if indices.ndim else node.b.reshape(y, *y.shape[:axis], *y.shape[axis + 1 :])


# Where a pixel of a picture made larger looks, for which whole factors that is the pixel under it.
NEAREST = {
    ("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil"),
    ("pytorch_half_pixel", "round_prefer_floor"),
}  # fmt: skip


@_reads("Resize", "Upsample")
def _resize(node: Node) -> Result:
    new = node.kind == "Resize" and len(node.inputs) > 2  # since version 11
    looks = (node.word("coordinate_transformation_mode", "half_pixel"), node.word("nearest_mode", "round_prefer_floor"))
    if node.word("mode", "nearest") != "nearest" or (new and looks not in NEAREST):
        raise Refused("Darknet repeats pixels, and nothing else")
    x, scales = node.image(), _scales(node, 2 if new else 1)
    if len(scales) != 4 or scales[:2] != [1, 1] or any(n != int(n) or n < 1 for n in scales):
        raise Refused(f"its factors are {scales}, and Darknet repeats pixels a whole number of times")
    return node.b.op("upsample", x, scale=(int(scales[2]), int(scales[3])))


def _scales(node: Node, index: int) -> list[float]:
    """The factors of a picture made larger, given or by the shape that is wanted."""
    given = node.at.get("scales") or (node.constant(index).ravel().tolist() if node.has(index) else [])
    if not given and node.has(3):
        return [n / o for n, o in zip(node.constant(3).ravel().tolist(), node.whole(node.x()), strict=True)]
    return [float(n) for n in given]


@_reads("SpaceToDepth")
def _space_to_depth(node: Node) -> Result:
    x, s = node.image(), int(node.at["blocksize"])
    c, h, w = x.shape
    blocks = node.b.reshape(x, c, h // s, s, w // s, s)
    return node.b.reshape(node.b.op("transpose", blocks, order=(2, 4, 0, 1, 3)), c * s * s, h // s, w // s)


@_reads("Expand")
def _expand(node: Node) -> Result:
    x, shape = node.x(), tuple(node.integers(1, "shape"))
    if np.broadcast_shapes(node.whole(x), shape) != node.whole(x):
        raise Refused("Darknet repeats nothing but pixels")
    return x
