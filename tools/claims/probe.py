"""The gradients of one batch, by PyTorch: at the weights of every convolution, and at what each of them gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everybody calls it
from torch import Tensor

from darknet_py.backends.torch.module import GraphModule
from darknet_py.ir.graph import Graph, Value

from .gradients import Duplication, duplication, outputs_of, weight_values

Loss = Callable[[Tensor], Tensor]


def scores_of(graph: Graph) -> Value:
    """What the [softmax] at the end of a classifier reads."""
    (read,) = graph.layer_inputs(graph.layers[-1])
    return read


def probe(graph: Graph, images: np.ndarray, loss: Loss, output: Value) -> Duplication:
    """What the gradients of a loss of some output duplicate, for images (n, c, h, w), in training mode.

    The parameters of the graph are those in its data; its statistics of batch normalization are those of the batch.
    """
    return duplication(graph, *gradients(graph, images, loss, output))


def gradients(
    graph: Graph, images: np.ndarray, loss: Loss, output: Value
) -> tuple[Mapping[int, np.ndarray], Mapping[int, float]]:
    """By the number of each convolution, the gradient of its weights, and the squared norm of that at its output."""
    module = GraphModule(graph)
    module.train()
    outputs, weights = outputs_of(graph), weight_values(graph)
    wanted = [output, *outputs.values()]
    result, *sources = module.values([torch.from_numpy(images)], wanted)
    tensors = [module.tensor_of(value) for value in weights.values()]
    found = torch.autograd.grad(loss(result), [*tensors, *sources], allow_unused=True)
    of_weights, of_sources = found[: len(tensors)], found[len(tensors) :]
    return (
        {layer: g.numpy() for layer, g in zip(weights, of_weights, strict=True) if g is not None},
        {layer: 0.0 if g is None else float(g.double().square().sum())
         for layer, g in zip(outputs, of_sources, strict=True)},
    )  # fmt: skip


def classification_loss(labels: np.ndarray) -> Loss:
    """The cross-entropy of scores (n, classes) or (n, classes, 1, 1) with labels (n,)."""
    truth = torch.from_numpy(labels.astype(np.int64))
    return lambda scores: F.cross_entropy(scores.flatten(1), truth)
