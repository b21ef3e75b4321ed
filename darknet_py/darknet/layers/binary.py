"""`xnor=1`: convolutions of signs with signs, in the primitives that every runtime has.

Decision: signs are numbers, +1 and -1, so their sums are exact; the packing into bits that Darknet does for speed is
left out, and what it computes is kept (convolutional_layer.c forward_convolutional_layer, binarize_weights).
"""

from __future__ import annotations

from ...ir.graph import Value
from ...ir.ops import Pads
from .lowering import Lowering


def sign(b: Lowering, x: Value) -> Value:
    """+1 where x is positive, -1 elsewhere."""
    return b.sub(b.mul(b.op("ceil", b.op("clip", x, low=0.0, high=1.0)), 2), 1)


def magnitude(b: Lowering, weights: Value) -> Value:
    """The mean of |w| of each filter: (n, 1, 1, 1)."""
    return b.op("reduce_mean", b.op("maximum", weights, b.mul(weights, -1)), axes=(1, 2, 3))


def binarized(b: Lowering, weights: Value) -> Value:
    """The weights as pjreddie's Darknet binarizes them: the sign of each, times the magnitude of its filter."""
    return b.mul(sign(b, weights), magnitude(b, weights))


def packed_conv(b: Lowering, x: Value, params: dict[str, Value], strides: tuple[int, int], padding: int) -> Value:
    """A binary convolution as AlexeyAB's Darknet packs it.

    Batch normalization is folded before the weights are binarized, which changes their magnitudes and signs, and
    padding is a cleared bit, which means -1.
    """
    weights, biases = _folded(b, params)
    filters = weights.shape[0]
    pads: Pads = (padding,) * 4
    bits = sign(b, x)
    if padding:
        bits = b.op("pad", bits, pads=pads, value=-1.0)
    y = b.op("conv", bits, sign(b, weights), strides=strides)
    scaled = b.mul(y, b.reshape(magnitude(b, weights), filters, 1, 1))
    return b.add(scaled, b.reshape(biases, filters, 1, 1))


def _folded(b: Lowering, params: dict[str, Value]) -> tuple[Value, Value]:
    """Weights and biases with batch normalization in them (network.c fuse_conv_batchnorm)."""
    weights, biases = params["weights"], params["biases"]
    if "scales" not in params:
        return weights, biases
    factor = b.op("div", params["scales"], b.op("sqrt", b.add(params["variance"], b.dialect.epsilon)))
    weights = b.mul(weights, b.reshape(factor, weights.shape[0], 1, 1, 1))
    return weights, b.sub(biases, b.mul(params["mean"], factor))
