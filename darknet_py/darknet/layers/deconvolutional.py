"""[deconvolutional]: transposed convolution, batch normalization, activation. Only pjreddie's Darknet has it."""

from __future__ import annotations

from ...ir.graph import Value
from ..cfg.options import opt
from .activations import NOT_ZERO_AT_ZERO, SUMS_OF_CHANNELS, activate
from .channels import Channels, Flow
from .convolutional import MAX_CHANNELS, batch_norm
from .layer import Layer, activation, image, layer
from .lowering import Lowering


@layer
class Deconvolutional(Layer):
    """Every pixel spreads `filters` kernels of size x size over the output (deconvolutional_layer.c)."""

    sections = ("deconvolutional", "deconv")
    short = "deconv"
    dialects = ("pjreddie",)

    filters: int = opt(1, "number of channels that come out", low=1, high=MAX_CHANNELS)
    size: int = opt(1, "height and width of a kernel", low=1, high=4096)
    stride: int = opt(1, "step between kernels", low=1, high=4096)
    pad: bool = opt(False, "cut size / 2 off each side")
    padding: int = opt(0, "what is cut off each side, where pad is 0", low=0, high=4096)
    batch_normalize: int = opt(0, "normalize the result with stored statistics")
    activation: str = activation("logistic")

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        (x,) = inputs
        if self.activation in SUMS_OF_CHANNELS:
            return super().channels(c, x)
        c.sum(x)
        made = c.new(self.filters, zero=self.activation not in NOT_ZERO_AT_ZERO)
        c.number("filters", made.ids)
        c.product(x, made, {0: x, 1: made}, norm=bool(self.batch_normalize))
        return made

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        channels, _, _ = image(inputs[0])
        n, k = self.filters, self.size
        padding = k // 2 if self.pad else self.padding
        attrs = dict(strides=(self.stride,) * 2, pads=(padding,) * 4)
        biases = b.param("biases", (n,))
        statistics = [b.param(r, (n,)) for r in ("scales", "mean", "variance")] if self.batch_normalize else []
        weights = b.param("weights", (channels, n, k, k))
        if not statistics:
            y = b.op("conv_transpose", inputs[0], weights, biases, **attrs)
            return activate(b, y, self.activation)
        scales, mean, variance = statistics
        y = batch_norm(b, b.op("conv_transpose", inputs[0], weights, **attrs), scales, biases, mean, variance)
        return activate(b, y, self.activation)
