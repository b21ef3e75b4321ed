"""A part of a graph as ncnn's own list of layers, in its text format, and the arrays that it reads in that order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ...ir.graph import Op, Value, sole_readers
from ...ir.kernels import batch_norm_affine

MAGIC = "7767517"  # the first line of the text format
RAW = bytes(4)  # in front of weights: float32, not compressed
HALF = (0x01306B47).to_bytes(4, "little")  # or float16, filled up to a multiple of 4 bytes
MOST_AXES = 3
HALF_MAX = 65504.0  # the largest float16
ADD, SUB, MUL, DIV, MAX, RSUB, RDIV = 0, 1, 2, 3, 4, 7, 8  # BinaryOp
SUM, MEAN, LARGEST = 0, 3, 4  # Reduction
WEIGHTED = frozenset(("conv", "conv_transpose", "linear", "batch_norm"))  # by constants


class Writer:
    """Lists the layers that compute `ops`, with `gives` as its results; `data` are the arrays of constants.

    `inputs` are the names of what the operations read from elsewhere, `outputs` those of the results, and `results`
    the same for a value that is given more than once; `fused` is the
    activation that each convolution computes itself. With `half`, learned weights are stored in float16.
    """

    def __init__(
        self, ops: Sequence[Op], gives: Sequence[Value], data: Mapping[Value, np.ndarray], *, half: bool = False
    ) -> None:
        self.data, self.arrays, self.half = data, list[bytes | memoryview](), half
        self._layers: list[str] = []
        self._blobs = 0
        self._same = {op.output: op.inputs[0] for op in ops if op.kind == "repeat_batch"}
        ops = [op for op in ops if op.kind != "repeat_batch"]
        # A blob is read once: where more readers are, a Split makes copies of its name.
        self._reads = Counter(self._origin(v) for v in (*(v for op in ops for v in op.inputs), *gives))
        self._ready: dict[Value, list[str]] = {}
        own = {op.output for op in ops}
        self.inputs = {v: self._input(v) for v in self._reads if v not in own and v not in data}
        self.fused = _activations(ops, gives)
        inside = {*self.fused.values()}
        for op in ops:
            if op not in inside:
                self._result(self.fused.get(op, op).output, RULES[op.kind](self, op))
        self.results = [self.read(v) for v in gives]
        self.outputs = dict(zip(gives, self.results, strict=True))

    def text(self, names: Mapping[str, str] | None = None) -> str:
        """The network in ncnn's text format; `names` replace those of some blobs."""
        lines = self._layers
        if names:
            lines = [" ".join(names.get(word, word) for word in line.split(" ")) for line in lines]
        return "\n".join([MAGIC, f"{len(lines)} {self._blobs}", *lines, ""])

    def layer(self, kind: str, inputs: Sequence[str], results: int = 1, /, **parameters: object) -> list[str]:
        """Write a layer, and name its results. Parameters are called `p` and ncnn's number for them."""
        names = [f"b{self._blobs + i}" for i in range(results)]
        self._blobs += results
        told = [_parameter(int(key[1:]), value) for key, value in parameters.items()]
        counts = f"{kind} l{len(self._layers)} {len(inputs)} {results}"
        self._layers.append(" ".join([counts, *inputs, *names, *told]))
        return names

    def read(self, value: Value) -> str:
        """The name under which the next reader finds a value."""
        value = self._origin(value)
        if value not in self._ready:
            array = self.data[value]
            self.arrays.append(_flat(array))
            self._result(value, self.layer("MemoryData", [], **_size(value.shape)))
        return self._ready[value].pop()

    def _result(self, value: Value, names: list[str]) -> None:
        """Take note of what computes a value."""
        readers = self._reads[value]
        self._ready[value] = self.layer("Split", names, readers) if readers > 1 else names

    def _origin(self, value: Value) -> Value:
        return self._same.get(value, value)

    def _input(self, value: Value) -> str:
        (name,) = self.layer("Input", [])
        self._result(value, [name])
        return name


def has_layer(op: Op) -> bool:
    """Whether ncnn has a layer for an operation."""
    if op.kind == "repeat_batch":
        return True
    if op.kind not in RULES or not op.output.batched or any(len(v.shape) > MOST_AXES for v in _images(op)):
        return False
    if op.kind in WEIGHTED:
        return not any(v.batched for v in op.inputs[1:])
    if op.kind == "slice":
        steps = dict(zip(op.attrs["axes"], op.attrs["steps"], strict=True))
        return max(steps.values()) == 1 or (len(op.output.shape) == MOST_AXES and steps.get(0, 1) == 1)
    return op.kind != "power" or op.attrs["exponent"] in (2, 3)


def _images(op: Op) -> tuple[Value, ...]:
    return (op.output, op.inputs[0]) if op.kind in WEIGHTED else (op.output, *op.inputs)


