"""What writes ONNX: nodes, initializers and names for one operation of a graph after another.

Decision: opset 15 and IR version 8, written by us whatever onnx is installed, so that every onnxruntime since 1.10,
OpenCV since 4.8 and most converters take the file.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from itertools import chain, count
from pathlib import PurePath
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..ir.graph import Graph, Op, Value
from ..ir.int8 import PRODUCTS, Int8Plan, weight_scales, whole_weights
from .stream import assemble

OPSET = (
    15  # softmax along one axis (13), batch normalization that onnx.reference computes right, Shape of one axis (15)
)
IR_VERSION = 8  # written by onnx 1.10; onnxruntime rejects a version newer than itself, never an older one
BATCH = "N"  # the name of the symbolic batch axis
LARGE = 1024  # bytes; smaller arrays, such as shapes, are in the model whatever becomes of the others
HALF_MAX = 65504.0  # the largest float16


def input_names(graph: Graph) -> list[str]:
    """The name of the image, then of the state of each recurrent layer."""
    return [v.name for v in graph.inputs]


def output_names(graph: Graph) -> list[str]:
    """A name for each output and then each new state: the last layer that it is the output of, else the value's own."""
    layers = {info.output: info.name for info in graph.layers}
    names: list[str] = []
    for value in graph.outputs:
        name = layers.get(value, value.name)
        names.append(f"{name}~{len(names)}" if name in names else name)  # the same value twice
    return names + [f"{s.input.name}.next" for s in graph.states]


