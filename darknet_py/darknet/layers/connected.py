"""[connected]: a matrix times the input, batch normalization, activation.

Decision: `Connection` is the part without activation, because [rnn], [gru] and [lstm] own several of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...ir.graph import Value
from ..cfg.options import opt
from .activations import NOT_ZERO_AT_ZERO, SUMS_OF_CHANNELS, activate
from .channels import Channels, Flow
from .convolutional import batch_norm
from .layer import Layer, activation, layer
from .lowering import Lowering

MAX_OUTPUTS = 1 << 24


@dataclass(frozen=True)
class Connection:
    """A dense layer as Darknet's layers own it: vector (k) to vector (outputs)."""

    outputs: int
    batch_normalize: bool = False

    def declare(self, b: Lowering, inputs: int, prefix: str = "") -> dict[str, Value]:
        """Declare the parameters in file order (parser.c load_connected_weights)."""
        n = self.outputs
        params = {"biases": b.param(prefix + "biases", (n,))}
        params["weights"] = b.param(prefix + "weights", (n, inputs), layout="either")
        roles = ("scales", "mean", "variance") if self.batch_normalize else ()
        return params | {role: b.param(prefix + role, (n,)) for role in roles}

    def apply(self, b: Lowering, x: Value, params: dict[str, Value]) -> Value:
        """Multiply, then normalize; no activation."""
        if not self.batch_normalize:
            return b.op("linear", x, params["weights"], params["biases"])
        y = b.op("linear", x, params["weights"])
        return batch_norm(b, y, params["scales"], params["biases"], params["mean"], params["variance"])


@layer
class Connected(Layer):
    """Every input number times a weight for every output, then batch normalization and activation."""

    sections = ("connected", "conn")
    flat = True

    output: int = opt(1, "how many numbers come out", low=1, high=MAX_OUTPUTS)
    activation: str = activation("logistic")
    batch_normalize: int = opt(0, "normalize the result with stored statistics")

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        x = inputs[0].repeated(math.prod(c.shapes[0][1:]))
        if self.activation in SUMS_OF_CHANNELS:
            return super().channels(c, *inputs)
        c.sum(x)
        made = c.new(self.output, zero=self.activation not in NOT_ZERO_AT_ZERO)
        c.number("output", made.ids)
        c.product(x, made, {0: made, 1: x}, norm=bool(self.batch_normalize))
        return made

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = b.flatten(inputs[0])
        core = Connection(self.output, bool(self.batch_normalize))
        y = core.apply(b, x, core.declare(b, x.shape[0]))
        # As an image first: activations across channels want one.
        return activate(b, b.reshape(y, self.output, 1, 1), self.activation)
