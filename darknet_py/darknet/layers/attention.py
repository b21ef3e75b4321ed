"""[sam], [scale_channels] and the PyTorch dialect's other layers of two inputs: one times, plus or beside the other.

Decision: Darknet's two check shapes as its asserts do; the PyTorch ones broadcast, and say which input is stretched.
"""

from __future__ import annotations

from ...errors import Code
from ...ir.graph import Value
from ...ir.ops import Shape
from ..cfg.options import opt
from .activations import NOT_ZERO_AT_ZERO, SUMS_OF_CHANNELS, activate
from .channels import Channels, Flow
from .implicit import TorchImplicit
from .layer import Layer, LayerError, Spelling, activation, image, layer, unspeakable
from .lowering import Lowering
from .route import need_layers
from .training import unused


@layer
class Sam(Layer):
    """Spatial attention: the layer before times the layer `from`, of the same shape; then an activation."""

    sections = ("sam",)
    dialects = ("alexeyab",)
    family = "spatial attention"

    from_: int = opt(0, "the layer to multiply with; negative counts back", required=True)
    activation: str = activation("linear")

    def references(self) -> tuple[int, ...]:
        return (-1, self.from_)

    def joined(self) -> tuple[int, ...]:
        return (self.from_,)

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        x, a = inputs
        return _product(c, x, a, self.activation)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x, a = inputs
        need_layers(b, "from")
        image(x)
        if x.shape != a.shape:
            raise LayerError(Code.BAD_SHAPE, f"layer {self.from_} has shape {a.shape}, not {x.shape}", "from")
        return activate(b, b.mul(x, a), self.activation)


@layer
class ScaleChannels(Layer):
    """The layer `from` times the layer before: one number for each channel, or with `scale_wh` for each place."""

    sections = ("scale_channels",)
    dialects = ("alexeyab",)
    family = "channel attention"
    short = "scale"

    from_: int = opt(0, "the layer to scale; negative counts back", required=True)
    scale_wh: int = opt(0, "1: the layer before holds one number for each place instead")
    activation: str = activation("linear")

    def references(self) -> tuple[int, ...]:
        return (-1, self.from_)

    def joined(self) -> tuple[int, ...]:
        return (self.from_,)

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        scale, x = inputs
        if not self.scale_wh:
            return _product(c, x, scale, self.activation)
        c.stay(scale, "a number for each place is a single channel")
        return _activated(c, x, self.activation)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        scale, x = inputs
        need_layers(b, "from")
        image(scale)
        if len(x.shape) != 3:
            message = f"layer {self.from_} gives {x.shape[0]} numbers without a shape"
            raise LayerError(Code.NOT_AN_IMAGE, message, "from")
        wanted = (1, *x.shape[1:]) if self.scale_wh else (x.shape[0], 1, 1)
        if scale.shape != wanted:
            message = f"the layer before has shape {scale.shape}; to scale layer {self.from_} it must be {wanted}"
            raise LayerError(Code.BAD_SHAPE, message, "scale_wh" if self.scale_wh else "from")
        return activate(b, b.mul(x, scale), self.activation)


@layer
class TorchPair(Layer):
    """Base of the PyTorch dialect's two-input layers (utils/layers.py); none of them has an activation."""

    from_: int = opt(0, "the layer to join with the layer before; negative counts back", required=True)
    activation: str = unused("linear", "without effect in the PyTorch code")

    def references(self) -> tuple[int, ...]:
        return (-1, self.from_)

    def stretched(self, b: Lowering, *inputs: Value) -> tuple[Value, Value]:
        """The layer before and the other, which must stretch to it; an implicit parameter needs no batch axis."""
        x, a = inputs
        need_layers(b, "from")
        image(x)
        if len(a.shape) != 3 or any(n not in (1, m) for n, m in zip(a.shape, x.shape, strict=True)):
            message = f"layer {self.from_} has shape {a.shape}, which does not stretch to {x.shape}"
            raise LayerError(Code.BAD_SHAPE, message, "from")
        index = self.from_ if self.from_ >= 0 else b.index + self.from_
        if isinstance(b.layers[index], TorchImplicit):
            a = b.params_of(index)["weights"]
        return x, a


