"""Pooling: [maxpool] and its Maxout over channels, [local_avgpool], [avgpool]; windows begin at -(padding / 2).

Decision: only the padding that a window touches is emitted, so the common 2x2 / 2 on an even image needs none at all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np

from ...errors import Code
from ...ir.graph import Value
from ...ir.ops import Pads, Pair, Shape
from ..cfg.options import opt
from .channels import Channels, Flow
from .convolutional import blur
from .layer import Columns, Layer, LayerError, Lowered, Spelling, image, layer, unspeakable
from .lowering import Lowering
from .training import unused

MAX_WINDOW = 4096


@dataclass(frozen=True)
class AxisWindows:
    """The windows along one axis: how many there are, and how far they reach beyond the image on either side."""

    count: int
    before: int
    after: int
    outside: bool  # a window touches nothing of the image

    @classmethod
    def of(cls, length: int, size: int, stride: int, padding: int) -> AxisWindows:
        """The windows of maxpool_layer.c; its division truncates, so a window may hang over the far edge."""
        count = int((length + padding - size) / stride) + 1
        before = padding // 2
        reach = (count - 1) * stride - before
        if count < 1 or length + padding < 1:
            raise LayerError(Code.BAD_SHAPE, f"a window of {size} does not fit into {length} + {padding}", "size")
        return cls(count, before, max(0, reach + size - length), before >= size or reach >= length)


@layer
class Pooling(Layer):
    """What is said of everything that pools."""

    def darknet_operations(self, x: Lowered) -> float:
        # before a blur, and with all input channels: maxpool_layer.c counts so for maxpool_depth too
        pooled = next((op.output.shape for op in x.ops if op.kind in ("max_pool", "avg_pool")), x.output)
        return (self.columns().size or 1) ** 2 * math.prod((*x.first[:1], *pooled[1:]))

    def paper_operations(self, x: Lowered) -> int:
        if self.family == "average pool":
            return 0
        pools = [op for op in x.ops if op.kind == "max_pool"]
        if not pools:
            return x.read  # Maxout: maxpool_layer.c counts its input channels
        return sum(math.prod((*op.attrs["kernel"], *op.output.shape)) for op in pools)

    @property
    def pitch(self) -> tuple[Fraction, Fraction]:
        down, across = self.columns().strides or (1, 1)
        return Fraction(down), Fraction(across)

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        return inputs[0]

    def word(self) -> str:
        size, strides = self.columns().size, self.columns().strides
        if strides is None:
            return ""
        kind = "maxpool" if self.family == "max pool" else "avgpool"
        down, across = strides
        step = f"{down}" if down == across else f"{down}×{across}"
        return f"{kind} {size}" + (f"/{step}" if step != "1" else "")


@layer
class Window(Pooling):
    """The windows that all of Darknet's pooling layers share."""

    stride: int = opt(1, "step between windows", low=1, high=MAX_WINDOW)
    size: int | None = opt(None, "height and width of a window; default: stride", low=1, high=MAX_WINDOW)
    padding: int | None = opt(None, "both sides together; default: size - 1", low=0, high=MAX_WINDOW)

    @property
    def strides(self) -> Pair:
        """The step (down, across)."""
        return self.stride, self.stride

    @property
    def side(self) -> int:
        """Height and width of a window."""
        return self.stride if self.size is None else self.size

    def columns(self) -> Columns:
        return replace(super().columns(), size=self.side)

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        strides = (1, 1) if getattr(self, "antialiasing", 0) else self.strides
        return inputs[0].after(not any(w.outside for w in self._windows(c.shapes[0], strides)))

    def _windows(self, shape: Shape, strides: Pair) -> tuple[AxisWindows, ...]:
        size = self.side
        padding = size - 1 if self.padding is None else self.padding
        return tuple(AxisWindows.of(n, size, s, padding) for n, s in zip(shape[1:], strides, strict=True))

    def pool(self, b: Lowering, x: Value, kind: str, strides: Pair) -> Value:
        """Pool with `kind`, a primitive; an average without anything to average is an error."""
        size = self.side
        rows, columns = self._windows(image(x), strides)
        if kind == "avg_pool" and (rows.outside or columns.outside):
            raise LayerError(Code.UNDEFINED, "a window wholly outside the image: Darknet divides 0 by 0", "padding")
        pads: Pads = (rows.before, columns.before, rows.after, columns.after)
        return b.op(kind, x, kernel=(size, size), strides=strides, pads=pads)


