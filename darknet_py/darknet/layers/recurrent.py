"""[rnn], [gru], [lstm]: dense layers with memory. One call of a session is one step; states travel beside the image.

Decision: the inner layers are `Connection`s, declared in the order in which the weights file has them. pjreddie's files
order the gates of [lstm] and [gru] differently: subclasses of that dialect, with another order and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ...ir.graph import Value
from ..cfg.options import opt
from .activations import activate
from .connected import MAX_OUTPUTS, Connection
from .layer import Layer, activation, layer
from .lowering import Lowering

ALEXEYAB: tuple[str, ...] = ("alexeyab", "pytorch")
PJREDDIE: tuple[str, ...] = ("pjreddie",)

SELF_ACTIVATIONS = {1: "logistic", 2: "loggy"}  # rnn_layer.c make_rnn_layer, by the option `logistic`


@dataclass(frozen=True)
class Gate:
    """An inner dense layer with its parameters declared."""

    core: Connection
    params: dict[str, Value]

    @classmethod
    def declare(cls, b: Lowering, prefix: str, inputs: int, outputs: int, batch_normalize: int) -> Gate:
        """Declare the parameters, next in the file."""
        core = Connection(outputs, bool(batch_normalize))
        return cls(core, core.declare(b, inputs, prefix + "_"))

    def __call__(self, b: Lowering, x: Value) -> Value:
        return self.core.apply(b, x, self.params)


def gated(b: Lowering, a: Value, c: Value, function: str) -> Value:
    """The activation of a sum."""
    return activate(b, b.add(a, c), function)


@layer
class Rnn(Layer):
    """state = input(x) + self(state), result = output(state); each of the three is a dense layer with activation."""

    sections = ("rnn",)
    dialects = ALEXEYAB
    flat = True

    output: int = opt(1, "how many numbers come out", low=1, high=MAX_OUTPUTS)
    hidden: int = opt(1, "how many numbers are remembered", low=1, high=MAX_OUTPUTS)
    activation: str = activation("logistic")
    batch_normalize: int = opt(0, "normalize in the inner layers with stored statistics")
    logistic: int = opt(0, "activation of the remembering layer; 1: logistic, 2: loggy, else `activation`")
    shortcut: int = opt(0, "1: add the old state to the new one")

    @property
    def remembered(self) -> int:
        """The length of the state."""
        return self.hidden

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x, n, norm = b.flatten(inputs[0]), self.remembered, self.batch_normalize
        input_ = Gate.declare(b, "input", x.shape[0], n, norm)
        self_ = Gate.declare(b, "self", n, n, norm)
        output = Gate.declare(b, "output", n, self.output, norm)
        old = b.state((n,))
        again = activate(b, self_(b, old), SELF_ACTIVATIONS.get(self.logistic, self.activation))
        new = b.add(activate(b, input_(b, x), self.activation), again)
        new = b.add(old, new) if self.shortcut else new
        b.keep(old, new)
        return b.reshape(activate(b, output(b, new), self.activation), self.output, 1, 1)


@layer
class PjreddieRnn(Rnn):
    """[rnn] that remembers as many numbers as it gives."""

    sections = ("rnn",)
    dialects = PJREDDIE

    @property
    def remembered(self) -> int:
        """The length of the state."""
        return self.output


@layer
class Gru(Layer):
    """A gated recurrent unit, as Darknet has it: z keeps the old state, and the candidate is logistic."""

    sections = ("gru",)
    dialects = ALEXEYAB
    flat = True
    order: ClassVar[tuple[str, ...]] = ("input_z", "input_r", "input_h", "state_z", "state_r", "state_h")

    output: int = opt(1, "how many numbers come out, and are remembered", low=1, high=MAX_OUTPUTS)
    batch_normalize: int = opt(0, "normalize in the inner layers with stored statistics")

    @property
    def candidate(self) -> str:
        """The activation of what may replace the state: gru_layer.c is built without USET."""
        return "logistic"

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x, n = b.flatten(inputs[0]), self.output
        gates = {
            name: Gate.declare(b, name, x.shape[0] if name.startswith("input") else n, n, self.batch_normalize)
            for name in self.order
        }
        old = b.state((n,))
        z = gated(b, gates["input_z"](b, x), gates["state_z"](b, old), "logistic")
        r = gated(b, gates["input_r"](b, x), gates["state_r"](b, old), "logistic")
        h = gated(b, gates["input_h"](b, x), gates["state_h"](b, b.mul(old, r)), self.candidate)
        new = b.add(b.mul(z, old), b.mul(b.sub(1, z), h))
        b.keep(old, new)
        return new


@layer
class PjreddieGru(Gru):
    """[gru] with the layers on the state first in the file, and a choice of the candidate's activation."""

    sections = ("gru",)
    dialects = PJREDDIE
    order = ("state_z", "state_r", "state_h", "input_z", "input_r", "input_h")

    tanh: int = opt(0, "1: the candidate is a tanh, not logistic")

    @property
    def candidate(self) -> str:
        """The activation of what may replace the state."""
        return "tanh" if self.tanh else "logistic"


@layer
class Lstm(Layer):
    """Long short-term memory: a cell that forgets and takes in, and a gated view of it."""

    sections = ("lstm",)
    dialects = ALEXEYAB
    flat = True
    order: ClassVar[str] = "figo"  # forget, input, candidate, output

    output: int = opt(1, "how many numbers come out, and are remembered", low=1, high=MAX_OUTPUTS)
    batch_normalize: int = opt(0, "normalize in the inner layers with stored statistics")

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x, n, norm = b.flatten(inputs[0]), self.output, self.batch_normalize
        w = {gate: Gate.declare(b, f"w{gate}", n, n, norm) for gate in self.order}
        u = {gate: Gate.declare(b, f"u{gate}", x.shape[0], n, norm) for gate in self.order}
        hidden, cell = b.state((n,)), b.state((n,))
        functions = {"f": "logistic", "i": "logistic", "g": "tanh", "o": "logistic"}
        f, i, g, o = (gated(b, w[k](b, hidden), u[k](b, x), function) for k, function in functions.items())
        new_cell = b.add(b.mul(f, cell), b.mul(i, g))
        new_hidden = b.mul(o, b.op("tanh", new_cell))
        b.keep(hidden, new_hidden)
        b.keep(cell, new_cell)
        return b.reshape(new_hidden, n, 1, 1)


@layer
class PjreddieLstm(Lstm):
    """[lstm] with the gates in pjreddie's order (parser.c load_weights_upto)."""

    sections = ("lstm",)
    dialects = PJREDDIE
    order = "ifog"