def _activations(ops: Sequence[Op], gives: Sequence[Value]) -> dict[Op, Op]:
    """The activation that each convolution computes itself."""
    alone = sole_readers(ops, gives)
    pairs = ((op, alone.get(op.output)) for op in ops if op.kind == "conv")
    return {op: after for op, after in pairs if after is not None and after.kind in FUSED}


def _parameter(key: int, value: object) -> str:
    if isinstance(value, tuple):
        return f"{-23300 - key}={','.join(map(str, (len(value), *value)))}"
    return f"{key}={value:.9e}" if isinstance(value, float) else f"{key}={value}"


def _stored(weights: np.ndarray, *, half: bool) -> tuple[bytes | memoryview, ...]:
    """Weights, and before them how they are stored."""
    if not half:
        return RAW, _flat(weights)
    data = np.clip(weights, -HALF_MAX, HALF_MAX).astype("<f2").tobytes()
    return HALF, data, bytes(-len(data) % 4)


def _flat(array: np.ndarray) -> memoryview:
    return np.ascontiguousarray(array, np.float32).data


def _size(shape: tuple[int, ...]) -> dict[str, object]:
    """The extents of a blob as parameters: width, height and channels, as far as it has them."""
    return {f"p{i}": n for i, n in enumerate(reversed(shape))}


# -- layers ------------------------------------------------------------------------------------------------------

Rule = Callable[[Writer, Op], list[str]]

# What a convolution computes after itself: the number of the activation, and its parameters.
FUSED: dict[str, Callable[[Op], tuple[int, tuple[float, ...]]]] = {
    "relu": lambda op: (1, ()),
    "leaky_relu": lambda op: (2, (float(op.attrs["slope"]),)),
    "clip": lambda op: (3, (float(op.attrs["low"]), float(op.attrs["high"]))),
    "sigmoid": lambda op: (4, ()),
    "mish": lambda op: (5, ()),
}


def _weigh(w: Writer, op: Op, weights: np.ndarray) -> int:
    """Write the weights of a layer, and its bias if it has one; whether it has."""
    biases = op.inputs[2:]
    w.arrays += [*_stored(weights, half=w.half), *(_flat(w.data[v]) for v in biases)]
    return len(biases)


def _conv(w: Writer, op: Op) -> list[str]:
    a, weights, x = op.attrs, w.data[op.inputs[1]], w.read(op.inputs[0])
    groups, (top, left, bottom, right), (sy, sx), (dy, dx) = (
        a[k] for k in ("groups", "pads", "strides", "dilations")
    )  # fmt: skip
    told: dict[str, object] = dict(
        p0=weights.shape[0], p1=weights.shape[3], p2=dx, p3=sx, p4=left, p5=_weigh(w, op, weights),
        p6=weights.size, p11=weights.shape[2], p12=dy, p13=sy, p14=top, p15=right, p16=bottom,
    )  # fmt: skip
    if groups > 1:
        told["p7"] = groups
    if after := w.fused.get(op):
        told["p9"], numbers = FUSED[after.kind](after)
        told |= {"p10": numbers} if numbers else {}
    return w.layer("ConvolutionDepthWise" if groups > 1 else "Convolution", [x], **told)


def _conv_transpose(w: Writer, op: Op) -> list[str]:
    a, weights, x = op.attrs, w.data[op.inputs[1]].swapaxes(0, 1), w.read(op.inputs[0])
    (top, left, bottom, right), (sy, sx) = a["pads"], a["strides"]
    return w.layer(
        "Deconvolution", [x], p0=weights.shape[0], p1=weights.shape[3], p2=1, p3=sx, p4=left, p5=_weigh(w, op, weights),
        p6=weights.size, p11=weights.shape[2], p12=1, p13=sy, p14=top, p15=right, p16=bottom,
    )  # fmt: skip


def _linear(w: Writer, op: Op) -> list[str]:
    weights, x = w.data[op.inputs[1]], w.read(op.inputs[0])
    return w.layer("InnerProduct", [x], p0=weights.shape[0], p1=_weigh(w, op, weights), p2=weights.size)


def _pool(kind: int) -> Rule:
    def rule(w: Writer, op: Op) -> list[str]:
        (ky, kx), (sy, sx), (top, left, bottom, right) = (op.attrs[k] for k in ("kernel", "strides", "pads"))
        return w.layer(
            "Pooling", [w.read(op.inputs[0])], p0=kind, p1=kx, p2=sx, p3=left, p5=1, p11=ky, p12=sy, p13=top,
            p14=right, p15=bottom,
        )  # fmt: skip

    return rule


def _binary(kind: int, swapped: int) -> Rule:
    def rule(w: Writer, op: Op) -> list[str]:
        for index, number in ((1, kind), (0, swapped)):
            value = op.inputs[index]
            if value in w.data and w.data[value].size == 1:
                other = w.read(op.inputs[1 - index])
                return w.layer("BinaryOp", [other], p0=number, p1=1, p2=float(w.data[value].ravel()[0]))
        return w.layer("BinaryOp", [w.read(v) for v in op.inputs], p0=kind)

    return rule


