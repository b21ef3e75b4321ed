"""An ONNX file as a graph of primitives: the inverse of the emitter, and the forms that other programs write.

Decision: shapes are static and the batch is one sample, so what computes shapes is arithmetic on constants, and is
done here. The layer of an operation is the number of the node that it came from: whoever cannot use an operation names
that node. What no primitive computes is an error at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ...contract.contract import Contract
from ...errors import DataError
from ...files import check_file
from ...ir import Graph, ShapeError, Value
from ...ir.builder import Builder
from ...ir.ops import Pads, Shape
from ...onnx.metadata import PREFIX, contract_of, read_onnx

MAX_FOLDED = 1 << 24  # numbers of a constant that is computed here


@dataclass(frozen=True, eq=False)
class ReadNetwork:
    """A network that was read: its graph with the arrays of its constants, and what its file says of itself, if so.

    `nodes` has a name for people for each node; an operation's layer is the number of one.
    """

    path: Path
    graph: Graph
    nodes: tuple[str, ...]
    contract: Contract | None

    def refusal(self, node: int, why: str) -> DataError:
        """The error of a node that a cfg has no words for."""
        return DataError(f"{self.path}: node {self.nodes[node]} cannot be said in a cfg: {why}")


def read_network(path: str | Path, size: tuple[int, int] | None = None) -> ReadNetwork:
    """Read an ONNX file; `size` is the (height, width) of its input where it leaves that open.

    Raises `DataError` for what is no ONNX file, and for a node that no primitive computes.
    """
    path = Path(path)
    check_file(path, "ONNX file")
    model = read_onnx(path)
    if any(t.data_location == onnx.TensorProto.EXTERNAL for t in model.graph.initializer):
        from onnx.external_data_helper import load_external_data_for_model

        try:
            load_external_data_for_model(model, str(path.parent))
        except (OSError, ValueError) as e:
            raise DataError(f"{path}: its arrays cannot be read: {e}") from None
    own = any(p.key.startswith(PREFIX) for p in model.metadata_props)
    return _Reader(path, model, contract_of(model, path) if own else None).read(size)


@dataclass(frozen=True)
class _Node:
    """A node as translators see it: its kind, attributes, names of inputs ('' where one is left out) and outputs."""

    kind: str
    at: Mapping[str, Any]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]

    def has(self, index: int) -> bool:
        return index < len(self.inputs) and bool(self.inputs[index])


class _Refused(Exception):
    """A node that cannot be read, without its name."""


Computed = Value | np.ndarray


@dataclass
class _Reader:
    path: Path
    model: onnx.ModelProto
    contract: Contract | None
    b: Builder = field(default_factory=Builder)
    known: dict[str, Computed] = field(default_factory=dict)
    soft: dict[str, tuple[str, Value]] = field(default_factory=dict)  # softplus, and the tanh of one: parts of a mish

    def read(self, size: tuple[int, int] | None) -> ReadNetwork:
        graph = self.model.graph
        stored = {t.name: t for t in graph.initializer}
        inputs = [i for i in graph.input if i.name not in stored]
        own = self.contract
        if own is not None and own.decoders and own.boxes != "raw":
            told = f"{self.path}: it ends in boxes ({own.boxes}), and a cfg in heads"
            raise DataError(f"{told}\n  hint: export it with --boxes raw")
        if own is not None and own.states:
            raise DataError(f"{self.path}: the layers of a recurrent network are not recognized in an ONNX file")
        if len(inputs) != 1:
            names = ", ".join(i.name for i in inputs)
            raise DataError(f"{self.path}: a cfg has one input, and this network has {len(inputs)}: {names}")
        self.known.update((name, _float(numpy_helper.to_array(t))) for name, t in stored.items())
        image = self.b.input(inputs[0].name, self._shape(inputs[0], size))
        self.known[inputs[0].name] = image
        nodes = tuple(f"{n.name or n.output[0]!r} ({n.op_type})" for n in graph.node)
        network = ReadNetwork(self.path, self.b.graph(image), nodes, self.contract)
        for index, proto in enumerate(graph.node):
            at = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
            node = _Node(proto.op_type, at, tuple(proto.input), tuple(proto.output))
            self.b.enter(index, f"{index}")
            try:
                self._node(node, proto)
            except (_Refused, ShapeError) as e:
                raise network.refusal(index, str(e)) from None
            except KeyError as e:
                raise network.refusal(index, f"it wants {e}, which nothing gives") from None
        outputs = [self.known.get(o.name) for o in graph.output]
        for output, value in zip(graph.output, outputs, strict=True):
            if not isinstance(value, Value):
                raise DataError(f"{self.path}: the output {output.name!r} does not depend on the input")
        values = [v for v in outputs if isinstance(v, Value)]
        return ReadNetwork(self.path, self.b.graph(image, *values), nodes, self.contract)

    def _shape(self, info: onnx.ValueInfoProto, size: tuple[int, int] | None) -> Shape:
        dims = [d.dim_value for d in info.type.tensor_type.shape.dim][1:]
        if size is not None and len(dims) == 3:
            dims[1:] = size
        if len(dims) not in (1, 3) or not all(dims):
            hint = "--size says how large it is" if len(dims) == 3 and dims[0] else "an image or a vector is wanted"
            raise DataError(f"{self.path}: the input {info.name!r} has no fixed shape\n  hint: {hint}")
        return tuple(dims)

    def _node(self, node: _Node, proto: onnx.NodeProto) -> None:
        if node.kind == "Shape":
            x = self.known[node.inputs[0]]
            shape = np.array((1, *x.shape) if isinstance(x, Value) else x.shape, np.int64)
            self.known[node.outputs[0]] = shape[node.at.get("start", 0) : node.at.get("end", len(shape))]
            return
        if all(isinstance(self.known.get(name), np.ndarray) for name in node.inputs if name):
            self._fold(node, proto)
            return
        read = READERS.get(node.kind)
        if read is None:
            raise _Refused("Darknet has nothing that computes this")
        results = read(self, node)
        for name, value in zip(node.outputs, results if isinstance(results, tuple) else (results,), strict=False):
            self.known[name] = value

    def _fold(self, node: _Node, proto: onnx.NodeProto) -> None:
        from onnx.reference import ReferenceEvaluator

        arrays = {name: self.known[name] for name in node.inputs if name}
        if sum(a.size for a in arrays.values() if isinstance(a, np.ndarray)) > MAX_FOLDED:
            raise _Refused("it computes a large constant")
        try:
            results = ReferenceEvaluator(proto).run(None, arrays)
        except Exception as e:  # whatever a node that is not sound makes NumPy raise
            raise _Refused(f"its constants cannot be computed: {e}") from None
        self.known.update((n, _float(np.asarray(r))) for n, r in zip(node.outputs, results, strict=False))

    # What translators ask.

    def x(self, node: _Node, index: int = 0) -> Value:
        """An input that depends on the image."""
        value = self.known[node.inputs[index]]
        if not isinstance(value, Value):
            raise _Refused("it wants what depends on the input where a constant is")
        return value

    def image(self, node: _Node) -> Value:
        """The first input, an image."""
        x = self.x(node)
        if len(x.shape) != 3:
            raise _Refused(f"it reads an array of {('N', *x.shape)}, and Darknet's images have two axes and channels")
        return x

    def constant(self, node: _Node, index: int) -> np.ndarray:
        """An input that is a constant."""
        value = self.known[node.inputs[index]]
        if not isinstance(value, np.ndarray):
            raise _Refused(f"its input {node.inputs[index]!r} is no constant")
        return value

    def integers(self, node: _Node, index: int, key: str) -> list[int] | None:
        """Numbers that are an input since some version, and an attribute before; None: not given."""
        if key in node.at:
            return [int(n) for n in node.at[key]]
        return [int(n) for n in self.constant(node, index).ravel()] if node.has(index) else None

    def operand(self, node: _Node, index: int, rank: int) -> Value:
        """An input of an operation element by element, on arrays with so many axes beside the batch."""
        value = self.known[node.inputs[index]]
        if isinstance(value, Value):
            return value
        if value.size == 1:
            return self.b.const(value.reshape(()))
        shape = (1,) * (rank + 1 - value.ndim) + value.shape
        if len(shape) != rank + 1 or shape[0] != 1:
            raise _Refused(f"a constant of {value.shape} differs from sample to sample")
        return self.b.const(value.reshape(shape[1:]))

    def shaped(self, x: Value, shape: Sequence[int]) -> Value:
        """x under a shape with a batch axis of 1 in front."""
        if not shape or shape[0] != 1:
            raise _Refused(f"a shape of {tuple(shape)} mixes samples")
        return self.b.reshape(x, *shape[1:])


def _float(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype.kind == "f" else array


Result = Computed | tuple[Value, ...]
READERS: dict[str, Callable[[_Reader, _Node], Result]] = {}


def _reads(*kinds: str) -> Callable[[Callable[[_Reader, _Node], Result]], Callable[[_Reader, _Node], Result]]:
    def register(read: Callable[[_Reader, _Node], Result]) -> Callable[[_Reader, _Node], Result]:
        READERS.update(dict.fromkeys(kinds, read))
        return read

    return register


def _axis(axis: int, rank: int) -> int:
    """An axis without the batch; -1 is the batch."""
    return axis - 1 if axis >= 0 else axis + rank


@_reads("Identity", "Dropout", "Cast")
def _same(r: _Reader, node: _Node) -> Result:
    return r.x(node)


# -- multiply and add --------------------------------------------------------------------------------------------


def _window(node: _Node, x: Value, kernel: Sequence[int]) -> tuple[tuple[int, int], Pads]:
    """The steps and paddings of a window."""
    strides = tuple(node.at.get("strides", (1, 1)))
    dilations = tuple(node.at.get("dilations", (1, 1)))
    auto = node.at.get("auto_pad", b"NOTSET").decode()
    if len(kernel) != 2 or len(strides) != 2:
        raise _Refused(f"a window of {len(kernel)} axes")
    if auto in ("NOTSET", "VALID"):
        top, left, bottom, right = node.at.get("pads", (0, 0, 0, 0)) if auto == "NOTSET" else (0, 0, 0, 0)
        if node.at.get("ceil_mode"):  # as much more as another window needs
            more = [-(n + a + b - k) % s for n, a, b, k, s in zip(
                x.shape[1:], (top, left), (bottom, right), kernel, strides, strict=True)]  # fmt: skip
            bottom, right = bottom + more[0], right + more[1]
        return (strides[0], strides[1]), (top, left, bottom, right)
    pads = []
    for n, k, s, d in zip(x.shape[1:], kernel, strides, dilations, strict=True):
        whole = max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
        pads.append((whole // 2, whole - whole // 2)[:: 1 if auto == "SAME_UPPER" else -1])
    return (strides[0], strides[1]), (pads[0][0], pads[1][0], pads[0][1], pads[1][1])


@_reads("Conv")
def _conv(r: _Reader, node: _Node) -> Result:
    x, weights = r.image(node), r.constant(node, 1)
    strides, pads = _window(node, x, weights.shape[2:])
    bias = [r.b.const(r.constant(node, 2))] if node.has(2) else []
    dilations = tuple(node.at.get("dilations", (1, 1)))
    attrs = dict(strides=strides, pads=pads, dilations=dilations, groups=node.at.get("group", 1))
    return r.b.op("conv", x, r.b.const(weights), *bias, **attrs)


@_reads("Gemm")
def _gemm(r: _Reader, node: _Node) -> Result:
    x, weights = r.x(node), r.constant(node, 1)
    if node.at.get("transA"):
        raise _Refused("its first matrix is transposed")
    weights = (weights if node.at.get("transB") else weights.T) * np.float32(node.at.get("alpha", 1))
    bias = []
    if node.has(2):
        c = r.constant(node, 2) * np.float32(node.at.get("beta", 1))
        bias = [r.b.const(np.broadcast_to(c.reshape(-1) if c.size > 1 else c.reshape(1), (len(weights),)))]
    return r.b.op("linear", x, r.b.const(weights), *bias)


@_reads("MatMul")
def _matmul(r: _Reader, node: _Node) -> Result:
    x, weights = r.x(node), r.constant(node, 1)
    if len(x.shape) != 1 or weights.ndim != 2:
        raise _Refused("Darknet multiplies a vector with a constant matrix, and nothing else")
    return r.b.op("linear", x, r.b.const(weights.T))


@_reads("BatchNormalization")
def _batch_norm(r: _Reader, node: _Node) -> Result:
    if node.at.get("training_mode"):
        raise _Refused("it is in training")
    parameters = [r.b.const(r.constant(node, i)) for i in range(1, 5)]
    return r.b.op("batch_norm", r.x(node), *parameters, epsilon=node.at.get("epsilon", 1e-5))


# -- element by element ------------------------------------------------------------------------------------------


@_reads("Add", "Sub", "Mul", "Div", "Max", "Sum")
def _elementwise(r: _Reader, node: _Node) -> Result:
    kind = {"Max": "maximum", "Sum": "add"}.get(node.kind, node.kind.lower())
    if kind == "mul" and (mish := _mish_of(r, node)) is not None:
        return mish
    values = (r.known[name] for name in node.inputs)
    rank = max(len(v.shape) for v in values if isinstance(v, Value))
    result, *others = (r.operand(node, i, rank) for i in range(len(node.inputs)))
    for other in others:
        result = r.b.op(kind, result, other)
    return result


def _mish_of(r: _Reader, node: _Node) -> Value | None:
    """The product of x and the tanh of its softplus."""
    for name, other in (node.inputs, node.inputs[::-1]):
        kind, x = r.soft.get(name, ("", None))
        if kind == "tanh" and x is not None and x is r.known.get(other):
            return r.b.op("mish", x)
    return None


@_reads("Softplus")
def _softplus(r: _Reader, node: _Node) -> Result:
    r.soft[node.outputs[0]] = ("softplus", r.x(node))
    return ()


@_reads("Tanh")
def _tanh(r: _Reader, node: _Node) -> Result:
    if node.inputs[0] in r.soft:
        r.soft[node.outputs[0]] = ("tanh", r.soft[node.inputs[0]][1])
        return ()
    return r.b.op("tanh", r.x(node))


@_reads("Relu", "Sigmoid", "Exp", "Sqrt", "Floor", "Ceil", "Mish")
def _unary(r: _Reader, node: _Node) -> Result:
    return r.b.op(node.kind.lower(), r.x(node))


@_reads("Neg")
def _neg(r: _Reader, node: _Node) -> Result:
    return r.b.mul(r.x(node), -1)


@_reads("LeakyRelu")
def _leaky_relu(r: _Reader, node: _Node) -> Result:
    return r.b.op("leaky_relu", r.x(node), slope=node.at.get("alpha", 0.01))


@_reads("Elu")
def _elu(r: _Reader, node: _Node) -> Result:
    return r.b.op("elu", r.x(node), alpha=node.at.get("alpha", 1.0))


@_reads("Selu")
def _selu(r: _Reader, node: _Node) -> Result:
    alpha, gamma = node.at.get("alpha", 1.67326), node.at.get("gamma", 1.0507)
    return r.b.mul(r.b.op("elu", r.x(node), alpha=alpha), gamma)


@_reads("Clip")
def _clip(r: _Reader, node: _Node) -> Result:
    def bound(index: int, key: str, default: float) -> float:
        return float(r.constant(node, index)) if node.has(index) else float(node.at.get(key, default))

    return r.b.op("clip", r.x(node), low=bound(1, "min", -math.inf), high=bound(2, "max", math.inf))


@_reads("Pow")
def _pow(r: _Reader, node: _Node) -> Result:
    exponent = r.constant(node, 1)
    if exponent.size != 1:
        raise _Refused("an exponent for each number")
    return r.b.op("power", r.x(node), exponent=float(exponent.reshape(())))


# -- windows and reductions --------------------------------------------------------------------------------------


@_reads("MaxPool")
def _max_pool(r: _Reader, node: _Node) -> Result:
    x, kernel = r.image(node), tuple(node.at["kernel_shape"])
    if any(d != 1 for d in node.at.get("dilations", ())):
        raise _Refused("its window is dilated")
    strides, pads = _window(node, x, kernel)
    return r.b.op("max_pool", x, kernel=kernel, strides=strides, pads=pads)


@_reads("AveragePool")
def _average_pool(r: _Reader, node: _Node) -> Result:
    x, kernel = r.image(node), tuple(node.at["kernel_shape"])
    strides, pads = _window(node, x, kernel)
    if any(pads) and node.at.get("count_include_pad"):
        raise _Refused("it counts the padding, and Darknet counts what lies inside the image")
    return r.b.op("avg_pool", x, kernel=kernel, strides=strides, pads=pads)


@_reads("GlobalAveragePool")
def _global_average(r: _Reader, node: _Node) -> Result:
    return r.b.op("reduce_mean", r.image(node), axes=(1, 2))


@_reads("GlobalMaxPool")
def _global_max(r: _Reader, node: _Node) -> Result:
    x = r.image(node)
    return r.b.op("max_pool", x, kernel=x.shape[1:], strides=(1, 1), pads=(0, 0, 0, 0))


@_reads("ReduceMax", "ReduceMean", "ReduceSum")
def _reduce(r: _Reader, node: _Node) -> Result:
    x = r.x(node)
    given = r.integers(node, 1, "axes")
    axes = tuple(sorted(_axis(a, len(x.shape)) for a in given)) if given else tuple(range(-1, len(x.shape)))
    if -1 in axes:
        raise _Refused("it adds samples up")
    y = r.b.op("reduce_" + node.kind.removeprefix("Reduce").lower(), x, axes=axes)
    kept = [n for i, n in enumerate(y.shape) if node.at.get("keepdims", 1) or i not in axes]
    return r.b.reshape(y, *(kept or [1]))


@_reads("Softmax")
def _softmax(r: _Reader, node: _Node) -> Result:
    x = r.x(node)
    new = next(o.version for o in r.model.opset_import if o.domain in ("", "ai.onnx")) >= 13
    axis = _axis(node.at.get("axis", -1 if new else 1), len(x.shape))
    if axis < 0:
        raise _Refused("it is over samples")
    if new:
        return r.b.op("softmax", x, axis=axis)
    if axis:  # before version 13 it was over all axes from the given one on
        raise _Refused("it is over some axes only")
    return r.b.reshape(r.b.op("softmax", r.b.flatten(x), axis=0), *x.shape)


# -- moving values -----------------------------------------------------------------------------------------------


@_reads("Concat")
def _concat(r: _Reader, node: _Node) -> Result:
    rank = max(len(v.shape) for name in node.inputs if isinstance(v := r.known[name], Value))
    axis = _axis(node.at["axis"], rank)
    if axis < 0:
        raise _Refused("it joins samples")
    return r.b.concat([r.operand(node, i, rank) for i in range(len(node.inputs))], axis)


@_reads("Slice")
def _slice(r: _Reader, node: _Node) -> Result:
    x = r.x(node)
    starts, stops = (r.integers(node, i, k) or [] for i, k in ((1, "starts"), (2, "ends")))
    axes, steps = (
        r.integers(node, 3, "axes") or [*range(len(starts))],
        r.integers(node, 4, "steps") or [1] * len(starts),
    )
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        place = _axis(axis, len(x.shape))
        if place < 0:
            if start == 0 and stop != 0:
                continue
            raise _Refused("it takes some of the samples")
        if step < 1:
            raise _Refused("it goes backwards")
        first, last, _ = slice(start, stop, step).indices(x.shape[place])
        x = r.b.slice(x, place, first, last, step)
    return x


@_reads("Split")
def _split(r: _Reader, node: _Node) -> Result:
    x = r.x(node)
    axis = _axis(node.at.get("axis", 0), len(x.shape))
    if axis < 0:
        raise _Refused("it splits samples")
    count = len(node.outputs)
    sizes = r.integers(node, 1, "split") or [-(-x.shape[axis] // count)] * count
    ends = np.minimum(np.cumsum(sizes), x.shape[axis]).tolist()
    return tuple(r.b.slice(x, axis, end - size, end) for size, end in zip(sizes, ends, strict=True))


@_reads("Pad")
def _pad(r: _Reader, node: _Node) -> Result:
    x, amounts = r.image(node), r.integers(node, 1, "pads") or []
    value = float(r.constant(node, 2)) if node.has(2) else float(node.at.get("value", 0))
    if node.at.get("mode", b"constant") != b"constant" or len(amounts) != 8 or node.has(3):
        raise _Refused("Darknet pads with one number")
    if amounts[0] or amounts[1] or amounts[4] or amounts[5] or min(amounts) < 0:
        raise _Refused("it pads samples or channels, or cuts")
    return r.b.op("pad", x, pads=(amounts[2], amounts[3], amounts[6], amounts[7]), value=value)


@_reads("Reshape")
def _reshape(r: _Reader, node: _Node) -> Result:
    x, wanted = r.x(node), r.integers(node, 1, "shape") or []
    whole = (1, *x.shape)
    shape = [whole[i] if n == 0 and i < len(whole) else n for i, n in enumerate(wanted)]
    if -1 in shape:
        shape[shape.index(-1)] = math.prod(whole) // max(1, math.prod(n for n in shape if n != -1))
    return r.shaped(x, shape)


@_reads("Flatten")
def _flatten(r: _Reader, node: _Node) -> Result:
    if node.at.get("axis", 1) != 1:
        raise _Refused("it keeps some axes")
    return r.b.flatten(r.x(node))


@_reads("Squeeze", "Unsqueeze")
def _squeeze(r: _Reader, node: _Node) -> Result:
    x, axes = r.x(node), r.integers(node, 1, "axes")
    whole = [1, *x.shape]
    if node.kind == "Unsqueeze":
        for axis in sorted(a % (len(whole) + len(axes or ())) for a in axes or ()):
            whole.insert(axis, 1)
        return r.shaped(x, whole)
    gone = {a % len(whole) for a in axes} if axes else {i for i, n in enumerate(whole) if n == 1 and i}
    return r.shaped(x, [n for i, n in enumerate(whole) if i not in gone])


@_reads("Transpose")
def _transpose(r: _Reader, node: _Node) -> Result:
    x = r.x(node)
    order = node.at.get("perm") or [*range(len(x.shape) + 1)][::-1]
    if order[0] != 0:
        raise _Refused("it moves the axis of samples")
    return r.b.op("transpose", x, order=tuple(i - 1 for i in order[1:]))


@_reads("Gather")
def _gather(r: _Reader, node: _Node) -> Result:
    x, indices = r.x(node), r.constant(node, 1)
    axis = _axis(node.at.get("axis", 0), len(x.shape))
    if axis < 0 or indices.ndim > 1:
        raise _Refused("it takes some of the samples, or a table")
    places = tuple(int(i) % x.shape[axis] for i in indices.ravel())
    y = r.b.op("gather", x, axis=axis, indices=places)
    return y if indices.ndim else r.b.reshape(y, *y.shape[:axis], *y.shape[axis + 1 :])


# Where a pixel of a picture made larger looks, for which whole factors that is the pixel under it.
NEAREST = {
    ("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil"),
    ("pytorch_half_pixel", "round_prefer_floor"),
}  # fmt: skip


@_reads("Resize", "Upsample")
def _resize(r: _Reader, node: _Node) -> Result:
    x = r.image(node)
    mode = node.at.get("mode", b"nearest").decode()
    where = node.at.get("coordinate_transformation_mode", b"half_pixel").decode()
    rounding = node.at.get("nearest_mode", b"round_prefer_floor").decode()
    if mode != "nearest" or (node.kind == "Resize" and len(node.inputs) > 2 and (where, rounding) not in NEAREST):
        raise _Refused("Darknet repeats pixels, and nothing else")
    at = 2 if node.kind == "Resize" and len(node.inputs) > 2 else 1
    scales = [float(n) for n in node.at["scales"]] if "scales" in node.at else []
    if not scales and node.has(at):
        scales = [float(n) for n in r.constant(node, at).ravel()]
    if not scales and node.has(3):
        scales = [n / o for n, o in zip(r.constant(node, 3).ravel().tolist(), (1, *x.shape), strict=True)]
    if len(scales) != 4 or scales[:2] != [1, 1] or any(n != int(n) or n < 1 for n in scales):
        raise _Refused(f"its factors are {scales}, and Darknet repeats pixels a whole number of times")
    return r.b.op("upsample", x, scale=(int(scales[2]), int(scales[3])))


@_reads("SpaceToDepth")
def _space_to_depth(r: _Reader, node: _Node) -> Result:
    x, s = r.image(node), int(node.at["blocksize"])
    c, h, w = x.shape
    blocks = r.b.reshape(x, c, h // s, s, w // s, s)
    return r.b.reshape(r.b.op("transpose", blocks, order=(2, 4, 0, 1, 3)), c * s * s, h // s, w // s)


@_reads("Expand")
def _expand(r: _Reader, node: _Node) -> Result:
    x, shape = r.x(node), tuple(int(n) for n in r.constant(node, 1).ravel())
    if np.broadcast_shapes((1, *x.shape), shape) != (1, *x.shape):
        raise _Refused("Darknet repeats nothing but pixels")
    return x
