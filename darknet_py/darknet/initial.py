"""The parameters that Darknet begins to train with: what each layer's constructor leaves in them, with a seed."""

from __future__ import annotations

import math

import numpy as np

from ..ir.graph import Graph, Param
from .layers.implicit import Implicit, TorchImplicit
from .layers.layer import Layer, layer_of
from .layers.shortcut import Sum
from .weights import Header, Weights

GAIN = 2.0  # convolutional_layer.c, connected_layer.c: sqrt(2 / inputs of a filter), times numbers of -1 to 1
IMPLICIT_STD = 0.02  # of the PyTorch dialect (utils/layers.py ImplicitA)


def initial_weights(graph: Graph, seed: int = 0) -> Weights:
    r"""Parameters as Darknet begins with, `seen` 0: the rule of each role, with NumPy's random numbers.

    Rolling variances are 0, as Darknet has them before the first picture: until a training step, evaluation divides by
    the root of the epsilon.

    >>> from .compile import compile_cfg
    >>> cfg = "[net]\nwidth=8\nheight=8\nchannels=3\n[convolutional]\nbatch_normalize=1\nfilters=2\nsize=3\n"
    >>> graph = compile_cfg(cfg).graph
    >>> for value, array in initial_weights(graph).arrays.items():
    ...     print(value.name, array.min() >= -0.28, array.max() <= 0.28)
    0_convolutional.biases True True
    0_convolutional.scales True False
    0_convolutional.mean True True
    0_convolutional.variance True True
    0_convolutional.weights True True
    """
    rng = np.random.default_rng(seed)
    arrays = {p.value: _initial(p, layer_of(graph.layer(p.layer)), rng) for p in graph.params}
    return Weights(Header(), arrays)


def completed(graph: Graph, held: Weights, seed: int = 0) -> Weights:
    """Weights of the first layers with what Darknet begins with in the others; those of all layers as they are."""
    if all(p.value in held.arrays for p in graph.params):
        return held
    return Weights(held.header, {**initial_weights(graph, seed).arrays, **held.arrays})


def _initial(param: Param, layer: Layer, rng: np.random.Generator) -> np.ndarray:
    shape = param.value.shape
    if isinstance(layer, Implicit):
        return rng.normal(layer.mean, layer.std, shape).astype(np.float32)
    if isinstance(layer, TorchImplicit):
        return rng.normal(float("mul" in param.value.name.partition(".")[0]), IMPLICIT_STD, shape).astype(np.float32)
    if param.role.endswith("scales") or _is_one(layer):
        return np.full(shape, float(param.role.endswith(("scales", "weights"))), np.float32)
    if not param.role.endswith("weights"):
        return np.zeros(shape, np.float32)
    scale = np.float32(math.sqrt(GAIN / _inputs(param, layer)))
    return scale * rng.uniform(-1, 1, shape).astype(np.float32)


def _is_one(layer: Layer) -> bool:
    """Whether weights begin as 1: of shortcuts, and before an activation across channels."""
    return isinstance(layer, Sum) or getattr(layer, "activation", "").startswith("normalize_channels")


def _inputs(param: Param, layer: Layer) -> int:
    """The numbers that one number of the result is a sum of."""
    shape = param.value.shape
    transposed = layer.sections[0].startswith("deconv")
    return max(1, math.prod((shape[0], *shape[2:]) if transposed else shape[1:]))
