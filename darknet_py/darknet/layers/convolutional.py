"""[convolutional]: cross-correlation, batch normalization, activation."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from fractions import Fraction

import numpy as np

from ...errors import Code
from ...ir.graph import Value
from ...ir.ops import Pads, Shape
from ..cfg.options import opt
from .activations import NOT_ZERO_AT_ZERO, SUMS_OF_CHANNELS, activate
from .binary import binarized, packed_conv, sign
from .channels import Channels, Flow
from .layer import Layer, LayerError, Lowered, Spelling, activation, image, layer, unspeakable
from .lowering import Lowering
from .training import train, unused

MAX_CHANNELS = 1 << 20
NO_SHARING = -1_000_000_000  # parser.c parse_convolutional


def batch_norm(b: Lowering, x: Value, scale: Value, bias: Value, mean: Value, variance: Value) -> Value:
    """Batch normalization with the epsilon of the dialect."""
    d = b.dialect
    return b.op("batch_norm", x, scale, bias, mean, variance, epsilon=d.epsilon, outside=d.epsilon_outside)


def no_room_to_pad() -> LayerError:
    """What a padded 1x1 convolution deserves whose im2col Darknet skips."""
    message = "a 1x1 convolution with padding: Darknet reads out of bounds"
    return LayerError(Code.UNDEFINED, message, "padding", "remove the padding")


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

    def checked(self, shape: tuple[int, int, int]) -> Convolution:
        """Itself, if Darknet can compute it on an image of that shape, else a `LayerError`."""
        channels, *lengths = shape
        if channels % self.groups or self.filters % self.groups:
            message = f"{self.groups} groups divide neither {channels} channels nor {self.filters} filters evenly"
            raise LayerError(Code.BAD_SHAPE, message, "groups")
        if any(self._assumed(n, s) != self._literal(n, s) for n, s in zip(lengths, self.strides, strict=True)):
            message = "a dilated convolution whose padding is not (size - 1) / 2: Darknet reads out of bounds"
            raise LayerError(Code.UNDEFINED, message, "dilation", "use an odd size with pad=1")
        # forward_convolutional_layer skips im2col, and so the padding, where size and stride_x are 1; not for bits.
        if self.size == 1 and self.padding and self.strides[1] == 1 and not self.xnor:
            raise no_room_to_pad()
        return self

    def _assumed(self, length: int, stride: int) -> int:
        """Windows along an axis as convolutional_out_height counts them, which has never heard of dilation."""
        return (length + 2 * self.padding - self.size) // stride + 1

    def _literal(self, length: int, stride: int) -> int:
        """Windows along an axis as im2col_cpu_ext counts them, which dilates padding and kernel."""
        return (length + self.dilation * (2 * self.padding - self.size + 1) - 1) // stride + 1

    def declare(self, b: Lowering, channels: int, prefix: str = "") -> dict[str, Value]:
        """Declare the parameters in file order (parser.c load_convolutional_weights)."""
        n, k = self.filters, self.size
        roles = ["biases", *(("scales", "mean", "variance") if self.batch_normalize else ())]
        params = {role: b.param(prefix + role, (n,)) for role in roles}
        shape = (n, channels // self.groups, k, k)
        params["weights"] = b.param(prefix + "weights", shape, "columns" if self.flipped else "rows")
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


@layer
class Kernels(Layer):
    """The options of a convolution that every dialect knows, and what is said of it."""

    family = "convolution"
    short = "conv"

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
    binary: int = unused(0, "1: Darknet's GPU code binarizes weights; its CPU code does not")
    dot: float = unused(0.0, "without effect in Darknet")

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        (x,) = inputs
        if self.xnor or self.activation in SUMS_OF_CHANNELS:
            return super().channels(c, x)  # a sign of 0 is -1
        made = c.new(self.filters, zero=self.activation not in NOT_ZERO_AT_ZERO)
        c.number("filters", made.ids)
        read = self._grouped(c, x, made) if self.groups > 1 else self._summed(c, x)
        shared = getattr(self, "shared_with", None)
        if shared is not None:
            c.share(x, made, shared if shared >= 0 else c.index + shared)
            return made
        norm = self.batch_normalize or getattr(self, "cbn", 0)
        c.product(x, made, {0: made, **read}, norm=bool(norm))
        return made

    def _summed(self, c: Channels, x: Flow) -> dict[int, Flow]:
        """A convolution over all channels; along which axis of its weights they lie."""
        c.sum(x)
        return {1: x}

    def _grouped(self, c: Channels, x: Flow, made: Flow) -> dict[int, Flow]:
        """A convolution in groups: whole groups go where there are many, else the same places of each."""
        per_read, per_made = len(x) // self.groups, len(made) // self.groups
        if per_read > self.groups:
            c.sum(x)
            c.evenly(x, self.groups)
            c.evenly(made, self.groups)
            return {1: x.part(0, per_read)}
        for g in range(self.groups):  # what a group reads nobody else adds up here: it need not be 0
            c.tie(*x.ids[g * per_read : (g + 1) * per_read], *made.ids[g * per_made : (g + 1) * per_made])
        c.number("groups", x.ids[::per_read])
        return {}

    def darknet_operations(self, x: Lowered) -> float:
        # convolutional_layer.c: 32 operations on bits are one instruction
        return super().darknet_operations(x) / (32 if self.xnor else 1)

    def paper_operations(self, x: Lowered) -> int:
        return 2 * x.macs("conv")

    def window(self) -> str:
        size, (down, across), dilation = self.size, self.columns().strides or (1, 1), self.columns().dilation
        if down != across:
            return f"{size:2d}x{size:2d}/{across:2d}x{down:2d}"
        return f"{size:2d} x{size:2d}/{across:2d}" + (f"({dilation})" if dilation > 1 else "")

    @property
    def pitch(self) -> tuple[Fraction, Fraction]:
        down, across = self.columns().strides or (1, 1)
        return Fraction(down), Fraction(across)

    def word(self) -> str:
        down, _ = self.columns().strides or (1, 1)
        text = f"conv {self.size}×{self.size}" + (f"/{down}" if down > 1 else "")
        if self.groups == 1:
            return text
        return text + (" depthwise" if self.groups == self.filters else f" in {self.groups} groups")


@layer
class Convolutional(Kernels):
    """`filters` kernels of size x size over an image, then batch normalization and activation."""

    sections = ("convolutional", "conv")
    dialects = ("alexeyab", "pytorch")

    groups: int = opt(1, "groups of channels that do not see each other; 1 where it is less, and with xnor")
    stride_x: int | None = opt(None, "horizontal step; default, and where it is less than 1: stride")
    stride_y: int | None = opt(None, "vertical step; default, and where it is less than 1: stride")
    dilation: int = opt(1, "distance between the taps of a kernel; 1 where size is 1", low=1, high=4096)
    cbn: int = opt(0, "cross-iteration batch normalization: batch_normalize=2")
    antialiasing: int = opt(0, "not 0: blur with a 3x3 binomial at the stride; 2: with a 2x2 box")
    share_index: int | None = opt(
        None, "use the parameters of that layer; negative counts back; default: this layer has its own"
    )
    bin_output: int = opt(0, "with xnor: the next layer reads bits, and no activation is applied")
    sway: int = opt(0, "1: train on kernels that sway by `angle`; here only checked")
    rotate: int = opt(0, "1: train on kernels that are rotated; here only checked")
    stretch: int = opt(0, "1: train on kernels that are stretched; here only checked")
    stretch_sway: int = opt(0, "1: train on kernels that are stretched and sway; here only checked")
    angle: float = train(15.0, "how far kernels sway, in degrees")
    grad_centr: int = train(0, "1: gradients of each filter have a mean of 0")
    reverse: float = train(0.0, "not 0: the gradient that goes back is reversed")
    assisted_excitation: float = train(0.0, "iterations at the beginning in which places of objects are amplified")
    coordconv: int = unused(0, "1: Darknet's GPU code writes coordinates into channels; its CPU code does not")
    stream: int = unused(-1, "number of a CUDA stream")
    wait_stream: int = unused(-1, "number of the CUDA stream to wait for")

    @property
    def strides(self) -> tuple[int, int]:
        """The step (down, across)."""
        down, across = (s if s is not None and s >= 1 else self.stride for s in (self.stride_y, self.stride_x))
        return down, across

    @property
    def shared_with(self) -> int | None:
        """The layer whose parameters these are; None: its own."""
        return None if self.share_index == NO_SHARING else self.share_index

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = inputs[0]
        shape = image(x)
        self._check_deformation()
        core = self._core(b, shape)
        if self.shared_with is None:
            params = core.declare(b, shape[0])
        else:
            params = self._shared(b, core, shape[0])
            core = replace(core, batch_normalize="scales" in params)
        # network.c calculate_binary_weights takes the activation off, because bits need none; but parser.c withdraws
        # bin_output from a layer that a later one reads as numbers.
        bits_out = self.xnor and self.bin_output and b.dialect.packs_bits and b.index not in b.read_as_numbers
        y = activate(b, core.apply(b, x, params), "linear" if bits_out else self.activation)
        return blur(b, y, self.antialiasing, self.strides) if self.antialiasing else y

    def _check_deformation(self) -> None:
        """Raise where parser.c parse_convolutional stops, whether it trains or not."""
        used = {k: v for k in ("sway", "rotate", "stretch", "stretch_sway") if (v := getattr(self, k))}
        if sum(used.values()) > 1:
            message = f"{' + '.join(used)} is more than 1: Darknet refuses it"
            raise LayerError(Code.OVERRIDDEN, message, [*used][-1], "keep one of them, and 1")
        if used and self.size == 1:
            raise LayerError(Code.OUT_OF_RANGE, "a 1x1 kernel cannot be turned: Darknet refuses it", [*used][-1])

    def _core(self, b: Lowering, shape: tuple[int, int, int]) -> Convolution:
        core = Convolution(
            self.filters, self.size, (1, 1) if self.antialiasing else self.strides,
            self.size // 2 if self.pad else self.padding, 1 if self.size == 1 else self.dilation, self._groups(b),
            bool(self.batch_normalize or self.cbn), bool(self.flipped),
        )  # fmt: skip
        return (self._binary(b, core) if self.xnor else core).checked(shape)

    def _groups(self, b: Lowering) -> int:
        """The groups that convolutional_layer.c make_convolutional_layer makes of `groups`."""
        if self.groups < 1:
            b.warn(Code.ODD_NUMBER, f"groups={self.groups} means the same as 1", "groups")
            return 1
        if self.xnor and b.dialect.packs_bits and self.groups > 1:
            b.warn(Code.NO_EFFECT, "groups have no effect with xnor: every filter reads all channels", "groups")
            return 1
        return self.groups

    def _binary(self, b: Lowering, core: Convolution) -> Convolution:
        """The convolution with `xnor`, where Darknet's bits can hold it."""
        if not b.dialect.packs_bits:
            return replace(core, xnor=True)
        if self.antialiasing:  # the bits return before the blur whose shape the next layer reads
            message = "xnor with antialiasing: Darknet never blurs, and the next layer reads a wrong shape"
            raise LayerError(Code.UNDEFINED, message, "antialiasing", "remove one of them")
        if core.strides[0] != core.strides[1]:
            b.warn(Code.NO_EFFECT, "xnor has no effect where stride_x and stride_y differ", "xnor")
            return core
        if core.dilation > 1:
            b.warn(Code.NO_EFFECT, "dilation has no effect with xnor", "dilation")
        return replace(core, xnor=True, dilation=1)

    def _shared(self, b: Lowering, core: Convolution, channels: int) -> dict[str, Value]:
        """The parameters of another layer, with its normalization: network.c fuse_conv_batchnorm has folded that."""
        index = self._owner(b)
        params = b.params_of(index)
        wanted = (core.filters, channels // core.groups, core.size, core.size)
        if "weights" not in params or params["weights"].shape != wanted:
            got = params["weights"].shape if "weights" in params else "no weights of its own"
            message = f"layer {index} has {got}, and this one wants weights of shape {wanted}"
            hint = "pjreddie's Darknet does not know share_index; see --dialect"
            raise LayerError(Code.BAD_SHAPE, message, "share_index", hint)
        if core.batch_normalize != ("scales" in params):
            message = (
                f"layer {index} {'has no' if core.batch_normalize else 'has a'} normalization, whatever this one says"
            )
            b.warn(Code.SUSPICIOUS, message, "share_index")
        return params

    def _owner(self, b: Lowering) -> int:
        """The layer whose parameters these are; it may be shared by a layer that is shared."""
        passed: list[int] = []
        index: int | None = b.index
        layer: Layer = self
        while index is not None and isinstance(layer, Convolutional) and layer.shared_with is not None:
            if index in b.owners:
                index = b.owners[index]
                break
            passed.append(index)
            shared = layer.shared_with
            named = shared if shared >= 0 else index + shared
            index = named if 0 <= named < index else None
            layer = layer if index is None else b.layers[index]
        b.owners.update(dict.fromkeys(passed, index))
        if index is None:
            message = f"share_index={self.share_index}: there is no layer before this one whose parameters these are"
            raise LayerError(Code.BAD_REFERENCE, message, "share_index")
        return index


@layer
class PjreddieConvolutional(Kernels):
    """[convolutional] without what AlexeyAB added to it (pjreddie's parser.c parse_convolutional)."""

    sections = ("convolutional", "conv")
    dialects = ("pjreddie",)

    @property
    def strides(self) -> tuple[int, int]:
        """The step (down, across)."""
        return self.stride, self.stride

    def spelled(self, *inputs: Shape) -> Spelling:
        if self.xnor:
            raise unspeakable("it packs bits, which changes what xnor computes", "xnor")
        return Spelling()

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        if self.size == 1 and self.padding and not self.pad:  # this forward skips im2col whatever the stride
            raise no_room_to_pad()
        if self.flipped and self.groups > 1:  # and load_convolutional_weights turns a matrix of all channels
            raise LayerError(Code.UNDEFINED, "flipped weights in groups: Darknet reads out of bounds", "flipped")
        return Convolutional(**{f.name: getattr(self, f.name) for f in fields(self)}).lower(b, *inputs)


def blur(b: Lowering, x: Value, kind: int, strides: tuple[int, int]) -> Value:
    """The low-pass filter of `antialiasing`: 2 is a 2x2 box without padding, any other a 3x3 binomial with it."""
    b.blurred[b.index] = x.shape
    if kind not in (1, 2):
        b.warn(Code.ODD_NUMBER, f"antialiasing={kind} means the same as 1", "antialiasing")
    box = kind == 2  # make_convolutional_layer and make_maxpool_layer look for no other number
    line = (0.5, 0.5) if box else (0.25, 0.5, 0.25)
    kernel = np.asarray([[down * across for across in line] for down in line], np.float32)
    channels, p = x.shape[0], int(not box)
    weights = b.const(np.broadcast_to(kernel, (channels, 1, *kernel.shape)))
    pads: Pads = (p, p, p, p)
    return b.op("conv", x, weights, strides=strides, pads=pads, groups=channels)
