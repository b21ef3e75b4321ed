"""Graphs in onnxruntime's blocked layout, as its sessions write them."""

from __future__ import annotations

from darknet_py.backends.onnxruntime.blocked import write_blocked
from darknet_py.ir import Graph
from darknet_py.onnx.emitter import Emitter
from darknet_py.passes import optimize, passes_for


def in_blocks(graph: Graph, block: int = 16, *, winograd: bool = True) -> Emitter:
    """What a session of onnxruntime is given on a CPU whose blocks have so many channels."""
    return write_blocked(optimize(graph, passes_for("onnxruntime, blocked", block, winograd=winograd)), block)
