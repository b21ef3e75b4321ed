"""Layers without parameters that leave numbers in their places: [dropout], [cost], [empty], [activation] and more.

Decision: a layer that only trains is the identity (no operation at all), or the zeros that Darknet leaves in its
output.
"""

from __future__ import annotations

import math

import numpy as np

from ...errors import Code
from ...ir.graph import Value
from ...ir.ops import Shape
from ..cfg.options import opt
from .activations import NOT_ZERO_AT_ZERO, SUMS_OF_CHANNELS, activate
from .channels import Channels, Flow
from .heads.yolo import Yolo
from .layer import Layer, LayerError, Spelling, activation, image, layer
from .lowering import Lowering
from .training import train, unused


def _after_a_layer(b: Lowering) -> None:
    # parser.c takes the output of layer -1 for [dropout] and [empty]: memory in front of its array.
    if b.index == 0:
        raise LayerError(Code.UNDEFINED, "cannot be the first layer: Darknet reads out of bounds")


def zeros_like(b: Lowering, x: Value) -> Value:
    """As many zeros as x has numbers, as a vector."""
    zeros = b.const(np.broadcast_to(np.float32(0), (math.prod(x.shape),)))  # a view: nothing is allocated
    return b.op("repeat_batch", zeros, x)


@layer
class Dropout(Layer):
    """Noise for training; the identity afterwards."""

    sections = ("dropout",)

    probability: float = train(0.2, "share of the numbers that are set to 0; 0.5 in pjreddie's Darknet", usual=(0, 1))
    dropblock: int = train(0, "1: set whole squares to 0")
    dropblock_size_rel: float = train(0.0, "side of a square, in parts of the image")
    dropblock_size_abs: float = train(0.0, "side of a square, in pixels; 7 where neither is given")

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        return inputs[0]

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        _after_a_layer(b)
        return inputs[0]


@layer
class Empty(Layer):
    """The identity."""

    sections = ("empty", "silence")

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        return inputs[0]

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        _after_a_layer(b)
        return inputs[0]


@layer
class Cost(Layer):
    """The loss of a classifier: zeros after training, and not the output of the network."""

    sections = ("cost",)
    flat = True
    may_be_output = False

    type_: str = train("sse", "kind of loss", choices=("sse", "masked", "smooth"), fallback="sse")
    scale: float = train(1.0, "factor of the gradient")
    ratio: float = unused(0.0, "without effect in Darknet")

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        return zeros_like(b, inputs[0])


@layer
class Contrastive(Layer):
    """The loss of an embedding beside a [yolo]: zeros after training."""

    sections = ("contrastive",)

    classes: int = train(1000, "number of classes")
    temperature: float = train(1.0, "divisor of likenesses")
    cls_normalizer: float = train(1.0, "factor of the gradient")
    max_delta: float | None = train(None, "what the gradient is limited to; default: without limit")
    contrastive_neg_max: int = train(3, "pairs of different objects for each pair of the same")
    yolo_layer: int = opt(0, "the [yolo] that the embedding belongs to; negative counts back")

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        index = self.yolo_layer if self.yolo_layer >= 0 else b.index + self.yolo_layer
        if not 0 < index < b.index or not isinstance(b.layers[index], Yolo):
            message = f"layer {index} is no [yolo] before this one; Darknet crashes or refuses"
            raise LayerError(Code.BAD_REFERENCE, message, "yolo_layer", "name the [yolo], such as yolo_layer=-2")
        return zeros_like(b, inputs[0])


@layer
class Activation(Layer):
    """An activation function, nothing else."""

    sections = ("activation",)

    activation: str = activation("linear")

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        if self.activation in SUMS_OF_CHANNELS:
            return super().channels(c, *inputs)
        return inputs[0].after(self.activation not in NOT_ZERO_AT_ZERO)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        return activate(b, inputs[0], self.activation)


@layer
class Logistic(Layer):
    """The logistic function, and in training its loss; pjreddie's only."""

    sections = ("logistic",)
    dialects = ("pjreddie",)

    def spelled(self, *inputs: Shape) -> Spelling:
        return Spelling("activation", {"activation": "logistic"})

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        return inputs[0].after(False)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        return b.op("sigmoid", inputs[0])


@layer
class L2Norm(Layer):
    """Each pixel divided by the length of its vector of channels; pjreddie's only."""

    sections = ("l2norm",)
    dialects = ("pjreddie",)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = inputs[0]
        image(x)
        return b.op("div", x, b.op("sqrt", b.op("reduce_sum", b.mul(x, x), axes=(0,))))


@layer
class Crop(Layer):
    """The centre of an image, and its numbers from 0…1 to -1…1."""

    sections = ("crop",)

    crop_height: int = opt(1, "height of the part", low=1)
    crop_width: int = opt(1, "width of the part", low=1)
    noadjust: int = opt(0, "1: keep the numbers as they are")
    flip: int = train(0, "1: mirror half of the images")
    angle: float = train(0.0, "how far images are turned, in degrees")
    saturation: float = train(1.0, "how far saturation is multiplied or divided")
    exposure: float = train(1.0, "how far brightness is multiplied or divided")
    shift: float = train(0.0, "how far colours are shifted")

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        return inputs[0].after(bool(self.noadjust))

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = inputs[0]
        _, height, width = image(x)
        if self.crop_height > height or self.crop_width > width:
            message = f"{self.crop_height} x {self.crop_width} cannot be cut from {height} x {width}"
            key = "crop_height" if self.crop_height > height else "crop_width"
            raise LayerError(Code.BAD_SHAPE, message, key)
        # crop_layer.c forward_crop_layer: without training, no flip and the middle, rounded to the top left.
        top, left = (height - self.crop_height) // 2, (width - self.crop_width) // 2
        y = b.slice(x, 1, top, top + self.crop_height)
        y = b.slice(y, 2, left, left + self.crop_width)
        return y if self.noadjust else b.sub(b.mul(y, 2), 1)
