"""[upsample], and the layers that trade height and width for channels: [reorg] in three meanings, and [reorg3d].

Decision: both of Darknet's reorgs are one function, its `reorg_cpu`, called with different sizes. The regular case is a
transposition; where Darknet's indices run across channels, the same numbers are gathered one by one.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from ...errors import Code
from ...ir.graph import Value
from ...ir.ops import Shape
from ..cfg.options import opt
from .channels import Channels, Flow, joined
from .layer import Layer, LayerError, Spelling, image, layer, unspeakable
from .lowering import Lowering

MAX_STRIDE = 4096
MAX_GATHERED = 1 << 22  # numbers that are moved one by one


@layer
class Upsample(Layer):
    """Each pixel `stride` times across and down, times `scale`; a negative stride sums -stride x -stride pixels."""

    sections = ("upsample",)

    stride: int = opt(2, "factor; negative: make the image smaller", low=-MAX_STRIDE, high=MAX_STRIDE)
    scale: float = opt(1.0, "factor of every value")

    def window(self) -> str:
        return f"{self.stride:7d}x"

    def word(self) -> str:
        return f"upsample ×{self.stride}"

    @property
    def pitch(self) -> tuple[Fraction, Fraction]:
        factor = Fraction(1, self.stride) if self.stride > 0 else Fraction(-self.stride or 1)
        return factor, factor

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        uneven = self.stride < 0 and any(n % -self.stride for n in c.shapes[0][1:])
        return super().channels(c, *inputs) if uneven else inputs[0]

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        image(inputs[0])
        if self.stride == 0:
            raise LayerError(Code.OUT_OF_RANGE, "a stride of 0 leaves nothing", "stride")
        if self.stride < 0:
            return self._sums(b, inputs[0], -self.stride)
        y = b.op("upsample", inputs[0], scale=(self.stride, self.stride))
        return y if self.scale == 1 else b.mul(y, self.scale)

    def _sums(self, b: Lowering, x: Value, stride: int) -> Value:
        channels, height, width = x.shape[0], x.shape[1] // stride, x.shape[2] // stride
        x = _prefix(b, x, (channels, height * stride, width * stride))
        means = b.op("avg_pool", x, kernel=(stride, stride), strides=(stride, stride), pads=(0, 0, 0, 0))
        return b.mul(means, self.scale * stride * stride)


@layer
class Reorg(Layer):
    """Pixels to channels in Darknet's historical order (reorg_old_layer.c), which YOLOv2's weights expect."""

    sections = ("reorg",)
    dialects = ("alexeyab",)

    stride: int = opt(1, "factor by which height and width shrink", low=1, high=MAX_STRIDE)
    reverse: int = opt(0, "1: channels to pixels")

    @property
    def pitch(self) -> tuple[Fraction, Fraction]:
        factor = Fraction(1, self.stride) if self.reverse else Fraction(self.stride)
        return factor, factor

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        shape = image(inputs[0])
        return reorg(b, inputs[0], shape, _reorged(shape, self.stride, self.reverse), self.stride, self.reverse)


@layer
class PjreddieReorg(Reorg):
    """Pixels to channels in the historical order; or with `flatten` channels last, with `extra` a longer vector."""

    sections = ("reorg",)
    dialects = ("pjreddie",)

    flatten: int = opt(0, "1: write the channels of each pixel next to each other instead")
    extra: int = opt(0, "write the input unchanged and this many zeros instead", low=0, high=1 << 30)

    def spelled(self, *inputs: Shape) -> Spelling:
        if self.flatten or self.extra:
            raise unspeakable("it has no such option", "extra" if self.extra else "flatten")
        return Spelling()

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x = inputs[0]
        shape = image(x)
        if self.extra and self.flatten:
            raise LayerError(Code.UNDEFINED, "extra with flatten: Darknet reads out of bounds", "extra")
        if self.extra:
            return b.concat([b.flatten(x), b.const(np.broadcast_to(np.float32(0), (self.extra,)))])
        if not self.flatten:
            return super().lower(b, x)
        out = _reorged(shape, self.stride, self.reverse)
        if math.prod(out) != math.prod(shape):
            message = f"{shape} does not divide evenly by stride {self.stride}: Darknet flattens out of bounds"
            raise LayerError(Code.UNDEFINED, message, "flatten")
        size = shape[1] * shape[2]
        rows = b.reshape(x, *((size, shape[0]) if self.reverse else (shape[0], size)))
        return b.reshape(b.op("transpose", rows, order=(1, 0)), *out)


@layer
class Reorg3d(Layer):
    """Pixels to channels: block (dy, dx) holds the pixels at that offset in each stride x stride square."""

    sections = ("reorg3d",)
    dialects = ("alexeyab",)

    stride: int = opt(1, "factor by which height and width shrink", low=1, high=MAX_STRIDE)
    reverse: int = opt(0, "1: channels to pixels")

    @property
    def pitch(self) -> tuple[Fraction, Fraction]:
        factor = Fraction(1, self.stride) if self.reverse else Fraction(self.stride)
        return factor, factor

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        if self.reverse or any(n % self.stride for n in c.shapes[0][1:]):
            return super().channels(c, *inputs)  # in memory of another shape
        return joined(list(inputs) * self.stride**2)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        out = _reorged(image(inputs[0]), self.stride, self.reverse)
        return reorg(b, inputs[0], out, out, self.stride, self.reverse)


@layer
class TorchReorg(Layer):
    """The pixels at offsets (0, 0), (1, 0), (0, 1), (1, 1) down and across of each 2x2 square, along the channels.

    YOLOv5's Focus (utils/layers.py Reorg); the stride is always 2.
    """

    sections = ("reorg",)
    dialects = ("pytorch",)

    @property
    def pitch(self) -> tuple[Fraction, Fraction]:
        return Fraction(2), Fraction(2)

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        return joined([inputs[0]] * 4)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        _, height, width = image(inputs[0])
        if height % 2 or width % 2:
            raise LayerError(Code.BAD_SHAPE, f"{width} x {height} pixels do not come in squares of 2 x 2")
        rows = [b.slice(inputs[0], 1, dy, height, 2) for dy in (0, 1)]
        return b.concat([b.slice(rows[dy], 2, dx, width, 2) for dx in (0, 1) for dy in (0, 1)])


def _reorged(shape: Shape, stride: int, reverse: int) -> Shape:
    """The shape that Darknet gives a reorg of `shape`."""
    c, h, w = shape
    square = stride * stride
    out = (c // square, h * stride, w * stride) if reverse else (c * square, h // stride, w // stride)
    if 0 in out:
        raise LayerError(Code.BAD_SHAPE, f"stride {stride} leaves nothing of {shape}", "stride")
    return out


def reorg(b: Lowering, x: Value, packed: Shape, out: Shape, stride: int, reverse: int) -> Value:
    """Move x between a `packed` (c, h, w) and its spread (c / stride², h * stride, w * stride), both flat memory.

    Darknet's blas.c reorg_cpu: packed from spread, or the other way round if `reverse`; the result is read as `out`.
    """
    c, h, w = packed
    inner = c // (stride * stride)
    if not inner:
        message = f"{c} channels are fewer than stride x stride: Darknet divides by 0"
        raise LayerError(Code.BAD_SHAPE, message, "stride")
    if c % (stride * stride) or math.prod(out) < math.prod(packed):
        return _gathered(b, x, packed, out, stride, reverse)
    if stride == 1:
        return x
    if reverse:
        blocks = b.reshape(_prefix(b, x, packed), stride, stride, inner, h, w)
        return b.reshape(b.op("transpose", blocks, order=(2, 3, 0, 4, 1)), *out)
    blocks = b.reshape(_prefix(b, x, packed), inner, h, stride, w, stride)
    return b.reshape(b.op("transpose", blocks, order=(2, 4, 0, 1, 3)), *out)


def _gathered(b: Lowering, x: Value, packed: Shape, out: Shape, stride: int, reverse: int) -> Value:
    """The indices of reorg_cpu one by one, where they cross channels: in bounds that is a result, else an error."""
    c, h, w = packed
    if max(math.prod(x.shape), math.prod(out)) > MAX_GATHERED:
        raise LayerError(Code.TOO_LARGE, f"{x.shape} is too large for a reorg that mixes channels", "stride")
    inner = c // (stride * stride)
    offset, channel = np.divmod(np.arange(c), inner)
    down = np.arange(h) * stride + offset[:, None] // stride
    across = np.arange(w) * stride + offset[:, None] % stride
    spread = across[:, None, :] + w * stride * (down + h * stride * channel[:, None])[:, :, None]
    spread = spread.ravel()
    read, written = (np.arange(spread.size), spread) if reverse else (spread, np.arange(spread.size))
    size, wanted = math.prod(x.shape), math.prod(out)
    if read.max() >= size or written.max() >= wanted:
        message = f"{x.shape} does not divide evenly by stride {stride}: Darknet writes out of bounds"
        raise LayerError(Code.UNDEFINED, message, "stride")
    indices = np.full(wanted, size)  # what nobody writes stays 0
    indices[written] = read  # the last write wins
    flat = b.flatten(x)
    if indices.max() == size:
        flat = b.concat([flat, b.const([0.0])])
    b.warn(Code.SUSPICIOUS, f"{c} channels are not a multiple of stride x stride: channels get mixed", "stride")
    return b.reshape(b.op("gather", flat, axis=0, indices=tuple(indices.tolist())), *out)


def _prefix(b: Lowering, x: Value, shape: Shape) -> Value:
    """The first numbers of x in memory under another shape: how Darknet reads an image that does not divide evenly."""
    if math.prod(shape) == math.prod(x.shape):
        return x
    if not math.prod(shape):
        raise LayerError(Code.BAD_SHAPE, f"the stride leaves nothing of {x.shape}", "stride")
    return b.reshape(b.slice(b.flatten(x), 0, 0, math.prod(shape)), *shape)