class Emitter:
    """Writes nodes and initializers; `op` is the operation that is being written."""

    def __init__(
        self, graph: Graph, batch: int | None, half: Container[Op], names: list[str], int8: Int8Plan | None = None
    ) -> None:
        self.graph, self.batch, self.half, self.int8 = graph, batch, half, int8
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []
        self.arrays: dict[str, np.ndarray] = {}  # the large initializers, not yet copied
        self.outputs: list[onnx.ValueInfoProto] = []
        self.op = graph.ops[0] if graph.ops else Op("none", (), graph.image, {}, 0)
        self.producers = graph.producers()
        self._wanted = list(zip(graph.roots, names, strict=True))
        self._name_of = dict(zip(graph.inputs, input_names(graph), strict=True))
        self._dtypes: dict[str, type[np.generic]] = dict.fromkeys(self._name_of.values(), np.float32)
        self.repeats: dict[Value, Value] = {}  # what is a constant, once for each sample
        self._interned: dict[Any, str] = {}
        self._taken = {*self._name_of.values(), *names}
        self._docs = {i.index: f"{PurePath(i.span.source.name).name}:{i.span.line} [{i.section}]" for i in graph.layers}

    # What an emitting function uses.

    @property
    def dtype(self) -> type[np.generic]:
        """The type that the current operation computes in."""
        return np.float16 if self.op in self.half else np.float32

    def x(self, index: int = 0) -> str:
        """An operand of the current operation with a batch axis (of length 1 if it is a constant)."""
        value = self.op.inputs[index]
        if value in self.repeats:
            return self.repeated(self.repeats[value], index)
        if value in self.graph.data:
            shape = (1, *(value.shape or [1] * len(self.op.output.shape)))
            return self.array(self.graph.data[value].reshape(shape), (value, shape), value.name)
        name = self.cast(self._name_of[value], self.dtype)
        is_whole = self.int8 is not None and self.op in self.int8.ops and value in self.int8.grids
        return self._on_grid(value, name) if is_whole else name

    def weights(self, start: int = 1) -> list[str]:
        """The operands from `start` on as they are, without a batch axis; those of a product of 8 bits on grids."""
        if self.int8 is not None and self.op in self.int8.ops and self.op.kind in PRODUCTS:
            return self._whole_weights(self.int8.grids[self.op.inputs[0]].scale)
        return [self.array(self.graph.data[v], (v,), v.name) for v in self.op.inputs[start:]]

    def _on_grid(self, value: Value, name: str) -> str:
        """A value in 8 bits, and as float32 again: runtimes take the two out where what is between can do without."""
        assert self.int8 is not None
        grid, key = self.int8.grids[value], ("grid", value)
        if key not in self._interned:
            steps = [self.scalar(grid.scale), self._byte(grid.zero)]
            whole = self._plain("QuantizeLinear", [name, *steps], f"{value.name}.int8")
            self._interned[key] = self._plain("DequantizeLinear", [whole, *steps], f"{value.name}.on_grid")
            self._dtypes[self._interned[key]] = np.float32
        return self._interned[key]

    def _byte(self, number: int) -> str:
        """A number of 8 bits as a tensor without axes."""
        if ("byte", number) not in self._interned:
            self._interned["byte", number] = self.initializer(np.array(number, np.uint8), f"const.u{number}")
        return self._interned["byte", number]

    def _whole_weights(self, step: float) -> list[str]:
        """The weights of a product as int8, and its biases as int32, with the steps of both."""
        weights, *biases = (self.graph.data[v] for v in self.op.inputs[1:])
        scales = weight_scales(weights)
        result = self.op.output.name
        named = self.initializer(scales, f"{result}.steps")
        whole = self.initializer(whole_weights(weights, scales), f"{result}.weights.int8")
        found = [self._plain("DequantizeLinear", [whole, named], f"{result}.weights.on_grid", axis=0)]
        for bias in biases:
            steps = (scales * np.float32(step)).astype(np.float32)
            sums = np.rint(np.clip(bias / steps, -(2**31) + 1, 2**31 - 129)).astype(np.int32)
            inputs = [self.initializer(sums, f"{result}.biases.int32"), self.initializer(steps, f"{result}.bias_steps")]
            found.append(self._plain("DequantizeLinear", inputs, f"{result}.biases.on_grid", axis=0))
        return found

    def node(self, kind: str, inputs: list[str], suffix: str = "", **attrs: Any) -> str:
        """A node; without `suffix` its result is the result of the current operation."""
        name = f"{self.op.output.name}.{suffix}" if suffix else self.op.output.name
        output = self.unique(name) if suffix else self._result()
        doc = self._docs.get(self.op.layer, "")
        self.nodes.append(helper.make_node(kind, inputs, [output], name=name, doc_string=doc, **attrs))
        self._dtypes[output] = self.dtype
        return output

    def cast(self, name: str, dtype: type[np.generic]) -> str:
        """A tensor in another floating type."""
        if self._dtypes.get(name, dtype) is dtype:
            return name
        key = (name, dtype)
        if key not in self._interned:
            output = self._interned[key] = self.unique(f"{name}.{dtype.__name__}")
            to = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
            self.nodes.append(helper.make_node("Cast", [name], [output], name=output, to=to))
            self._dtypes[output] = dtype
        return self._interned[key]

    def array(self, data: np.ndarray, key: tuple[Any, ...], name: str) -> str:
        """An initializer in the type of the current operation, once for each key."""
        key = (*key, self.dtype)
        if key not in self._interned:
            if self.dtype is np.float16:
                data = np.clip(data, -HALF_MAX, HALF_MAX)
            self._interned[key] = self.initializer(np.asarray(data, self.dtype), name)
            self._dtypes[self._interned[key]] = self.dtype
        return self._interned[key]

    def scalar(self, number: float) -> str:
        """A number as a tensor without axes."""
        return self.array(np.array(number, np.float32), ("scalar", number), f"const.{number:g}")

    def integers(self, *numbers: int) -> str:
        """A vector of int64, as shapes, axes and indices are given."""
        if numbers not in self._interned:
            shown = "_".join(map(str, numbers[:8]))
            self._interned[numbers] = self.initializer(np.array(numbers, np.int64), f"const.i{shown}")
        return self._interned[numbers]

    def floats(self, *numbers: float) -> str:
        """A vector of float32 whatever the operation computes in, as scales are given."""
        if ("floats", numbers) not in self._interned:
            data = np.array(numbers, np.float32)
            self._interned["floats", numbers] = self.initializer(data, "const." + "_".join(f"{n:g}" for n in numbers))
        return self._interned["floats", numbers]

    def initializer(self, data: np.ndarray, name: str) -> str:
        """A named array in the model."""
        name = self.unique(name)
        data = np.ascontiguousarray(data).reshape(data.shape)
        if data.nbytes < LARGE:
            self.initializers.append(numpy_helper.from_array(data, name))
        else:
            self.arrays[name] = data
        return name

    def unique(self, name: str) -> str:
        """The name, or one close to it that is free."""
        free = next(n for n in chain([name], (f"{name}~{i}" for i in count(2))) if n not in self._taken)
        self._taken.add(free)
        return free

    # The model around the nodes.

    def write(self, emitters: Mapping[str, Callable[[Emitter], None]]) -> None:
        """Write all operations, and give the outputs their names."""
        for value, name in self._wanted:
            if value not in self._name_of and value not in self.graph.data and self._dtype_of(value) is np.float32:
                self._name_of[value] = name
        for op in self.graph.ops:
            self.op = op
            emitters[op.kind](self)
        for value, name in self._wanted:
            self._write_output(value, name)
            self.outputs.append(self._info(name, value))

    def model(self) -> onnx.ModelProto:
        """What has been written."""
        return assemble(self.skeleton(), self.arrays)

    def skeleton(self) -> onnx.ModelProto:
        """What has been written, without `arrays`."""
        inputs = [self._info(self._name_of[v], v) for v in self.graph.inputs]
        body = helper.make_graph(self.nodes, "darknet", inputs, self.outputs, self.initializers)
        opsets = [helper.make_opsetid("", OPSET)]
        return helper.make_model(body, opset_imports=opsets, ir_version=IR_VERSION, producer_name="darknet-py")

    def _dtype_of(self, value: Value) -> type[np.generic]:
        return np.float16 if self.producers.get(value) in self.half else np.float32

    def _result(self) -> str:
        output = self.op.output
        if output not in self._name_of:
            self._name_of[output] = self.unique(output.name)
        return self._name_of[output]

    def _write_output(self, value: Value, name: str) -> None:
        constant = value if value in self.graph.data else self.repeats.get(value)
        source = self._name_of[value] if constant is None else self.repeated(constant)
        if source != name:
            self.nodes.append(helper.make_node("Identity", [self.cast(source, np.float32)], [name], name=name))
        self._dtypes[name] = np.float32

    def repeated(self, value: Value, index: int = 0) -> str:
        """A constant, once for each sample, as operand `index` of the current operation.

        With a fixed batch it is written out, for each use again: OpenCV 4 makes a layer of a constant, under its name.
        With a symbolic batch this is the only place that has to ask for a shape.
        """
        data = self.graph.data[value][None]
        if self.batch is not None:
            return self.array(np.repeat(data, self.batch, 0), (value, self.op, index), value.name)
        key = ("repeated", value, self.dtype)
        if key not in self._interned:
            name = self._interned[key] = self.unique(f"{value.name}.repeated")
            count = self._plain("Shape", [self._name_of[self.graph.image]], f"{name}.batch", start=0, end=1)
            ones = [self.integers(*[1] * len(value.shape))] if value.shape else []
            shape = self._plain("Concat", [count, *ones], f"{name}.shape", axis=0)
            inputs = [self.array(data, (value, 1), value.name), shape]
            self.nodes.append(helper.make_node("Expand", inputs, [name], name=name))
            self._dtypes[name] = self.dtype
        return self._interned[key]

    def _plain(self, kind: str, inputs: list[str], name: str, **attrs: Any) -> str:
        name = self.unique(name)
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attrs))
        return name

    def _info(self, name: str, value: Value) -> onnx.ValueInfoProto:
        dims: list[int | str] = [BATCH if self.batch is None else self.batch, *value.shape]
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
