"""What writes ONNX in onnxruntime's blocked layout, and knows which values are in blocks, plain, or both."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import helper

from ...ir.graph import Graph, Value
from ...onnx.emitter import Emitter, output_names
from ...onnx.operators import Emit

NCHWC, MICROSOFT = "com.microsoft.nchwc", "com.microsoft"
CHANNEL_STEP = 4  # ReorderInput takes channels in fours, and fills the last block with zeros


class BlockedEmitter(Emitter):
    """Writes nodes in blocks or plain, as it is told, and reorders what comes in the other layout."""

    def __init__(self, graph: Graph, block: int) -> None:
        super().__init__(graph, None, (), output_names(graph))
        self.block = block
        self._blocked: dict[Value, str] = {}
        self._unblocked: set[Value] = {*graph.inputs, *graph.data}
        self._writes_blocked = False

    # Where values are.

    def is_blocked(self, value: Value) -> bool:
        """Whether the value has been written in blocks."""
        return value in self._blocked

    def padded(self, channels: int) -> int:
        """Channels with the last block filled."""
        return -(-channels // self.block) * self.block

    def can_block(self, value: Value) -> bool:
        """Whether the value is in blocks, or can be reordered."""
        fits = value.batched and len(value.shape) == 3 and value.shape[0] % CHANNEL_STEP == 0
        return self.is_blocked(value) or fits

    def blocked(self, value: Value) -> str:
        """The value in blocks, reordered if need be."""
        if value not in self._blocked:
            source = self.repeated(self.repeats[value]) if value in self.repeats else self._name_of[value]
            self._blocked[value] = self._reorder("ReorderInput", source, f"{value.name}.blocked")
        return self._blocked[value]

    def plain(self, value: Value) -> str:
        """The value in the plain layout, reordered if need be; not for what is repeated or constant."""
        if value not in self._unblocked and value in self._blocked:
            self._name_of.setdefault(value, self.unique(value.name))
            self._reorder("ReorderOutput", self._blocked[value], self._name_of[value], channels=value.shape[0])
            self._unblocked.add(value)
        return self._name_of.get(value, "")

    def is_plain(self, value: Value) -> None:
        """Take note that the value has been written in the plain layout."""
        self._unblocked.add(value)

    # What emitting functions use.

    def x(self, index: int = 0) -> str:
        """An operand, in the layout that is being written."""
        value = self.op.inputs[index]
        if self._writes_blocked and value.batched:
            return self.blocked(value)
        self.plain(value)
        return super().x(index)

    def block_node(self, kind: str, inputs: list[str], suffix: str = "", domain: str = NCHWC, **attrs: Any) -> str:
        """A node in blocks; without `suffix` its result is the result of the current operation."""
        name = self.unique(f"{self.op.output.name}.{suffix or 'blocked'}")
        doc = self._docs.get(self.op.layer, "")
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, doc_string=doc, domain=domain, **attrs))
        self._dtypes[name] = np.float32
        if not suffix:
            self._blocked[self.op.output] = name
        return name

    def in_blocks(self, emit: Emit) -> None:
        """Let a function that knows no layouts write the current operation on operands in blocks."""
        self._writes_blocked = True
        emit(self)
        self._writes_blocked = False

    def model(self) -> onnx.ModelProto:
        """What has been written, with onnxruntime's own operators."""
        model = super().model()
        model.opset_import.extend(helper.make_opsetid(domain, 1) for domain in (NCHWC, MICROSOFT))
        return model

    def _result(self) -> str:
        if not self._writes_blocked:
            return super()._result()
        name = self._blocked[self.op.output] = self.unique(f"{self.op.output.name}.blocked")
        return name

    def _write_output(self, value: Value, name: str) -> None:
        self.plain(value)
        super()._write_output(value, name)

    def _reorder(self, kind: str, source: str, output: str, **attrs: int) -> str:
        self.nodes.append(helper.make_node(kind, [source], [output], name=f"{output}.reorder", domain=NCHWC, **attrs))
        self._dtypes[output] = np.float32
        return output