def _power(w: Writer, op: Op) -> list[str]:
    first, *others = w.layer("Split", [w.read(op.inputs[0])], int(op.attrs["exponent"]))
    product = [first]
    for other in others:
        product = w.layer("BinaryOp", [*product, other], p0=MUL)
    return product


def _batch_norm(w: Writer, op: Op) -> list[str]:
    x, (scale, bias, mean, variance) = w.read(op.inputs[0]), (w.data[v] for v in op.inputs[1:])
    epsilon, outside = op.attrs["epsilon"], op.attrs["outside"]
    w.arrays += map(_flat, batch_norm_affine(scale, bias, mean, variance, epsilon, outside))
    return w.layer("Scale", [x], p0=op.output.shape[0], p1=1)


def _simple(name: str, *keys: str, **fixed: object) -> Rule:
    """A layer of one input whose parameters are some attributes, in order."""

    def rule(w: Writer, op: Op) -> list[str]:
        told = {f"p{i}": float(op.attrs[key]) for i, key in enumerate(keys)}
        return w.layer(name, [w.read(op.inputs[0])], **told, **fixed)

    return rule


def _reduction(kind: int) -> Rule:
    return lambda w, op: w.layer("Reduction", [w.read(op.inputs[0])], p0=kind, p1=0, p3=op.attrs["axes"], p4=1, p5=1)


def _slice(w: Writer, op: Op) -> list[str]:
    a = op.attrs
    steps = dict(zip(a["axes"], a["steps"], strict=True))
    part = w.layer("Crop", [w.read(op.inputs[0])], p9=a["starts"], p10=a["stops"], p11=a["axes"])
    if max(steps.values()) == 1:
        return part
    return w.layer("Pooling", part, p0=0, p1=1, p2=steps.get(2, 1), p5=1, p11=1, p12=steps.get(1, 1))


def _pad(w: Writer, op: Op) -> list[str]:
    top, left, bottom, right = op.attrs["pads"]
    value = float(op.attrs["value"])
    return w.layer("Padding", [w.read(op.inputs[0])], p0=top, p1=bottom, p2=left, p3=right, p4=0, p5=value)


def _transpose(w: Writer, op: Op) -> list[str]:
    order = op.attrs["order"]
    # ncnn counts the orders of (w, h, c), the innermost axis first.
    n = len(order)
    inward = tuple(n - 1 - axis for axis in reversed(order))
    orders = {2: ((0, 1), (1, 0)), 3: ((0, 1, 2), (1, 0, 2), (0, 2, 1), (2, 0, 1), (1, 2, 0), (2, 1, 0))}
    return w.layer("Permute", [w.read(op.inputs[0])], p0=orders[n].index(inward))


RULES: dict[str, Rule] = {
    "conv": _conv,
    "conv_transpose": _conv_transpose,
    "linear": _linear,
    "max_pool": _pool(0),
    "avg_pool": _pool(1),
    "add": _binary(ADD, ADD),
    "sub": _binary(SUB, RSUB),
    "mul": _binary(MUL, MUL),
    "div": _binary(DIV, RDIV),
    "maximum": _binary(MAX, MAX),
    "power": _power,
    "batch_norm": _batch_norm,
    "relu": _simple("ReLU"),
    "leaky_relu": _simple("ReLU", "slope"),
    "elu": _simple("ELU", "alpha"),
    "clip": _simple("Clip", "low", "high"),
    "sigmoid": _simple("Sigmoid"),
    "tanh": _simple("TanH"),
    "mish": _simple("Mish"),
    "swish": _simple("Swish"),
    "floor": _simple("UnaryOp", p0=2),
    "ceil": _simple("UnaryOp", p0=3),
    "sqrt": _simple("UnaryOp", p0=5),
    "exp": _simple("UnaryOp", p0=7),
    "reduce_sum": _reduction(SUM),
    "reduce_mean": _reduction(MEAN),
    "reduce_max": _reduction(LARGEST),
    "softmax": lambda w, op: w.layer("Softmax", [w.read(op.inputs[0])], p0=op.attrs["axis"], p1=1),
    "concat": lambda w, op: w.layer("Concat", [w.read(v) for v in op.inputs], p0=op.attrs["axis"]),
    "slice": _slice,
    "pad": _pad,
    "reshape": lambda w, op: w.layer("Reshape", [w.read(op.inputs[0])], **_size(op.attrs["shape"])),
    "transpose": _transpose,
    "upsample": lambda w, op: w.layer(
        "Interp", [w.read(op.inputs[0])], p0=1, p1=float(op.attrs["scale"][0]), p2=float(op.attrs["scale"][1])
    ),
}
