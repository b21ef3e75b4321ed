"""Fold batch normalization into the product before it, as Darknet does (network.c fuse_conv_batchnorm).

Exact up to float32 rounding, and rounded where Darknet rounds: factors are computed in double precision, multiplied
into the weights, and the product is stored as float32.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir.graph import Graph, Op, Value

FOLDABLE = {"conv": 0, "linear": 0, "conv_transpose": 1}  # primitive → axis of the output channels in its weights


def fold_batch_norm(graph: Graph) -> Graph:
    """Merge each `batch_norm` into its producer, where nothing else reads what that produces."""
    readers = graph.readers()
    wanted = {*graph.outputs, *(s.output for s in graph.states)}
    producers = {op.output: op for op in graph.ops}
    folded: dict[Op, Op] = {}
    dropped: set[Op] = set()
    data: dict[Value, np.ndarray] = {}
    for op in graph.ops:
        producer = producers.get(op.inputs[0]) if op.kind == "batch_norm" else None
        if producer is None or not _can_fold(producer, graph) or not all(v in graph.data for v in op.inputs[1:]):
            continue
        if producer.output in wanted or len(readers[producer.output]) > 1:
            continue
        folded[op], arrays = _fold(producer, op, graph)
        dropped.add(producer)
        data.update(arrays)
    ops = tuple(folded.get(op, op) for op in graph.ops if op not in dropped)
    return replace(graph, ops=ops, data={**graph.data, **data})


def _can_fold(producer: Op, graph: Graph) -> bool:
    return producer.kind in FOLDABLE and all(v in graph.data for v in producer.inputs[1:])


def _fold(producer: Op, norm: Op, graph: Graph) -> tuple[Op, dict[Value, np.ndarray]]:
    scale, bias, mean, variance = (graph.data[v].astype(np.float64) for v in norm.inputs[1:])
    epsilon, outside = norm.attrs["epsilon"], norm.attrs["outside"]
    factor = scale / (np.sqrt(variance) + epsilon if outside else np.sqrt(variance + epsilon))
    weights = graph.data[producer.inputs[1]]
    shape = [1] * weights.ndim
    shape[FOLDABLE[producer.kind]] = -1
    own = graph.data[producer.inputs[2]] if len(producer.inputs) > 2 else 0
    arrays = {
        Value(f"{norm.output.name}.weights", weights.shape, batched=False): weights * factor.reshape(shape),
        Value(f"{norm.output.name}.biases", bias.shape, batched=False): bias + (own - mean) * factor,
    }
    op = Op(producer.kind, (producer.inputs[0], *arrays), norm.output, producer.attrs, norm.layer)
    return op, {v: a.astype(np.float32) for v, a in arrays.items()}