@layer
class Strided(Window):
    """Windows whose step may differ down and across."""

    stride_x: int | None = opt(None, "horizontal step; default: stride", low=1, high=MAX_WINDOW)
    stride_y: int | None = opt(None, "vertical step; default: stride", low=1, high=MAX_WINDOW)

    @property
    def strides(self) -> Pair:
        """The step (down, across)."""
        return self.stride_y or self.stride, self.stride_x or self.stride


@layer
class Maxpool(Strided):
    """The largest value under each window; with `maxpool_depth`, Maxout over groups of channels instead."""

    sections = ("maxpool", "max")
    dialects = ("alexeyab",)
    family = "max pool"
    short = "max"

    maxpool_depth: int = opt(0, "1: Maxout, the maximum over channels; windows are ignored")
    out_channels: int = opt(1, "channels that Maxout leaves", low=1)
    antialiasing: int = opt(0, "not 0: pool at stride 1, then blur with a 3x3 binomial; 2: a 2x2 box")
    maxpool_zero_nonmax: int = unused(0, "1: Darknet's GPU code zeroes what is not the largest of its own input")

    @property
    def pitch(self) -> tuple[Fraction, Fraction]:
        return (Fraction(1), Fraction(1)) if self.maxpool_depth else super().pitch

    def word(self) -> str:
        return "maxout" if self.maxpool_depth else super().word()

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        if not self.maxpool_depth:
            return super().channels(c, *inputs)
        if self.out_channels > len(inputs[0]):
            return Layer.channels(self, c, *inputs)
        return _largest(c, inputs[0], self.out_channels, ("out_channels",))

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        if self.maxpool_depth:
            return self._maxout(b, inputs[0])
        if not self.antialiasing:
            return self.pool(b, inputs[0], "max_pool", self.strides)
        return blur(b, self.pool(b, inputs[0], "max_pool", (1, 1)), self.antialiasing, self.strides)

    def _maxout(self, b: Lowering, x: Value) -> Value:
        if self.antialiasing:  # forward_maxpool_layer returns before the blur whose shape the next layer reads
            message = "maxpool_depth with antialiasing: Darknet never blurs, and the next layer reads a wrong shape"
            raise LayerError(Code.UNDEFINED, message, "antialiasing")
        channels, height, width = image(x)
        more = self.out_channels - channels
        if more <= 0:
            return maxout(b, x, self.out_channels, "out_channels")
        message = f"there are {channels} channels to choose {self.out_channels} from: the rest is -FLT_MAX"
        b.warn(Code.SUSPICIOUS, message, "out_channels")
        return b.concat([x, b.const(np.broadcast_to(np.finfo(np.float32).min, (more, height, width)))])


@layer
class PjreddieMaxpool(Window):
    """The largest value under each window."""

    sections = ("maxpool", "max")
    dialects = ("pjreddie",)
    family = "max pool"
    short = "max"

    def spelled(self, *inputs: Shape) -> Spelling:
        return Spelling()

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        return self.pool(b, inputs[0], "max_pool", self.strides)


@layer
class LocalAvgpool(Strided):
    """The mean of what lies inside the image under each window."""

    sections = ("local_avgpool", "local_avg")
    dialects = ("alexeyab",)
    family = "average pool"
    short = "avg"

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        return self.pool(b, inputs[0], "avg_pool", self.strides)


@layer
class TorchWindow(Pooling):
    """The windows of WongKinYiu's PyTorch code: (size - 1) / 2 on each side, and no other options (models.py)."""

    size: int = opt(1, "height and width of a window", low=1, high=MAX_WINDOW, required=True)
    stride: int = opt(1, "step between windows", low=1, high=MAX_WINDOW, required=True)

    @property
    def padding(self) -> Pads:
        """Zeros right and below for 2x2 / 1 (`ZeroPad2d`), else (size - 1) / 2 on each side."""
        half = (self.size - 1) // 2
        return (0, 0, 1, 1) if (self.size, self.stride) == (2, 1) else (half, half, half, half)


@layer
class TorchMaxpool(TorchWindow):
    """The largest value under each window; 2x2 / 1 sees zeros beyond the right and lower edge."""

    sections = ("maxpool",)
    dialects = ("pytorch",)
    family = "max pool"
    short = "max"

    def spelled(self, *inputs: Shape) -> Spelling:
        if (self.size, self.stride) == (2, 1):
            raise unspeakable("zeros beyond the edge count here, and Darknet's never win")
        return Spelling(options={"padding": f"{2 * self.padding[0]}"})

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x, pads = inputs[0], self.padding
        image(x)
        if self.size == 2 and self.stride == 1:
            x, pads = b.op("pad", x, pads=pads, value=0.0), (0, 0, 0, 0)
        return b.op("max_pool", x, kernel=(self.size,) * 2, strides=(self.stride,) * 2, pads=pads)


