"""An ONNX file as a graph of primitives, node by node.

Decision: shapes are static, the batch too (one sample where it is symbolic), so what computes shapes is arithmetic on
constants, and is done here. The layer of an operation is the number of the node that it came from: whoever cannot use
an operation names that node. What no primitive computes is an error at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from ...contract.contract import Contract
from ...errors import DataError
from ...files import check_file
from ...ir import Graph, ShapeError, Value
from ...ir.builder import Builder
from ...ir.ops import Shape
from ...onnx.metadata import PREFIX, checked_contract, read_onnx
from .nodes import Given, Node, Refused
from .operators import READERS

MAX_FOLDED = 1 << 24  # numbers of a constant that is computed here


@dataclass(frozen=True, eq=False)
class ReadNetwork:
    """A network that was read: its graph with the arrays of its constants, and what its file says of itself, if so.

    `nodes` has a name for people for each node; an operation's layer is the number of one. `batch` is how many samples
    the file takes at a time.
    """

    path: Path
    graph: Graph
    nodes: tuple[str, ...]
    contract: Contract | None
    batch: int

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
        except (OSError, ValueError, onnx.checker.ValidationError) as e:
            hint = "arrays in a file of their own lie beside the model, under the name that it gives them"
            raise DataError(f"{path}: its arrays cannot be read: {e}\n  hint: {hint}") from None
    own = any(p.key.startswith(PREFIX) for p in model.metadata_props)
    return _Reader(path, model, checked_contract(model, path) if own else None).read(size)


@dataclass
class _Reader:
    path: Path
    model: onnx.ModelProto
    contract: Contract | None
    b: Builder = field(default_factory=Builder)
    known: dict[str, Given] = field(default_factory=dict)
    batch: int = 1

    def read(self, size: tuple[int, int] | None) -> ReadNetwork:
        graph = self.model.graph
        self.known.update((t.name, self._array(t)) for t in graph.initializer)
        image = self._input([i for i in graph.input if i.name not in self.known], size)
        states = self.contract.states if self.contract is not None else ()
        nodes = tuple(f"{n.name or ', '.join(n.output)!r} ({n.op_type})" for n in graph.node)
        network = ReadNetwork(self.path, self.b.graph(image), nodes, self.contract, self.batch)
        for index, proto in enumerate(graph.node):
            self.b.enter(index, f"{index}")
            try:
                self._node(proto)
            except (Refused, ShapeError) as e:
                raise network.refusal(index, str(e)) from None
            except KeyError as e:
                raise network.refusal(index, f"it wants {e}, which nothing gives") from None
            except (ArithmeticError, AttributeError, IndexError, TypeError, ValueError) as e:
                raise network.refusal(index, f"it is not as ONNX has it ({e})") from None
        outputs = {output.name: self._output(output.name) for output in graph.output}
        if not outputs:
            raise DataError(f"{self.path}: it has no output")
        for state in states:
            self.b.keep(self._output(state.input), outputs.pop(state.output))
        return ReadNetwork(self.path, self.b.graph(image, *outputs.values()), nodes, self.contract, self.batch)

    def _array(self, stored: onnx.TensorProto) -> np.ndarray:
        try:
            return _float(numpy_helper.to_array(stored))
        except (KeyError, TypeError, ValueError) as e:
            why = f"it has no type of ONNX ({e})" if isinstance(e, KeyError) else e
            raise DataError(f"{self.path}: the array {stored.name!r} cannot be read: {why}") from None

    def _input(self, inputs: list[onnx.ValueInfoProto], size: tuple[int, int] | None) -> Value:
        """The one input. Raises `DataError` for files that no cfg is the source of, whatever their nodes are."""
        own = self.contract
        if own is not None and own.decoders and own.boxes != "raw":
            told = f"{self.path}: it ends in boxes ({own.boxes}), and a cfg in heads"
            raise DataError(f"{told}\n  hint: export it with --boxes raw")
        if own is not None:
            memories = {s.input: s.shape for s in own.states}
            self.known.update((i.name, self.b.input(i.name, memories[i.name])) for i in inputs if i.name in memories)
            inputs = [i for i in inputs if i.name not in memories]
        if len(inputs) != 1:
            names = ", ".join(i.name for i in inputs)
            raise DataError(f"{self.path}: a cfg has one input, and this network has {len(inputs)}: {names}")
        image = self.b.input(inputs[0].name, self._shape(inputs[0], size))
        self.known[image.name] = image
        return image

    def _output(self, name: str) -> Value:
        value = self.known.get(name)
        if not isinstance(value, Value):
            raise DataError(f"{self.path}: the output {name!r} does not depend on the input")
        return value

    def _shape(self, info: onnx.ValueInfoProto, size: tuple[int, int] | None) -> Shape:
        count, *dims = [d.dim_value for d in info.type.tensor_type.shape.dim] or [0]
        self.batch = count or 1
        if size is not None and len(dims) == 3:
            dims[1:] = size
        if len(dims) not in (1, 3) or not all(dims):
            hint = "--size says how large it is" if len(dims) == 3 and dims[0] else "an image or a vector is wanted"
            raise DataError(f"{self.path}: the input {info.name!r} has no fixed shape\n  hint: {hint}")
        return tuple(dims)

    def _node(self, proto: onnx.NodeProto) -> None:
        names, outputs = tuple(proto.input), proto.output
        if not outputs:
            raise Refused("it gives nothing")
        inputs = tuple(self.known[name] if name else None for name in names)
        at = {a.name: helper.get_attribute_value(a) for a in proto.attribute}
        if proto.op_type == "Shape" and isinstance(x := inputs[0], Value):
            shape = np.array((self.batch, *x.shape), np.int64)
            self.known[outputs[0]] = shape[at.get("start", 0) : at.get("end", len(shape))]
            return
        if all(value is None or isinstance(value, np.ndarray) for value in inputs):
            self._fold(proto)
            return
        read = READERS.get(proto.op_type)
        if read is None:
            raise Refused("Darknet has nothing that computes this")
        results = read(Node(proto.op_type, at, names, inputs, len(outputs), self._opset, self.batch, self.b))
        for name, value in zip(outputs, results if isinstance(results, tuple) else (results,), strict=False):
            self.known[name] = value

    @property
    def _opset(self) -> int:
        return max((o.version for o in self.model.opset_import if o.domain in ("", "ai.onnx")), default=1)

    def _fold(self, proto: onnx.NodeProto) -> None:
        from onnx.reference import ReferenceEvaluator

        arrays = {name: self.known[name] for name in proto.input if name}
        if sum(a.size for a in arrays.values() if isinstance(a, np.ndarray)) > MAX_FOLDED:
            raise Refused("it computes a large constant")
        try:
            alone = onnx.GraphProto(node=[proto], input=map(_named, arrays), output=map(_named, proto.output))
            opsets = {o.domain: o.version for o in self.model.opset_import} | {"": self._opset}
            results = ReferenceEvaluator(alone, opsets=opsets).run(None, arrays)
        except Exception as e:  # whatever a node that is not sound makes NumPy raise
            raise Refused(f"its constants cannot be computed: {e}") from None
        self.known.update((n, _float(np.asarray(r))) for n, r in zip(proto.output, results, strict=False))


def _named(name: str) -> onnx.ValueInfoProto:
    return onnx.ValueInfoProto(name=name)


def _float(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype.kind == "f" else array
