"""[shortcut]: the layer before plus earlier outputs, in the three forms of the three dialects.

Decision: the common channels are added and the rest is left alone, as all three do. Outputs of another height or width
are sampled at a stride as in pjreddie's Darknet: AlexeyAB's build asserts, and the residual networks of both need it.
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
from .layer import Layer, LayerError, Lowered, Spelling, activation, image, layer, unspeakable
from .lowering import Lowering
from .route import need_layers
from .training import unused

SUM_EPSILON = 1e-4  # network.c fuse_conv_batchnorm
RELU_FLOOR = 1e-3  # network.c lrelu: fused weights never fall to 0
MAX_SPREAD = 1 << 24  # pixels of a map that a smaller one is spread over


@layer
class Sum(Layer):
    """What is said of every shortcut."""

    family = "addition"

    def darknet_operations(self, x: Lowered) -> float:
        weighted = x.params > 0  # a product for each number as well
        return (len(x.inputs) - 1) * math.prod(x.output) * (2 if weighted else 1)

    def word(self) -> str:
        return "add"

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        x, *terms = inputs
        zero = list(x.zero)
        for term in terms:
            c.pair(x, term)
            zero[: len(term)] = [a and b for a, b in zip(zero, term.zero, strict=False)]
        activation = getattr(self, "activation", "linear")
        if activation in SUMS_OF_CHANNELS:
            c.stay(x, "an activation across channels")
        return Flow(x.ids, tuple(zero)).after(activation not in NOT_ZERO_AT_ZERO)


@layer
class Shortcut(Sum):
    """The layer before plus the layers `from`, with learned weights if `weights_type` is set, then an activation."""

    sections = ("shortcut",)
    dialects = ("alexeyab",)

    from_: tuple[int, ...] = opt((), "the layers to add; negative counts back", required=True)
    activation: str = activation("linear")
    weights_type: str = opt(
        "none", "weights: one a layer, or one a channel", choices=("none", "per_feature", "per_layer", "per_channel")
    )
    weights_normalization: str = opt(
        "none", "how the weights of one place are made to add up to 1", choices=("none", "relu", "avg_relu", "softmax")
    )

    def references(self) -> tuple[int, ...]:
        return (-1, *self.from_)

    def joined(self) -> tuple[int, ...]:
        return self.from_

    def spelled(self, *inputs: Shape) -> Spelling:
        return _sum(inputs, {})

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        if self.weights_type == "per_channel":
            c.cuts[c.index, "weights"] = {1: inputs[0].ids}
        return super().channels(c, *inputs)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        check_inputs(b, inputs)
        terms = list(inputs)
        if self.weights_type != "none":
            weights = self._weights(b, inputs)
            terms = [_weighted(b, v, w) for v, w in zip(inputs, weights, strict=True)]
        y = terms[0]
        for index, term in zip(self.from_, terms[1:], strict=True):
            self._check(b, index, inputs[0], term)
            y = add_common(b, y, term)
        return activate(b, y, self.activation)

    def _weights(self, b: Lowering, inputs: tuple[Value, ...]) -> list[Value]:
        """The normalized weights of each input, (1, 1, 1) or (channels, 1, 1)."""
        if self.weights_normalization == "none":
            hint = "add weights_normalization=relu or weights_normalization=softmax"
            message = "weights_type without weights_normalization: Darknet refuses it"
            raise LayerError(Code.MISSING_OPTION, message, "weights_type", hint)
        step = inputs[0].shape[0] if self.weights_type == "per_channel" else 1
        w = b.param("weights", (len(inputs), step))
        if self.weights_normalization == "softmax":
            positive = b.op("exp", b.sub(w, b.op("reduce_max", w, axes=(0,))))
        else:
            positive = b.op("maximum", w, RELU_FLOOR)
        share = b.op("div", positive, b.add(b.op("reduce_sum", positive, axes=(0,)), SUM_EPSILON))
        return [b.reshape(b.slice(share, 0, i, i + 1), step, 1, 1) for i in range(len(inputs))]

    def _check(self, b: Lowering, reference: int, x: Value, term: Value) -> None:
        if x.shape[1:] != term.shape[1:]:
            message = f"layer {reference} is {_size(term)} and the layer before {_size(x)}: it is sampled at a stride"
            b.warn(Code.SUSPICIOUS, message, "from", "AlexeyAB's Darknet stops here, pjreddie's samples")
            b.sampled = b.sampled or b.warnings[-1]
            return
        if self.weights_type != "none" or len(self.from_) > 1 or term.shape[0] >= x.shape[0]:
            return
        index = reference if reference >= 0 else b.index + reference
        if _input_shape(b, index) == x.shape:  # forward_shortcut_layer compares the wrong end
            message = (
                f"layer {reference} makes {term.shape[0]} channels of {x.shape[0]}, and the layer before has as many as"
                " it reads: Darknet adds what lies after its output in memory"
            )
            raise LayerError(Code.UNDEFINED, message, "from")


@layer
class PjreddieShortcut(Sum):
    """`alpha` times the layer before plus `beta` times the layer `from`, where that has a value; then an activation."""

    sections = ("shortcut",)
    dialects = ("pjreddie",)

    from_: int = opt(0, "the layer to add; negative counts back", required=True)
    activation: str = activation("linear")
    alpha: float = opt(1.0, "factor of the layer before")
    beta: float = opt(1.0, "factor of the layer that is added")

    def references(self) -> tuple[int, ...]:
        return (-1, self.from_)

    def spelled(self, *inputs: Shape) -> Spelling:
        if (self.alpha, self.beta) != (1, 1):
            raise unspeakable("it adds without factors", "beta" if self.alpha == 1 else "alpha")
        return _sum(inputs, {"alpha": None, "beta": None})

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        check_inputs(b, inputs)
        term = inputs[1] if self.beta == 1 else b.mul(inputs[1], self.beta)
        return activate(b, add_common(b, inputs[0], term, self.alpha), self.activation)


@layer
class TorchShortcut(Sum):
    """The layer before plus the layers `from`; any `weights_type` means a factor 2 sigmoid(w) / n for each of the n.

    A weights file holds them in the place of the layer; the code's own converter (models.py) leaves them out.
    """

    sections = ("shortcut",)
    dialects = ("pytorch",)

    from_: tuple[int, ...] = opt((), "the layers to add; negative counts back", required=True)
    weights_type: str | None = opt(None, "anything: weigh the inputs")
    activation: str = unused("linear", "without effect in the PyTorch code (utils/layers.py WeightedFeatureFusion)")
    weights_normalization: str = unused("none", "without effect in the PyTorch code")

    def references(self) -> tuple[int, ...]:
        return (-1, *self.from_)

    def spelled(self, *inputs: Shape) -> Spelling:
        if self.weights_type is not None:
            raise unspeakable("its weights add up to 1, and these do not", "weights_type")
        return _sum(inputs, {"activation": "linear"})

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        check_inputs(b, inputs)
        if any(v.shape[1:] != inputs[0].shape[1:] for v in inputs):
            raise LayerError(Code.BAD_SHAPE, f"{' + '.join(map(_size, inputs))} differ in height or width", "from")
        terms = list(inputs)
        if self.weights_type is not None:
            n = len(inputs)
            w = b.mul(b.op("sigmoid", b.param("weights", (n, 1))), 2 / n)
            terms = [b.mul(v, b.reshape(b.slice(w, 0, i, i + 1), 1, 1, 1)) for i, v in enumerate(inputs)]
        y = terms[0]
        for term in terms[1:]:
            y = add_common(b, y, term)
        return y


def _sum(inputs: tuple[Shape, ...], options: dict[str, str | None]) -> Spelling:
    """How a sum of these shapes is written."""
    if len({shape[1:] for shape in inputs}) > 1:
        raise unspeakable("it stops where the inputs differ in height and width", "from")
    return Spelling(options=options)


def check_inputs(b: Lowering, inputs: tuple[Value, ...]) -> None:
    """Raise `LayerError` unless all inputs are images, and earlier layers."""
    need_layers(b, "from")
    image(inputs[0])
    if any(len(v.shape) != 3 for v in inputs):
        raise LayerError(Code.NOT_AN_IMAGE, "a layer in 'from' gives numbers without a shape", "from")


def add_common(b: Lowering, x: Value, term: Value, alpha: float = 1.0) -> Value:
    """`alpha * x + term` where both have a value, else x (pjreddie's blas.c shortcut_cpu).

    A larger term is read, a smaller one spread, at the integer ratio of the sizes.
    """
    (channels, *size), common = x.shape, min(x.shape[0], term.shape[0])
    term = b.slice(term, 0, 0, common)
    where = None
    if term.shape[1:] != x.shape[1:]:
        term, where = _resampled(b, term, size[0], size[1])
    head = b.slice(x, 0, 0, common)
    if alpha != 1:
        factor = alpha if where is None else b.const(1 + (alpha - 1) * where)
        head = b.mul(head, factor)
    y = b.add(head, term)
    return y if common == channels else b.concat([y, b.slice(x, 0, common, channels)])


def _resampled(b: Lowering, term: Value, height: int, width: int) -> tuple[Value, np.ndarray]:
    """The term at another size, and a (1, height, width) map of the places where it has a value."""
    _, h, w = term.shape
    stride, sample = w // width, width // w
    if (stride, sample) != (h // height, height // h):
        message = f"{w} x {h} and {width} x {height} are not at one ratio in height and width"
        raise LayerError(Code.BAD_SHAPE, message, "from")
    stride, sample = max(stride, 1), max(sample, 1)
    rows, columns = min(h, height), min(w, width)
    term = b.slice(term, 1, 0, (rows - 1) * stride + 1, stride)
    term = b.slice(term, 2, 0, (columns - 1) * stride + 1, stride)
    if height * width > MAX_SPREAD:
        raise LayerError(Code.TOO_LARGE, f"{width} x {height} is too large to be filled from {w} x {h}", "from")
    where = np.zeros((1, height, width), np.float32)
    where[:, : rows * sample : sample, : columns * sample : sample] = 1
    if sample > 1:
        term = b.op("upsample", term, scale=(sample, sample))
    below, right = height - term.shape[1], width - term.shape[2]
    if below or right:
        term = b.op("pad", term, pads=(0, 0, below, right), value=0.0)
    return (b.mul(term, b.const(where)) if sample > 1 else term), where


def _weighted(b: Lowering, x: Value, w: Value) -> Value:
    """The input times its weights; with fewer channels than weights it takes the first, with more it loses channels."""
    common = min(x.shape[0], w.shape[0]) if w.shape[0] > 1 else x.shape[0]
    return b.mul(b.slice(x, 0, 0, common), b.slice(w, 0, 0, min(common, w.shape[0])))


def _input_shape(b: Lowering, index: int) -> tuple[int, ...] | None:
    """The shape that a layer reads from the layer before it; None where it reads something else, or hands it on."""
    if b.layers[index].references() != (-1,):
        return None
    before = b.outputs[index - 1] if index else b.image
    return None if before is None or b.outputs[index] is before else before.shape


def _size(x: Value) -> str:
    return f"{x.shape[2]} x {x.shape[1]}"