@layer
class TorchSam(TorchPair):
    """The layer before times the layer `from`."""

    sections = ("sam",)
    dialects = ("pytorch",)
    family = "spatial attention"

    def spelled(self, *inputs: Shape) -> Spelling:
        if inputs[0] != inputs[1]:
            raise unspeakable("it multiplies layers of one shape only", "from")
        return Spelling(options={"activation": "linear"})

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        x, a = inputs
        return _product(c, x, a) if len(x) == len(a) else super().channels(c, x, a)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        need_layers(b, "from")
        image(inputs[0])
        return b.mul(inputs[0], inputs[1])


@layer
class TorchScaleChannels(TorchPair):
    """The layer `from` times the layer before, which is stretched to it."""

    sections = ("scale_channels",)
    dialects = ("pytorch",)
    family = "channel attention"
    short = "scale"

    def spelled(self, *inputs: Shape) -> Spelling:
        scale, x = inputs
        if scale not in ((x[0], 1, 1), (1, *x[1:])):
            raise unspeakable("it scales by one number for each channel, or for each place", "from")
        by_place = scale != (x[0], 1, 1)
        return Spelling(options={"activation": "linear", "scale_wh": "1" if by_place else None})

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        scale, x = inputs
        return _product(c, x, scale) if len(scale) == len(x) else super().channels(c, scale, x)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        need_layers(b, "from")
        image(inputs[0])
        y = b.mul(inputs[1], inputs[0])
        if y.shape != inputs[1].shape:
            message = f"the layer before has shape {inputs[0].shape}, which does not stretch to {inputs[1].shape}"
            raise LayerError(Code.BAD_SHAPE, message, "from")
        return y


@layer
class ShiftChannels(TorchPair):
    """The layer before plus the layer `from`, which is stretched to it."""

    sections = ("shift_channels",)
    dialects = ("pytorch",)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        return b.add(*self.stretched(b, *inputs))


@layer
class ControlChannels(TorchPair):
    """The layer before times the layer `from`, which is stretched to it."""

    sections = ("control_channels",)
    dialects = ("pytorch",)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        return b.mul(*self.stretched(b, *inputs))


@layer
class SelectChannels(TorchPair):
    """The layer before times the sigmoid of the layer `from`, which is stretched to it."""

    sections = ("select_channels",)
    dialects = ("pytorch",)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x, a = self.stretched(b, *inputs)
        return b.mul(x, b.op("sigmoid", a))


@layer
class AlternateChannels(TorchPair):
    """The layer `from`, stretched to the layer before, and then the layer before, along the channels."""

    sections = ("alternate_channels",)
    dialects = ("pytorch",)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x, a = self.stretched(b, *inputs)
        return b.concat([_expanded(b, a, x.shape), x])


def _product(c: Channels, a: Flow, b: Flow, activation: str = "linear") -> Flow:
    """The channels of a product, place by place: 0 where one of the two is."""
    c.pair(a, b)
    c.gate(a, b)
    zero = tuple(x or y for x, y in zip(a.zero, b.zero, strict=True))
    return _activated(c, Flow(a.ids, zero), activation)


def _activated(c: Channels, x: Flow, activation: str) -> Flow:
    if activation in SUMS_OF_CHANNELS:
        c.stay(x, "an activation across channels")
    return x.after(activation not in NOT_ZERO_AT_ZERO)


def _expanded(b: Lowering, x: Value, shape: tuple[int, ...]) -> Value:
    """x repeated to `shape` along its axes of length 1."""
    for axis in (1, 2):
        if x.shape[axis] < shape[axis]:
            scale = (shape[1], 1) if axis == 1 else (1, shape[2])
            x = b.op("upsample", x, scale=scale)
    return x if x.shape == shape else b.concat([x] * shape[0])
