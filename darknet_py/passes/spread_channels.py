"""One number for each channel, spread over the image before it meets one. Exact.

OpenCV 5 leaves its blocked layout to broadcast, which takes longer than writing the numbers out.
"""

from __future__ import annotations

from dataclasses import replace

from ..ir.graph import Graph, Op, Value

BINARY = frozenset({"add", "sub", "mul", "div", "maximum"})


def spread_channels(graph: Graph) -> Graph:
    """Upsample the (c, 1, 1) operand of an operation whose other operand is (c, h, w); constants stay."""
    ops: list[Op] = []
    for op in graph.ops:
        shape = op.output.shape
        inputs = list(op.inputs)
        for i, value in enumerate(op.inputs if op.kind in BINARY and len(shape) == 3 else ()):
            if value.batched and value.shape == (shape[0], 1, 1) != shape and op.inputs[1 - i].shape == shape:
                inputs[i] = Value(f"{op.output.name}.spread", shape)
                ops.append(Op("upsample", (value,), inputs[i], {"scale": shape[1:]}, op.layer))
        ops.append(replace(op, inputs=tuple(inputs)))
    return replace(graph, ops=tuple(ops))
