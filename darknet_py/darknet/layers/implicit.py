"""Implicit knowledge (YOLOR): layers whose output is a learned parameter, whatever the image.

Decision: their output has a batch axis as every layer's has; the layers made to read one take the parameter itself.
"""

from __future__ import annotations

from ...ir.graph import Value
from ..cfg.options import opt
from .channels import Channels, Flow
from .layer import Layer, layer
from .lowering import Lowering
from .training import train

MAX_FILTERS = 1 << 20


@layer
class Implicit(Layer):
    """A parameter of shape (filters, atoms, 1)."""

    sections = ("implicit",)
    dialects = ("alexeyab",)
    flat = True

    filters: int = opt(128, "channels", low=1, high=MAX_FILTERS)
    atoms: int = opt(1, "rows of each channel", low=1, high=MAX_FILTERS)
    mean: float = train(0.0, "mean of the random numbers that training starts from")
    std: float = train(0.2, "standard deviation of the random numbers that training starts from")

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        made = c.new(self.filters, zero=True)
        c.number("filters", made.ids)
        c.parameters(inputs[0], made, {"weights": {0: made}})
        return made

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        return b.op("repeat_batch", b.param("weights", (self.filters, self.atoms, 1)), inputs[0])


@layer
class TorchImplicit(Layer):
    """A parameter of shape (filters, 1, 1), made to be added, multiplied or joined.

    A weights file holds it in the place of the layer, as it does for Darknet's `[implicit]`; the PyTorch code's own
    converter (models.py save_weights) leaves it out.
    """

    sections = ("implicit_add", "implicit_mul", "implicit_cat")
    dialects = ("pytorch",)

    filters: int = opt(1, "channels", low=1, high=MAX_FILTERS, required=True)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        return b.op("repeat_batch", b.param("weights", (self.filters, 1, 1)), inputs[0])
