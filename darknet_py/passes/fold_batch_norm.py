"""Fold batch normalization into the product before it, rounded where Darknet rounds (network.c fuse_conv_batchnorm).

Factors are computed in double precision and multiplied into the weights, and the product is stored as float32.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..ir.graph import Graph, Op, Value
from .definition import FOLDING, Line, Pass

FOLDABLE = {"conv": 0, "linear": 0, "conv_transpose": 1}  # primitive → axis of the output channels in its weights


def _fold_batch_norm(graph: Graph) -> Graph:
    """Merge each `batch_norm` into its producer, where nothing else reads what that produces.

    >>> from darknet_py.ir.builder import Builder
    >>> b = Builder()
    >>> x = b.input("x", (1,))
    >>> y = b.op("linear", x, b.const([[3.0]]))
    >>> scale, bias, mean, variance = (b.const([n]) for n in (2.0, 1.0, 5.0, 4.0))
    >>> after = fold_batch_norm(b.graph(x, b.op("batch_norm", y, scale, bias, mean, variance, epsilon=0.0)))
    >>> [op.kind for op in after.ops], [after.data[v].tolist() for v in after.ops[0].inputs[1:]]
    (['linear'], [[[3.0]], [-4.0]])
    """
    alone, producers = graph.sole_readers(), graph.producers()
    folded: dict[Op, Op] = {}
    dropped: set[Op] = set()
    data: dict[Value, np.ndarray] = {}
    for op in graph.ops:
        producer = producers.get(op.inputs[0]) if op.kind == "batch_norm" else None
        if producer is None or not _can_fold(producer, graph) or not all(v in graph.data for v in op.inputs[1:]):
            continue
        if producer.output not in alone:
            continue
        with np.errstate(all="ignore"):  # what is not finite is told of the weights and of the results, by their layer
            folded[op], arrays = _fold(producer, op, graph)
        dropped.add(producer)
        data.update(arrays)
    ops = tuple(folded.get(op, op) for op in graph.ops if op not in dropped)
    return replace(graph, ops=ops, data={**graph.data, **data})


fold_batch_norm = Pass("fold_batch_norm", "a rounding of each weight and bias", _fold_batch_norm)
LINES = (Line(20, fold_batch_norm, FOLDING),)


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
    op = replace(producer, inputs=(producer.inputs[0], *arrays), output=norm.output, layer=norm.layer)
    return op, {v: a.astype(np.float32) for v, a in arrays.items()}
