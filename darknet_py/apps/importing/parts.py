"""A graph of primitives as parts that sections of a cfg can say: for each value that is needed, what computes it.

Decision: it begins at the outputs and asks for what each part reads, so what lies inside a part that was recognized is
never looked at. A value that no section computes is an error that names its node.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ...contract.decoders import Decoder, Detection, Gaussian, Region, Yolo
from ...darknet.layers.pooling import AxisWindows
from ...errors import DataError
from ...ir import Op, Value
from .matching import Matcher, activations, lowered
from .reader import ReadNetwork

EPSILON = 1e-5  # of Darknet's batch normalization
MOST = 16  # of the numbers that are tried where a pattern does not tell them


@dataclass(frozen=True, eq=False)
class Part:
    """What computes a value: the section, what it reads, its options in the order of a cfg, and arrays by role.

    `main` is what has to be the layer before; `others` are named by the option `key`.
    """

    section: str
    value: Value
    main: Value
    options: Mapping[str, str] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    others: tuple[Value, ...] = ()
    key: str = ""
    before: str = ""  # the activation that the layer before has to end in
    head: bool = False

    @property
    def reads(self) -> tuple[Value, ...]:
        """All that it reads, each once."""
        return tuple(dict.fromkeys((self.main, *self.others)))


@dataclass(frozen=True, eq=False)
class Parts:
    """The parts of a network in the order of their nodes; `renamed` are values that are others in another shape."""

    parts: tuple[Part, ...]
    renamed: Mapping[Value, Value]

    def base(self, value: Value) -> Value:
        """The value that a part computes, which this one is in another shape."""
        while value in self.renamed:
            value = self.renamed[value]
        return value


def find_parts(network: ReadNetwork) -> Parts:
    """The parts that compute the outputs of a network. Raises `DataError` for a node that no section computes."""
    return _Finder(network, Matcher(network.graph)).find()


@dataclass
class _Finder:
    network: ReadNetwork
    m: Matcher

    def find(self) -> Parts:
        graph = self.network.graph
        order = {op.output: n for n, op in enumerate(graph.ops)}
        heads = [self._head(value, decoder) for value, decoder in self._heads()]
        parts: dict[Value, Part] = {}
        renamed: dict[Value, Value] = {}
        wanted = [h.main for h in heads] or [*graph.outputs]
        while wanted:
            value = wanted.pop()
            if value in parts or value in renamed or value is graph.image:
                continue
            op = self.m.producers.get(value)
            if op is None:
                raise DataError(f"{self.network.path}: an output is a constant, which a cfg has no words for")
            part = self._whole(op) if op.kind == "reshape" else self._part(op)
            if part is None:
                renamed[value] = op.inputs[0]
                wanted.append(op.inputs[0])
                continue
            parts[value] = part
            wanted.extend(part.reads)
        found = sorted((*parts.values(), *heads), key=lambda p: (order.get(p.value, -1), p.head))
        return Parts(tuple(found), renamed)

    def _whole(self, op: Op) -> Part | None:
        """A part whose last operation is a reshape, which else only gives a value another shape."""
        return self._composed(op) or self._softmax(op)

    def refuse(self, op: Op, why: str) -> DataError:
        return self.network.refusal(op.layer, why)

    def _part(self, op: Op) -> Part:
        """The part that ends in an operation."""
        tried: tuple[Callable[[Op], Part | None], ...] = (
            self._maxout, self._activation, self._composed, self._softmax, self._affine, self._plain,
        )  # fmt: skip
        for find in tried:
            if (part := find(op)) is not None:
                return part
        raise self.refuse(op, _hint(op))

    # -- recognized by their lowering ----------------------------------------------------------------------------

    def _activation(self, op: Op) -> Part | None:
        for name, pattern in activations(op.kind):
            source = self.m.source(pattern, op.output)
            if source is not None and source not in self.network.graph.data:
                return Part("activation", op.output, source, {"activation": name})
        return None

    def _maxout(self, op: Op) -> Part | None:
        if op.kind not in ("maximum", "concat") or len(op.output.shape) != 3:
            return None
        slices = [o for o in self._ancestors(op.output, ("maximum", "concat", "slice")) if o.kind == "slice"]
        sources = sorted({o.inputs[0] for o in slices}, key=lambda v: -v.shape[0])
        count = str(op.output.shape[0])
        options = {"maxpool_depth": "1", "out_channels": count, "size": "1", "stride": "1"}
        parts = (self._lowered("maxpool", options, source, op.output) for source in sources[:MOST])
        return next((part for part in parts if part is not None), None)

    def _composed(self, op: Op) -> Part | None:
        """Sections that move pixels, or normalize across channels, by trying what may be meant."""
        moving = ("reshape", "transpose", "gather", "slice", "concat")
        if op.kind in ("reshape", "gather") and len(op.output.shape) == 3:
            source = self._behind(op.output, moving)
            for section, options in self._reorgs(source, op.output) if source is not None else ():
                if (part := self._lowered(section, options, source, op.output)) is not None:
                    return part
        if op.kind in ("slice", "sub") and len(op.output.shape) == 3:
            source = self._behind(op.output, ("slice", "sub", "mul"))
            sides = {"crop_height": str(op.output.shape[1]), "crop_width": str(op.output.shape[2])}
            for adjust in ("1", "0") if source is not None and source.shape[1:] != op.output.shape[1:] else ():
                if (part := self._lowered("crop", {**sides, "noadjust": adjust}, source, op.output)) is not None:
                    return part
        if op.kind == "mul" and self.m.kind(op.inputs[0]) == "avg_pool":
            return self._sums(op)
        if op.kind == "mul" and self.m.kind(op.inputs[1]) == "power":
            return self._local_response(op)
        return None

    def _reorgs(self, x: Value | None, y: Value) -> Iterator[tuple[str, dict[str, str]]]:
        if x is None or len(x.shape) != 3:
            return
        larger = y.shape[1] > x.shape[1]
        stride = y.shape[1] // x.shape[1] if larger else x.shape[1] // max(1, y.shape[1])
        for section in ("reorg3d", "reorg") if stride > 1 else ():
            yield section, {"stride": str(stride), **({"reverse": "1"} if larger else {})}

    def _sums(self, op: Op) -> Part | None:
        pool, factor = self.m.producers[op.inputs[0]], self.m.constant(op.inputs[1])
        stride = pool.attrs["kernel"][0]
        if factor is None or factor.size != 1:
            return None
        options = {"stride": str(-stride), "scale": _number(float(factor.reshape(())) / stride**2)}
        return self._lowered("upsample", options, pool.inputs[0], op.output)

    def _local_response(self, op: Op) -> Part | None:
        power = self.m.producers[op.inputs[1]]
        within = [*self._ancestors(power.inputs[0], ("add", "sub", "slice", "concat", "mul"))]
        numbers = [(o.kind, c) for o in within for v in o.inputs if (c := self.m.constant(v)) is not None]
        factors = [c for kind, c in numbers if kind == "mul"]
        starts = [c for kind, c in numbers if kind != "mul"]
        if not starts or not factors:
            return None
        options = {"alpha": factors[0], "kappa": starts[0]}
        told = {k: _number(float(v.ravel()[0])) for k, v in options.items()}
        told["beta"] = _number(-power.attrs["exponent"])
        tried = (self._lowered("normalization", {**told, "size": str(n)}, op.inputs[0], op.output)
                 for n in range(1, MOST))  # fmt: skip
        return next((part for part in tried if part is not None), None)

    def _lowered(self, section: str, options: Mapping[str, str], source: Value | None, value: Value) -> Part | None:
        """The part that a section is, if it computes the value of the source."""
        if source is None:
            return None
        pattern = lowered(_text(section, options), source.shape)
        if pattern is None or self.m.source(pattern, value) is not source:
            return None
        return Part(section, value, source, dict(options))

    def _behind(self, value: Value, kinds: Sequence[str]) -> Value | None:
        """The one value that operations of some kinds, one on the other, compute this one of."""
        found: set[Value] = set()
        for op in self._ancestors(value, kinds):
            found.update(v for v in op.inputs if v not in self.network.graph.data and self.m.kind(v) not in kinds)
        return found.pop() if len(found) == 1 else None

    def _ancestors(self, value: Value, kinds: Sequence[str]) -> Iterator[Op]:
        seen, waiting = set[Value](), [value]
        while waiting:
            op = self.m.producers.get(waiting.pop())
            if op is None or op.kind not in kinds or op.output in seen:
                continue
            seen.add(op.output)
            yield op
            waiting.extend(op.inputs)

    # -- heads ---------------------------------------------------------------------------------------------------

    def _heads(self) -> list[tuple[Value, Decoder]]:
        contract, outputs = self.network.contract, self.network.graph.outputs
        if contract is None or not contract.decoders:
            return []
        return list(zip(outputs, contract.decoders, strict=True))

    def _head(self, value: Value, decoder: Decoder) -> Part:
        source = self._head_input(value)
        for section, options, dialect in _head_sections(decoder, self._anchors()):
            pattern = lowered(_text(section, options), source.shape, dialect)
            bound = self.m.source(pattern, value) if pattern is not None else None
            if bound is not None:
                before = "logistic" if dialect == "pytorch" else ""
                written = {**options, **({"new_coords": "1", "scale_x_y": "2.0"} if before else {})}
                return Part(section, value, bound, written, before=before, head=True)
        op = self.m.producers.get(value, self.network.graph.ops[-1])
        if isinstance(decoder, Region) and decoder.tree is not None:
            raise self.refuse(op, "its classes are a tree, which lies in a file beside a cfg")
        raise self.refuse(op, f"it is not what the [{decoder.kind}] computes that the file says it is")

    def _head_input(self, value: Value) -> Value:
        """What a head reads: an array of as many numbers that is computed by none of the operations of a head."""
        kinds = ("reshape", "slice", "sigmoid", "mul", "sub", "concat", "transpose", "softmax")
        source = self._behind(value, kinds) if self.m.kind(value) in kinds else value
        if source is None:  # what is before the head is of these kinds too
            count = math.prod(value.shape)
            inner = (op for op in self._ancestors(value, kinds) if math.prod(op.output.shape) == count)
            flat = [op.inputs[0] for op in inner if op.kind in ("reshape", "transpose")]
            return flat[-1] if flat else value
        return source

    def _anchors(self) -> list[tuple[float, float]]:
        """The anchors of all heads in pixels, smallest first, as a cfg lists them."""
        contract = self.network.contract
        found = {a for d in contract.decoders if isinstance(d, Yolo | Gaussian) for a in d.anchors} if contract else ()
        return sorted(found, key=lambda a: (a[0] * a[1], a))

    # -- one operation -------------------------------------------------------------------------------------------

    def _affine(self, op: Op) -> Part | None:
        """A factor or an offset for each channel: a batch normalization that was computed."""
        if op.kind not in ("add", "sub", "mul", "div") or len(op.inputs) != 2:
            return None
        constants = [self.m.constant(v) for v in op.inputs]
        if (constants[0] is None) == (constants[1] is None):
            return None
        number = constants[0] if constants[1] is None else constants[1]
        x = op.inputs[0] if constants[1] is not None else op.inputs[1]
        assert number is not None
        if self.m.kind(x) == "linear" and op.kind == "add" and number.shape == x.shape:
            return self._linear(self.m.producers[x], op.output, number)
        if self.m.kind(x) == "upsample" and op.kind == "mul" and number.size == 1:
            stride = str(self.m.producers[x].attrs["scale"][0])
            options = {"stride": stride, "scale": _number(float(number.reshape(())))}
            return self._lowered("upsample", options, self.m.producers[x].inputs[0], op.output)
        channels = x.shape[0]
        if len(x.shape) != 3 or number.size not in (1, channels) or number.shape[1:] not in ((), (1, 1)):
            return None
        each = np.broadcast_to(number.reshape(-1), (channels,)).astype(np.float64)
        factor, offset = _line(op.kind, each, first=constants[0] is not None)
        return Part("batchnorm", op.output, x, {}, _norm(factor, offset)) if factor is not None else None

    def _plain(self, op: Op) -> Part | None:
        find = getattr(self, f"_{op.kind}", None)
        return find(op) if find is not None else None

    def _conv(self, op: Op) -> Part:
        x, a = op.inputs[0], dict(op.attrs)
        if self.m.kind(x) == "pad" and self.m.producers[x].attrs["value"] == 0:
            pad = self.m.producers[x]
            x, a["pads"] = pad.inputs[0], tuple(p + q for p, q in zip(a["pads"], pad.attrs["pads"], strict=True))
        weights = self._needed(op, 1)
        n, _, height, width = weights.shape
        if height != width or a["dilations"][0] != a["dilations"][1]:
            raise self.refuse(op, f"a kernel of {width} x {height}, and Darknet's are square")
        options = {"filters": str(n), "size": str(height), **_steps(a["strides"]), **self._padding(op, x, a, height)}
        if a["dilations"][0] > 1 and height > 1:
            options["dilation"] = str(a["dilations"][0])
        if a["groups"] > 1:
            options["groups"] = str(a["groups"])
        biases = self._needed(op, 2) if len(op.inputs) > 2 else np.zeros(n, np.float32)
        return Part("convolutional", op.output, x, options, {"biases": biases, "weights": weights})

    def _padding(self, op: Op, x: Value, a: Mapping[str, tuple[int, ...]], size: int) -> dict[str, str]:
        """The padding of a convolution, which Darknet has the same on all sides; what no window reaches is any."""
        top, left, _, _ = a["pads"]
        dilation = a["dilations"][0] if size > 1 else 1
        padding = top // dilation
        counts = [(n + 2 * top - dilation * (size - 1) - 1) // s + 1
                  for n, s in zip(x.shape[1:], a["strides"], strict=True)]  # fmt: skip
        if top != left or top % dilation or counts != list(op.output.shape[1:]):
            raise self.refuse(op, f"paddings of {a['pads']}, and Darknet has one on all sides")
        if padding == size // 2:
            return {"pad": "1"}
        return {"pad": "0", "padding": str(padding)}

    def _needed(self, op: Op, index: int) -> np.ndarray:
        array = self.m.constant(op.inputs[index])
        if array is None:
            raise self.refuse(op, "its weights are no constant")
        return array

    def _batch_norm(self, op: Op) -> Part:
        scale, bias, mean, variance = (self._needed(op, i).astype(np.float64) for i in range(1, 5))
        if len(op.inputs[0].shape) != 3:
            raise self.refuse(op, "Darknet normalizes images")
        rescaled = scale * np.sqrt(variance + EPSILON) / np.sqrt(variance + op.attrs["epsilon"])
        arrays = {"biases": bias, "scales": rescaled, "mean": mean, "variance": variance}
        return Part("batchnorm", op.output, op.inputs[0], {}, {k: v.astype(np.float32) for k, v in arrays.items()})

    def _linear(self, op: Op, value: Value | None = None, biases: np.ndarray | None = None) -> Part:
        weights = self._needed(op, 1)
        if biases is None:
            biases = self._needed(op, 2) if len(op.inputs) > 2 else np.zeros(len(weights), np.float32)
        arrays = {"biases": biases, "weights": weights}
        return Part("connected", value or op.output, op.inputs[0], {"output": str(len(weights))}, arrays)

    def _max_pool(self, op: Op) -> Part | None:
        return self._pooled("maxpool", op)

    def _avg_pool(self, op: Op) -> Part | None:
        return self._pooled("local_avgpool", op)

    def _pooled(self, section: str, op: Op) -> Part:
        (size, width), (top, left, _, _) = op.attrs["kernel"], op.attrs["pads"][:4]
        x = op.inputs[0]
        for padding in (2 * top, 2 * top + 1) if size == width and top == left else ():
            try:
                windows = [AxisWindows.of(n, size, s, padding)
                           for n, s in zip(x.shape[1:], op.attrs["strides"], strict=True)]  # fmt: skip
            except ValueError:
                continue
            if [w.count for w in windows] == list(op.output.shape[1:]):
                options = {"size": str(size), **_steps(op.attrs["strides"]), "padding": str(padding)}
                return Part(section, op.output, x, options)
        raise self.refuse(op, f"windows of {op.attrs['kernel']} with paddings {op.attrs['pads']}: Darknet's are square")

    def _reduce_mean(self, op: Op) -> Part | None:
        whole = tuple(op.attrs["axes"]) == (1, 2) and len(op.inputs[0].shape) == 3
        return Part("avgpool", op.output, op.inputs[0]) if whole else None

    def _softmax(self, op: Op) -> Part | None:
        """A softmax over all numbers, over equal groups of them, or over channels; maybe of a quotient."""
        inner = op
        while inner.kind == "reshape":
            before = self.m.producers.get(inner.inputs[0])
            if before is None:
                return None
            inner = before
        if inner.kind != "softmax":
            return None
        shape, axis = inner.output.shape, inner.attrs["axis"]
        over = math.prod(shape[axis + 1 :]) == 1
        x, options = inner.inputs[0], {}
        if not over and not (len(shape) == 3 and axis == 0):
            raise self.refuse(inner, "a softmax over the middle of an array")
        if math.prod(shape[:axis]) > 1:
            options["groups"] = str(math.prod(shape[:axis]))
        if not over:
            options["spatial"] = "1"
        divided = self.m.producers.get(x)
        if divided is not None and divided.kind == "div":
            by = self.m.constant(divided.inputs[1])
            if by is not None and by.size == 1 and over:
                options["temperature"], x = _number(float(by.reshape(()))), divided.inputs[0]
        return Part("softmax", op.output, x, options)

    def _concat(self, op: Op) -> Part | None:
        if op.attrs["axis"] != 0 or self._fixed(*op.inputs):
            return None
        return Part("route", op.output, op.inputs[0], {}, {}, op.inputs, "layers")

    def _slice(self, op: Op) -> Part | None:
        x, a = op.inputs[0], op.attrs
        if a["axes"] != (0,) or a["steps"] != (1,) or len(x.shape) != 3:
            return None
        size, start = a["stops"][0] - a["starts"][0], a["starts"][0]
        if x.shape[0] % size or start % size:
            raise self.refuse(op, f"channels {start} to {a['stops'][0] - 1} of {x.shape[0]}: Darknet takes equal parts")
        options = {"groups": str(x.shape[0] // size), "group_id": str(start // size)}
        return Part("route", op.output, x, options, {}, (x,), "layers")

    def _add(self, op: Op) -> Part | None:
        a, b = op.inputs
        if not _are_images(a, b) or a.shape != b.shape or self._fixed(a, b):
            return None
        main, term = (b, self._whole_term(a)) if self._whole_term(a) is not a else (a, self._whole_term(b))
        return Part("shortcut", op.output, main, {}, {}, (term,), "from")

    def _whole_term(self, x: Value) -> Value:
        """What the first channels of are added, which a shortcut does by itself."""
        op = self.m.producers.get(x)
        first = op is not None and op.kind == "slice" and (op.attrs["axes"], op.attrs["starts"]) == ((0,), (0,))
        if op is None or not first or op.attrs["steps"] != (1,) or op.inputs[0].shape[0] % x.shape[0] == 0:
            return x
        return op.inputs[0]

    def _fixed(self, *values: Value) -> bool:
        return any(v in self.network.graph.data for v in values)

    def _mul(self, op: Op) -> Part | None:
        a, b = op.inputs
        if not _are_images(a, b) or self._fixed(a, b):
            return None
        if a.shape == b.shape:
            return Part("sam", op.output, a, {}, {}, (b,), "from")
        for scale, x in ((a, b), (b, a)):
            if scale.shape == (x.shape[0], 1, 1):
                return Part("scale_channels", op.output, scale, {}, {}, (x,), "from")
            if scale.shape == (1, *x.shape[1:]):
                return Part("scale_channels", op.output, scale, {"scale_wh": "1"}, {}, (x,), "from")
        return None

    def _upsample(self, op: Op) -> Part | None:
        down, across = op.attrs["scale"]
        return Part("upsample", op.output, op.inputs[0], {"stride": str(down)}) if down == across else None


def _are_images(*values: Value) -> bool:
    return all(len(v.shape) == 3 for v in values)


def _hint(op: Op) -> str:
    """Why an operation is in no section, as far as that can be said."""
    if op.kind == "leaky_relu":
        return f"a slope of {op.attrs['slope']:g}, and Darknet has 0.1 (leaky) and 0.01 (relie)"
    if op.kind in ("add", "sub", "mul", "div") and any(not v.batched for v in op.inputs):
        return f"a constant for each place ({op.kind}), and Darknet has one for each channel"
    if op.kind == "pad":
        return "Darknet has no layer that pads"
    if op.kind == "slice":
        return "Darknet takes equal parts of the channels, and nothing else"
    return f"no section computes this {op.kind}"


def _steps(strides: tuple[int, int]) -> dict[str, str]:
    down, across = strides
    return {"stride": str(down)} if down == across else {"stride_y": str(down), "stride_x": str(across)}


def _line(kind: str, number: np.ndarray, *, first: bool) -> tuple[np.ndarray | None, np.ndarray]:
    """What an operation with a constant, its first operand or its second, multiplies with and adds."""
    ones, zeros = np.ones_like(number), np.zeros_like(number)
    if kind == "mul":
        return number, zeros
    if kind == "div":
        return (None if first else 1 / number), zeros
    if kind == "add":
        return ones, number
    return (-ones, number) if first else (ones, -number)


def _norm(factor: np.ndarray, offset: np.ndarray) -> dict[str, np.ndarray]:
    """The parameters of a batch normalization that multiplies and adds."""
    ones, zeros = np.ones_like(factor), np.zeros_like(factor)
    arrays = {"biases": offset, "scales": factor * math.sqrt(1 + EPSILON), "mean": zeros, "variance": ones}
    return {k: v.astype(np.float32) for k, v in arrays.items()}


def _number(value: float) -> str:
    return f"{value:.9g}"


def _text(section: str, options: Mapping[str, str]) -> str:
    return f"[{section}]\n" + "".join(f"{k}={v}\n" for k, v in options.items())


def _head_sections(decoder: Decoder, table: list[tuple[float, float]]) -> Iterator[tuple[str, dict[str, str], str]]:
    """The sections that a decoder may be of, with their dialects."""
    if isinstance(decoder, Yolo | Gaussian):
        anchors = {
            "mask": ",".join(str(table.index(a)) for a in decoder.anchors),
            "anchors": ", ".join(f"{_number(w)},{_number(h)}" for w, h in table),
            "classes": str(decoder.classes), "num": str(len(table)), "scale_x_y": _number(decoder.stretch),
            "nms_kind": decoder.nms_kind, "beta_nms": _number(decoder.nms_beta),
        }  # fmt: skip
    if isinstance(decoder, Gaussian):
        yield "Gaussian_yolo", {**anchors, "yolo_point": decoder.point}, "alexeyab"
    elif isinstance(decoder, Yolo) and decoder.logistic == "all":
        yield "yolo", anchors, "pytorch"
    elif isinstance(decoder, Yolo):
        yield "yolo", {**anchors, **({"new_coords": "1"} if decoder.logistic == "nothing" else {})}, "alexeyab"
    elif isinstance(decoder, Region):
        listed = ", ".join(f"{_number(w)},{_number(h)}" for w, h in decoder.anchors)
        options = {"anchors": listed, "num": str(len(decoder.anchors)), "classes": str(decoder.classes),
                   "softmax": str(int(decoder.softmax))}  # fmt: skip
        yield "region", {**options, **({"classfix": "-1"} if decoder.classfix else {})}, "alexeyab"
    elif isinstance(decoder, Detection):
        options = {"classes": str(decoder.classes), "coords": "4", "side": str(decoder.side), "num": str(decoder.num),
                   "sqrt": str(int(decoder.sqrt))}  # fmt: skip
        for softmax in ("1", "0"):  # without one it is whatever comes in
            yield "detection", {**options, "softmax": softmax}, "alexeyab"
