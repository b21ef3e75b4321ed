"""What a pass is: a named function from graph to graph that says how exact it is, and who takes it.

Decision: a pass is a value, so that messages call it by its name, and two that do the same are equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from ..ir.graph import Graph

# Who runs a graph: a back end, and what of it matters here. "file" is an exported one, for any runtime.
UNTOUCHED = ("numpy", "onnx.reference")  # they say what is right: each operation as it was lowered
ONNXRUNTIME, BLOCKED = "onnxruntime", "onnxruntime, blocked"  # on a GPU; on a CPU, in blocks of channels
NCNN, OPENVINO, OPENCV_4, OPENCV_5 = "ncnn", "openvino", "opencv 4", "opencv 5"
TORCH, LITERT, COREML = "torch", "litert", "coreml"
FOLDING = ("file", "numpy, exact", OPENVINO, NCNN, TORCH, LITERT, COREML, ONNXRUNTIME, BLOCKED, OPENCV_4, OPENCV_5)
TAKERS = (*UNTOUCHED, *FOLDING)


@dataclass(frozen=True)
class Pass:
    """A pass: `function(graph, *parameters)`.

    `exact` is True where no number changes, else says in words how far results may be off. It is pure, and needs the
    parameters loaded: what reads others is left alone.
    """

    name: str
    exact: Literal[True] | str
    function: Callable[..., Graph]
    parameters: tuple[Any, ...] = ()

    def __call__(self, graph: Graph) -> Graph:
        """The graph after this pass."""
        return self.function(graph, *self.parameters)


@dataclass(frozen=True)
class Line:
    """Who takes a pass, and when: the file of a pass has its `LINES`, and lower places run first.

    `step` is the pass, or makes it for a runtime that keeps so many channels together; a pass that costs runtimes
    different prices has a line for each.
    """

    place: int
    step: Pass | Callable[[int], Pass]
    takers: tuple[str, ...]

    def made(self, block: int) -> Pass:
        """The pass for a runtime that keeps `block` channels together."""
        return self.step if isinstance(self.step, Pass) else self.step(block)