@layer
class TorchLocalAvgpool(TorchWindow):
    """The mean under each window, the zeros outside the image counted in (`nn.AvgPool2d`)."""

    sections = ("local_avgpool",)
    dialects = ("pytorch",)
    family = "average pool"
    short = "avg"

    def spelled(self, *inputs: Shape) -> Spelling:
        if any(self.padding):
            raise unspeakable("zeros beyond the edge are counted here, and Darknet counts what lies inside")
        return Spelling(options={"padding": "0"})

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        x, pads = inputs[0], self.padding
        image(x)
        if any(pads):
            x = b.op("pad", x, pads=pads, value=0.0)
        return b.op("avg_pool", x, kernel=(self.size,) * 2, strides=(self.stride,) * 2, pads=(0, 0, 0, 0))


@layer
class Avgpool(Layer):
    """The mean of each channel, as (channels, 1, 1)."""

    sections = ("avgpool", "avg")
    family = "average pool"
    short = "avg"

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        return inputs[0]

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        image(inputs[0])
        return b.op("reduce_mean", inputs[0], axes=(1, 2))


@layer
class Maxout(Pooling):
    """Channel k of the result is the largest of the channels k, k + out_channels, k + 2 out_channels, …

    Our own section: what `[maxpool] maxpool_depth=1` computes, under the name that the CSPNet paper gives it.
    """

    sections = ("maxout",)
    family = "maxout"

    out_channels: int | None = opt(None, "channels of the result", low=1)
    groups: int | None = opt(None, "the same as out_channels, under the name that [convolutional] has for it", low=1)

    def spelled(self, *inputs: Shape) -> Spelling:
        count = self.groups if self.out_channels is None else self.out_channels
        written = {"maxpool_depth": "1", "out_channels": f"{count}", "size": "1", "stride": "1", "groups": None}
        return Spelling("maxpool", written)

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        keys = tuple(key for key in ("out_channels", "groups") if getattr(self, key) is not None)
        return _largest(c, inputs[0], getattr(self, keys[0]), keys)

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        given = {n for n in (self.out_channels, self.groups) if n is not None}
        if not given:
            raise LayerError(Code.MISSING_OPTION, "needs 'out_channels': channels of the result")
        if len(given) > 1:
            message = f"out_channels={self.out_channels} and groups={self.groups} name the same thing"
            raise LayerError(Code.OVERRIDDEN, message, "groups", "remove one of them")
        return maxout(b, inputs[0], given.pop(), "groups" if self.out_channels is None else "out_channels")


def _largest(c: Channels, x: Flow, count: int, keys: tuple[str, ...]) -> Flow:
    """The channels of Maxout: each is the largest of those at its distance, which go with it."""
    for place in range(count):
        c.tie(*x.ids[place::count])
    for key in keys:
        c.number(key, x.ids[:count])
    return Flow(x.ids[:count], tuple(all(x.zero[place::count]) for place in range(count)))


def maxout(b: Lowering, x: Value, out_channels: int, key: str) -> Value:
    """The maximum over strided groups of channels (maxpool_layer.c:245); the last channels need not fill a round."""
    channels = image(x)[0]
    if out_channels > channels:
        message = f"{key}={out_channels} is more than the {channels} channels there are"
        raise LayerError(Code.BAD_SHAPE, f"{message}; Darknet leaves the rest at -FLT_MAX", key)
    rounds, rest = divmod(channels, out_channels)
    y = _largest_part(b, b.slice(x, 0, 0, channels - rest), rounds)
    if not rest:
        return y
    head = b.op("maximum", b.slice(y, 0, 0, rest), b.slice(x, 0, channels - rest, channels))
    return b.concat([head, b.slice(y, 0, rest, out_channels)])


def _largest_part(b: Lowering, x: Value, count: int) -> Value:
    """The maximum of so many equal parts of the channels: halves of them at a time, so that many parts stay few slices.

    Slices and not a table to reduce: these stay in a runtime's blocked layout, and OpenCV before 4.10 has them right.
    """
    if count == 1:
        return x
    half = count // 2 * (x.shape[0] // count)
    y = b.op("maximum", b.slice(x, 0, 0, half), b.slice(x, 0, half, 2 * half))
    y = _largest_part(b, y, count // 2)
    return b.op("maximum", y, b.slice(x, 0, 2 * half, x.shape[0])) if count % 2 else y
