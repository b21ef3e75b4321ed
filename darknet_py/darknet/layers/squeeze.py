"""[se]: squeeze-and-excitation as one section, as the PyTorch forks that grew out of the same code write it."""

from __future__ import annotations

from ...errors import Code
from ...ir.graph import Value
from ..cfg.options import opt
from .activations import activate
from .layer import Layer, LayerError, image, layer
from .lowering import Lowering


@layer
class SqueezeExcitation(Layer):
    """Each channel times hard_sigmoid(W2 relu(W1 mean)), without biases (SpursLipu's utils/layers.py SE).

    A weights file holds W1 and then W2 in the place of the layer.
    """

    sections = ("se",)
    dialects = ("pytorch",)

    filters: int | None = opt(None, "channels, for the reader; they are those of the layer before", low=1)
    reduction: int = opt(4, "channels to a hidden unit", low=1)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = inputs[0]
        channels, _, _ = image(x)
        if self.filters not in (None, channels):
            message = f"filters is {self.filters}, and the layer before has {channels} channels"
            raise LayerError(Code.BAD_SHAPE, message, "filters")
        hidden = channels // self.reduction
        if not hidden:
            message = f"a reduction of {self.reduction} leaves nothing of {channels} channels"
            raise LayerError(Code.BAD_SHAPE, message, "reduction")
        squeeze, excite = b.param("squeeze", (hidden, channels)), b.param("excite", (channels, hidden))
        mean = b.flatten(b.op("reduce_mean", x, axes=(1, 2)))
        scale = activate(b, b.op("linear", b.op("relu", b.op("linear", mean, squeeze)), excite), "hard_sigmoid")
        return b.mul(x, b.reshape(scale, channels, 1, 1))
