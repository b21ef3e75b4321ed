"""The operations of a part of a graph as ncnn's layers: a rule for each, and what ncnn has no layer for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ...ir.graph import Op, Value, sole_readers
from ...ir.kernels import batch_norm_affine
from .axes import around, gathered, permuted, shaped
from .layers import MOST_AXES, LayerList, extents, flat, stored

IMAGE_AXES = 3
PACK = 4  # channels that ncnn computes at once
REST = -233  # of Slice: an equal part of what is left
MOST_FOUND = 1 << 21  # places along an axis that GridSample's float32 coordinates tell apart: off by 0.28 at most
ADD, SUB, MUL, DIV, MAX, RSUB, RDIV = 0, 1, 2, 3, 4, 7, 8  # BinaryOp
SUM, MEAN, LARGEST = 0, 3, 4  # Reduction
WEIGHTED = frozenset(("conv", "conv_transpose", "linear", "batch_norm"))  # by constants
MOVES = frozenset(("reshape", "transpose", "gather"))  # elements, whatever axes they have


class Writer(LayerList):
    """Lists the layers that compute `ops`, with `gives` as its results; `data` are the arrays of constants.

    `inputs` are the names of what the operations read from elsewhere, `outputs` those of the results, and `results`
    the same for a value that is given more than once; `fused` is the activation that each convolution computes itself.
    With `half`, learned weights are stored in float16. With `apart`, the groups of a convolution are convolutions of
    their own, but for those of one channel each that ncnn computes at once.
    """

    def __init__(
        self, ops: Sequence[Op], gives: Sequence[Value], data: Mapping[Value, np.ndarray], *, half: bool = False,
        apart: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.data, self.half, self.apart = data, half, apart
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

    def read(self, value: Value) -> str:
        """The name under which the next reader finds a value."""
        value = self._origin(value)
        if value not in self._ready:
            array = self.data[value]
            self.arrays.append(flat(array))
            shape = value.shape if len(value.shape) <= MOST_AXES else (array.size,)
            self._result(value, self.layer("MemoryData", [], **extents(shape)))
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
    """Whether ncnn has layers for an operation."""
    return not lack_for(op)


def lack_for(op: Op) -> str:
    """What keeps ncnn from computing an operation; nothing if it can."""
    if op.kind == "repeat_batch":
        return ""
    if op.kind not in RULES or not op.output.batched:
        return f"ncnn has no layer for {op.kind}{'' if op.output.batched else ' of constants'}"
    places = max((max(around(op.inputs[0].shape, axis)[1:]) for axis in _sampled(op)), default=0)
    if places > MOST_FOUND:
        return f"ncnn's float32 coordinates tell {MOST_FOUND} places apart, not the {places} of a {op.kind}"
    if op.kind not in MOVES and any(len(v.shape) > MOST_AXES for v in _images(op)):
        return f"ncnn has no blob of more than {MOST_AXES} axes for {op.kind}"
    if op.kind in WEIGHTED and any(v.batched for v in op.inputs[1:]):
        return f"ncnn's layer for {op.kind} has its weights in the file, and these are computed"
    return ""


def _sampled(op: Op) -> tuple[int, ...]:
    """The axes of which ncnn takes elements one by one, by their coordinates."""
    if op.kind == "gather":
        return (op.attrs["axis"],)
    if op.kind != "slice":
        return ()
    stepped = tuple(axis for axis, step in zip(op.attrs["axes"], op.attrs["steps"], strict=True) if step > 1)
    return stepped if len(op.output.shape) != IMAGE_AXES or 0 in stepped else ()


def _images(op: Op) -> tuple[Value, ...]:
    return (op.output, op.inputs[0]) if op.kind in WEIGHTED else (op.output, *op.inputs)


def _activations(ops: Sequence[Op], gives: Sequence[Value]) -> dict[Op, Op]:
    """The activation that each convolution computes itself."""
    alone = sole_readers(ops, gives)
    pairs = ((op, alone.get(op.output)) for op in ops if op.kind == "conv")
    return {op: after for op, after in pairs if after is not None and after.kind in FUSED}


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
    biases = [w.data[v] for v in op.inputs[2:]]
    _keep(w, weights, biases)
    return len(biases)


def _keep(w: Writer, weights: np.ndarray, biases: Sequence[np.ndarray]) -> None:
    w.arrays += [*stored(weights, half=w.half), *map(flat, biases)]


def _conv(w: Writer, op: Op) -> list[str]:
    weights, x, groups = w.data[op.inputs[1]], w.read(op.inputs[0]), op.attrs["groups"]
    biases = [w.data[v] for v in op.inputs[2:]]
    packed = weights.shape[1] == 1 and len(weights) == groups and groups % PACK == 0
    if groups == 1 or packed or not w.apart:
        return _convolution(w, op, x, weights, biases, groups)
    parts = w.layer("Slice", [x], groups, p0=(REST,) * groups, p1=0)
    own = zip(parts, *(np.split(a, groups) for a in (weights, *biases)), strict=True)
    return w.layer("Concat", [y for part, *a in own for y in _convolution(w, op, part, a[0], a[1:], 1)], p0=0)


def _convolution(
    w: Writer, op: Op, x: str, weights: np.ndarray, biases: Sequence[np.ndarray], groups: int
) -> list[str]:  # fmt: skip
    """A convolution, or that of one of its groups."""
    (top, left, bottom, right), (sy, sx), (dy, dx) = (op.attrs[k] for k in ("pads", "strides", "dilations"))
    _keep(w, weights, biases)
    told: dict[str, object] = dict(
        p0=weights.shape[0], p1=weights.shape[3], p2=dx, p3=sx, p4=left, p5=len(biases),
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
    x, exponent = w.read(op.inputs[0]), op.attrs["exponent"]
    if exponent not in (2, 3):
        return w.layer("Power", [x], p0=float(exponent), p1=1.0, p2=0.0)
    first, *others = w.layer("Split", [x], int(exponent))
    product = [first]
    for other in others:
        product = w.layer("BinaryOp", [*product, other], p0=MUL)
    return product


def _batch_norm(w: Writer, op: Op) -> list[str]:
    x, (scale, bias, mean, variance) = w.read(op.inputs[0]), (w.data[v] for v in op.inputs[1:])
    epsilon, outside = op.attrs["epsilon"], op.attrs["outside"]
    w.arrays += map(flat, batch_norm_affine(scale, bias, mean, variance, epsilon, outside))
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
    a, shape = op.attrs, list(op.inputs[0].shape)
    steps = dict(zip(a["axes"], a["steps"], strict=True))
    part = w.layer("Crop", [w.read(op.inputs[0])], p9=a["starts"], p10=a["stops"], p11=a["axes"])
    if max(steps.values()) == 1:
        return part
    if not (sampled := _sampled(op)):
        return w.layer("Pooling", part, p0=0, p1=1, p2=steps.get(2, 1), p5=1, p11=1, p12=steps.get(1, 1))
    for axis, start, stop in zip(a["axes"], a["starts"], a["stops"], strict=True):
        shape[axis] = stop - start
    for axis in sampled:
        part = gathered(w, part, tuple(shape), axis, range(0, shape[axis], steps[axis]))
        shape[axis] = op.output.shape[axis]
    return shaped(w, part, op.output.shape)


def _pad(w: Writer, op: Op) -> list[str]:
    top, left, bottom, right = op.attrs["pads"]
    value = float(op.attrs["value"])
    return w.layer("Padding", [w.read(op.inputs[0])], p0=top, p1=bottom, p2=left, p3=right, p4=0, p5=value)


def _reshape(w: Writer, op: Op) -> list[str]:
    return shaped(w, [w.read(op.inputs[0])], op.output.shape)


def _transpose(w: Writer, op: Op) -> list[str]:
    return permuted(w, [w.read(op.inputs[0])], op.inputs[0].shape, op.attrs["order"])


def _gather(w: Writer, op: Op) -> list[str]:
    a, x = op.attrs, op.inputs[0]
    return shaped(w, gathered(w, [w.read(x)], x.shape, a["axis"], a["indices"]), op.output.shape)


RULES: dict[str, Rule] = {
    "matmul": lambda w, op: w.layer("MatMul", [w.read(v) for v in op.inputs], p0=0),
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
    "reshape": _reshape,
    "transpose": _transpose,
    "gather": _gather,
    "upsample": lambda w, op: w.layer(
        "Interp", [w.read(op.inputs[0])], p0=1, p1=float(op.attrs["scale"][0]), p2=float(op.attrs["scale"][1])
    ),
}
