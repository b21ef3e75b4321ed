"""[crnn], [conv_lstm], [history]: convolutions with memory. One call of a session is one step.

Decision: the inner layers are `Convolution`s with activation, declared in the order of the weights file. They must keep
the size of the image, because the state is read by the same kernels as the input.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...errors import Code
from ...ir.graph import Value
from ..cfg.options import opt
from .activations import activate
from .convolutional import MAX_CHANNELS, Convolution
from .layer import Layer, LayerError, Lowered, activation, image, layer
from .lowering import Lowering
from .training import train, unused

GATES = "figo"  # forget, input, candidate, output: their order in the weights file
DEFAULT_CONSTRAINT = 32  # parser.c parse_conv_lstm: 32 for each time step, and inference has one


@dataclass(frozen=True)
class Kernel:
    """An inner convolution with its activation and its parameters."""

    core: Convolution
    activation: str
    params: dict[str, Value]

    def __call__(self, b: Lowering, x: Value) -> Value:
        return activate(b, self.core.apply(b, x, self.params), self.activation)


@layer
class ConvolutionalRecurrent(Layer):
    """The options that the inner convolutions of [crnn] and [conv_lstm] share."""

    output: int = opt(1, "number of channels that come out", low=1, high=MAX_CHANNELS)
    size: int = opt(3, "height and width of a kernel", low=1, high=4096)
    stride: int = opt(1, "step between windows; anything but 1 changes the size of the state", low=1, high=4096)
    dilation: int = opt(1, "distance between the taps of a kernel", low=1, high=4096)
    pad: bool = opt(False, "pad with size / 2 zeros on each side")
    padding: int = opt(0, "zeros on each side, where pad is 0", low=0, high=4096)
    groups: int = opt(1, "groups of channels that do not see each other", low=1)
    batch_normalize: int = opt(0, "normalize in the inner layers with stored statistics")
    xnor: int = opt(0, "binarize; Darknet writes out of bounds here")

    def kernel(self, b: Lowering, name: str, x: tuple[int, int, int], filters: int, function: str) -> Kernel:
        """Declare an inner convolution on an image of shape x, next in the file."""
        if self.xnor:
            # forward_convolutional_layer calls binarize_weights with the size of all filters for the size of one.
            raise LayerError(Code.UNDEFINED, "xnor in an inner convolution: Darknet writes out of bounds", "xnor")
        padding = self.size // 2 if self.pad else self.padding
        core = Convolution(
            filters, self.size, (self.stride,) * 2, padding, 1 if self.size == 1 else self.dilation, self.groups,
            bool(self.batch_normalize),
        ).checked(x)  # fmt: skip
        if self.stride != 1 or 2 * padding != self.size - 1:
            message = f"size={self.size}, stride={self.stride} and padding {padding} change the size of the state"
            raise LayerError(Code.BAD_SHAPE, message, "size", "use stride=1, an odd size and pad=1")
        return Kernel(core, function, core.declare(b, x[0], name + "_"))


@layer
class Crnn(ConvolutionalRecurrent):
    """state = input(x) + self(state), result = output(state); each of the three is a convolution with activation."""

    sections = ("crnn",)
    dialects = ("alexeyab", "pytorch")

    hidden: int = opt(1, "number of channels that are remembered", low=1, high=MAX_CHANNELS)
    activation: str = activation("logistic")
    shortcut: int = opt(0, "1: add the old state to the new one")

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        return self.recur(b, inputs[0], self.hidden, self.output)

    def recur(self, b: Lowering, x: Value, hidden: int, output: int) -> Value:
        """The three convolutions around a state of `hidden` channels."""
        channels, height, width = image(x)
        remembered = (hidden, height, width)
        input_ = self.kernel(b, "input", (channels, height, width), hidden, self.activation)
        self_ = self.kernel(b, "self", remembered, hidden, self.activation)
        out = self.kernel(b, "output", remembered, output, self.activation)
        old = b.state(remembered)
        new = b.add(input_(b, x), self_(b, old))
        new = b.add(old, new) if self.shortcut else new
        b.keep(old, new)
        return out(b, new)


@layer
class PjreddieCrnn(Layer):
    """[crnn] with other names for its numbers of channels, and 3x3 kernels always (crnn_layer.c make_crnn_layer)."""

    sections = ("crnn",)
    dialects = ("pjreddie",)

    output_filters: int = opt(1, "number of channels that come out", low=1, high=MAX_CHANNELS)
    hidden_filters: int = opt(1, "number of channels that are remembered", low=1, high=MAX_CHANNELS)
    activation: str = activation("logistic")
    batch_normalize: int = opt(0, "normalize in the inner layers with stored statistics")
    shortcut: int = opt(0, "1: add the old state to the new one")

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        same = Crnn(pad=True, activation=self.activation, batch_normalize=self.batch_normalize, shortcut=self.shortcut)
        return same.recur(b, inputs[0], self.hidden_filters, self.output_filters)


@layer
class ConvLstm(ConvolutionalRecurrent):
    """Long short-term memory whose gates are sums of convolutions: of the state, the input and (peephole) the cell."""

    sections = ("conv_lstm",)

    activation: str = activation("linear")
    peephole: int = opt(0, "1: the gates see the cell")
    bottleneck: int = opt(0, "squeeze state and input first; Darknet has it for the GPU only")
    state_constrain: int = opt(DEFAULT_CONSTRAINT, "keep the cell between minus and plus this; 0: do not", low=0)
    time_normalizer: float = train(1.0, "factor of the gradient that goes back in time")
    lstm_activation: str = unused("tanh", "activation of the cell in Darknet's GPU code; its CPU code takes tanh")
    shortcut: int = unused(0, "1: Darknet's GPU code adds the input to the output; its CPU code does not")

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        if self.bottleneck:
            message = "bottleneck exists in Darknet's GPU code only; its CPU code stops at an assertion"
            raise LayerError(Code.UNDEFINED, message, "bottleneck")
        x, n = inputs[0], self.output
        channels, height, width = image(x)
        shape, remembered = (channels, height, width), (n, height, width)
        v = {gate: self.kernel(b, f"v{gate}", remembered, n, self.activation) for gate in self._peeping}
        w = {gate: self.kernel(b, f"w{gate}", remembered, n, self.activation) for gate in GATES}
        u = {gate: self.kernel(b, f"u{gate}", shape, n, self.activation) for gate in GATES}
        hidden, cell = b.state(remembered), b.state(remembered)
        sums = {gate: b.add(w[gate](b, hidden), u[gate](b, x)) for gate in GATES}
        f = b.op("sigmoid", self._peep(b, sums["f"], v.get("f"), cell))
        i = b.op("sigmoid", self._peep(b, sums["i"], v.get("i"), cell))
        new_cell = b.add(b.mul(f, cell), b.mul(i, b.op("tanh", sums["g"])))
        o = b.op("sigmoid", self._peep(b, sums["o"], v.get("o"), new_cell))
        new_hidden = b.mul(o, b.op("tanh", new_cell))
        b.keep(hidden, new_hidden)
        # conv_lstm_layer.c forward_conv_lstm_layer: the output has already seen the cell as it was.
        limit = float(self.state_constrain)
        b.keep(cell, b.op("clip", new_cell, low=-limit, high=limit) if limit else new_cell)
        return new_hidden

    def darknet_operations(self, x: Lowered) -> float:
        return super().darknet_operations(x) + (12 if self.peephole else 9) * math.prod(x.output)

    @property
    def _peeping(self) -> str:
        return "fio" if self.peephole else ""

    def _peep(self, b: Lowering, total: Value, kernel: Kernel | None, cell: Value) -> Value:
        return b.add(total, kernel(b, cell)) if kernel else total


@layer
class History(Layer):
    """The input, and room for earlier ones: with the one step of inference it stays empty (forward_history_layer)."""

    sections = ("history",)

    history_size: int = opt(4, "how many inputs the output has room for", low=1, high=4096)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        channels, height, width = image(inputs[0])
        # a view of one number: nothing is allocated, however large
        rest = np.broadcast_to(np.float32(0), ((self.history_size - 1) * channels, height, width))
        return b.concat([inputs[0], b.const(rest)]) if len(rest) else inputs[0]
