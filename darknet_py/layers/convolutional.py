"""[convolutional]: cross-correlation, batch normalization, activation."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

from ..cfg.options import opt
from ..errors import Code
from ..ir.graph import Value
from ..ir.ops import Pads
from .activations import activate
from .binary import binarized, packed_conv, sign
from .layer import COMMON_INERT, Layer, LayerError, Lowering, activation, image

MAX_CHANNELS = 1 << 20
NO_SHARING = -1_000_000_000  # parser.c parse_convolutional


def batch_norm(b: Lowering, x: Value, scale: Value, bias: Value, mean: Value, variance: Value) -> Value:
    """Batch normalization with the epsilon of the dialect."""
    d = b.dialect
    return b.op("batch_norm", x, scale, bias, mean, variance, epsilon=d.epsilon, outside=d.epsilon_outside)


@dataclass(frozen=True)
class Convolution:
    """A convolution as Darknet's layers own it: [convolutional] itself, and those inside [crnn] and [conv_lstm]."""

    filters: int
    size: int
    strides: tuple[int, int] = (1, 1)
    padding: int = 0
    dilation: int = 1
    groups: int = 1
    batch_normalize: bool = False
    flipped: bool = False
    xnor: bool = False

    def checked(self, channels: int) -> Convolution:
        """Itself, if Darknet can compute it on that many channels, else a `LayerError`."""
        if channels % self.groups or self.filters % self.groups:
            message = f"{self.groups} groups divide neither {channels} channels nor {self.filters} filters evenly"
            raise LayerError(Code.BAD_SHAPE, message, "groups")
        if self.dilation > 1 and 2 * self.padding != self.size - 1:
            message = "a dilated convolution whose padding is not (size - 1) / 2: Darknet reads out of bounds"
            raise LayerError(Code.UNDEFINED, message, "dilation", "use an odd size with pad=1")
        if self.size == 1 and self.padding:
            message = "a 1x1 convolution with padding: Darknet reads out of bounds"
            raise LayerError(Code.UNDEFINED, message, "padding", "remove the padding")
        if self.flipped and self.groups > 1:
            message = "flipped weights in groups: Darknet reads out of bounds"
            raise LayerError(Code.UNDEFINED, message, "flipped")
        return self

    def declare(self, b: Lowering, channels: int, prefix: str = "") -> dict[str, Value]:
        """Declare the parameters in file order (parser.c load_convolutional_weights)."""
        n, k = self.filters, self.size
        roles = ["biases", *(("scales", "mean", "variance") if self.batch_normalize else ())]
        params = {role: b.param(prefix + role, (n,)) for role in roles}
        shape = (n, channels // self.groups, k, k)
        params["weights"] = b.param(prefix + "weights", shape, transposed=self.flipped)
        return params

    def apply(self, b: Lowering, x: Value, params: dict[str, Value]) -> Value:
        """Convolve, then normalize; no activation."""
        if self.xnor and b.dialect.packs_bits:
            return packed_conv(b, x, params, self.strides, self.padding)
        weights = params["weights"]
        if self.xnor:
            x, weights = sign(b, x), binarized(b, weights)
        p = self.padding * self.dilation
        attrs = dict(strides=self.strides, pads=(p, p, p, p), dilations=(self.dilation,) * 2, groups=self.groups)
        if not self.batch_normalize:
            return b.op("conv", x, weights, params["biases"], **attrs)
        y = b.op("conv", x, weights, **attrs)
        return batch_norm(b, y, params["scales"], params["biases"], params["mean"], params["variance"])


@dataclass(frozen=True)
class Kernels(Layer):
    """The options of a convolution that every dialect knows."""

    filters: int = opt(1, "number of kernels", low=1, high=MAX_CHANNELS)
    size: int = opt(1, "height and width of a kernel", low=1, high=4096)
    stride: int = opt(1, "step between windows", low=1, high=4096)
    groups: int = opt(1, "groups of channels that do not see each other", low=1)
    pad: bool = opt(False, "pad with size / 2 zeros on each side")
    padding: int = opt(0, "zeros on each side, where pad is 0", low=0, high=4096)
    batch_normalize: int = opt(0, "normalize the result with stored statistics")
    activation: str = activation("logistic")
    flipped: int = opt(0, "weights are stored transposed")
    xnor: int = opt(0, "binarize input and weights")


@dataclass(frozen=True)
class Convolutional(Kernels):
    """`filters` kernels of size x size over an image, then batch normalization and activation."""

    sections = ("convolutional", "conv")
    dialects = ("alexeyab", "pytorch")
    inert = COMMON_INERT | frozenset(
        """
        assisted_excitation binary sway rotate stretch stretch_sway angle dot grad_centr reverse coordconv
        stream wait_stream
        """.split()
    )

    stride_x: int = opt(-1, "horizontal step; default: stride")
    stride_y: int = opt(-1, "vertical step; default: stride")
    dilation: int = opt(1, "distance between the taps of a kernel; 1 where size is 1", low=1, high=4096)
    cbn: int = opt(0, "cross-iteration batch normalization: batch_normalize=2")
    antialiasing: int = opt(0, "1: blur with a 3x3 binomial at the stride, 2: with a 2x2 box", low=0, high=2)
    share_index: int = opt(NO_SHARING, "use the parameters of that layer; negative counts back")
    bin_output: int = opt(0, "with xnor: the next layer reads bits, and no activation is applied")

    @property
    def strides(self) -> tuple[int, int]:
        """The step (down, across)."""
        return tuple(s if s >= 1 else self.stride for s in (self.stride_y, self.stride_x))  # type: ignore[return-value]

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = inputs[0]
        channels, _, _ = image(x)
        core = self._core(b, channels)
        params = self._shared(b, core, channels) if self.share_index != NO_SHARING else core.declare(b, channels)
        # network.c calculate_binary_weights takes the activation off; bits need none.
        bits_out = self.xnor and self.bin_output and b.dialect.packs_bits
        y = activate(b, core.apply(b, x, params), "linear" if bits_out else self.activation)
        return blur(b, y, self.antialiasing, self.strides) if self.antialiasing else y

    def _core(self, b: Lowering, channels: int) -> Convolution:
        core = Convolution(
            self.filters, self.size, (1, 1) if self.antialiasing else self.strides,
            self.size // 2 if self.pad else self.padding, 1 if self.size == 1 else self.dilation, self.groups,
            bool(self.batch_normalize or self.cbn), bool(self.flipped),
        ).checked(channels)  # fmt: skip
        return self._binary(b, core) if self.xnor else core

    def _binary(self, b: Lowering, core: Convolution) -> Convolution:
        """The convolution with `xnor`, where Darknet's bits can hold it."""
        if not b.dialect.packs_bits:
            return replace(core, xnor=True)
        other = "groups" if self.groups > 1 else "antialiasing" if self.antialiasing else None
        if other:
            message = f"xnor with {other}: Darknet reads out of bounds"
            raise LayerError(Code.UNDEFINED, message, other, "remove one of them")
        if core.strides[0] != core.strides[1]:
            b.warn(Code.NO_EFFECT, "xnor has no effect where stride_x and stride_y differ", "xnor")
            return core
        if core.dilation > 1:
            b.warn(Code.NO_EFFECT, "dilation has no effect with xnor", "dilation")
        return replace(core, xnor=True, dilation=1)

    def _shared(self, b: Lowering, core: Convolution, channels: int) -> dict[str, Value]:
        index = self.share_index if self.share_index >= 0 else b.index + self.share_index
        if not 0 <= index < b.index:
            raise LayerError(Code.BAD_REFERENCE, f"there is no layer {index} before this one", "share_index")
        params = b.params_of(index)
        wanted = (core.filters, channels // core.groups, core.size, core.size)
        if "weights" not in params or params["weights"].shape != wanted:
            got = params["weights"].shape if "weights" in params else "no weights of its own"
            message = f"layer {index} has {got}, and this one wants weights of shape {wanted}"
            hint = "pjreddie's Darknet does not know share_index; see --dialect"
            raise LayerError(Code.BAD_SHAPE, message, "share_index", hint)
        if core.batch_normalize != ("scales" in params):
            message = f"layer {index} and this one must agree on batch_normalize"
            raise LayerError(Code.BAD_SHAPE, message, "share_index")
        return params


@dataclass(frozen=True)
class PjreddieConvolutional(Kernels):
    """[convolutional] without what AlexeyAB added to it (pjreddie's parser.c parse_convolutional)."""

    sections = ("convolutional", "conv")
    dialects = ("pjreddie",)
    inert = COMMON_INERT | {"binary", "dot"}

    @property
    def strides(self) -> tuple[int, int]:
        """The step (down, across)."""
        return self.stride, self.stride

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        return Convolutional(**{f.name: getattr(self, f.name) for f in fields(self)}).lower(b, *inputs)


def blur(b: Lowering, x: Value, kind: int, strides: tuple[int, int]) -> Value:
    """The low-pass filter of `antialiasing`: 1 a 3x3 binomial with padding, 2 a 2x2 box without."""
    kernel = np.outer([1, 2, 1], [1, 2, 1]) / 16 if kind == 1 else np.full((2, 2), 0.25)
    channels, p = x.shape[0], int(kind == 1)
    weights = b.const(np.broadcast_to(kernel, (channels, 1, *kernel.shape)))
    pads: Pads = (p, p, p, p)
    return b.op("conv", x, weights, strides=strides, pads=pads, groups=channels)
