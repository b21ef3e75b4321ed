"""[batchnorm] as a layer of its own, and [normalization]: local response normalization across channels."""

from __future__ import annotations

import numpy as np

from ...errors import Code
from ...ir.graph import Value
from ..cfg.options import opt
from .channels import Channels, Flow
from .convolutional import batch_norm
from .layer import Layer, LayerError, image, layer
from .lowering import Lowering

MAX_CHANNELS = 4096  # of a local response normalization, which takes some operations for each


@layer
class BatchNorm(Layer):
    """Batch normalization with stored statistics, for each channel."""

    sections = ("batchnorm",)

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        (x,) = inputs
        made = Flow(x.ids, (True,) * len(x))
        c.parameters(x, made, {role: {0: x} for role in ("biases", "scales", "mean", "variance")})
        return made

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        channels, _, _ = image(inputs[0])
        biases, scales, mean, variance = (b.param(r, (channels,)) for r in ("biases", "scales", "mean", "variance"))
        return batch_norm(b, inputs[0], scales, biases, mean, variance)


@layer
class Normalization(Layer):
    """x / (kappa + alpha * sum of squares of neighbouring channels) ^ beta."""

    sections = ("normalization", "lrn")
    short = "lrn"

    alpha: float = opt(0.0001, "weight of the squares")
    beta: float = opt(0.75, "exponent")
    kappa: float = opt(1.0, "what is added to the squares")
    size: int = opt(5, "how many channels are neighbours", low=1)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = inputs[0]
        channels, height, width = image(x)
        if self.size // 2 > channels:
            message = f"a window of {self.size} on {channels} channels: Darknet reads out of bounds"
            raise LayerError(Code.UNDEFINED, message, "size")
        if channels > MAX_CHANNELS:
            raise LayerError(Code.TOO_LARGE, f"{channels} channels (the limit is {MAX_CHANNELS})")
        start = b.op("repeat_batch", b.const(np.broadcast_to(np.float32(self.kappa), (1, height, width))), x)
        return b.mul(x, b.op("power", self._norms(b, x, start), exponent=-self.beta))

    def _norms(self, b: Lowering, x: Value, norm: Value) -> Value:
        """The divisors before the power, one channel after the other, as Darknet adds them up.

        normalization_layer.c adds the channel that enters and takes off the one that leaves, but begins with one too
        few: the square of channel size / 2 is missing until it would leave, and counts negatively from then on. A
        divisor may so come close to 0, where only Darknet's own order of rounding gives Darknet's result.
        """
        channels, squares = x.shape[0], b.mul(b.mul(x, x), self.alpha)
        parts = [b.slice(squares, 0, k, k + 1) for k in range(channels)]
        for part in parts[: self.size // 2]:
            norm = b.add(norm, part)
        norms = [norm]
        for k in range(1, channels):
            leaving, entering = k - (self.size - 1) // 2 - 1, k + self.size // 2
            norm = b.sub(norm, parts[leaving]) if leaving >= 0 else norm
            norm = b.add(norm, parts[entering]) if entering < channels else norm
            norms.append(norm)
        return b.concat(norms)
