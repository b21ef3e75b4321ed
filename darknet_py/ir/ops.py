"""The primitives: a closed set of tensor operations, each with its shape rule and its cost.

Decision: layers are lowered to these and nothing else, so an executor is one table from primitive to kernel, and a new
layer costs no executor anything. Shapes are those of one sample: the batch axis is in front, and symbolic.
Inputs come first and positional, attributes are keywords; the signature of a rule is the schema of its primitive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from inspect import signature
from typing import Any

Shape = tuple[int, ...]
Pads = tuple[int, int, int, int]  # top, left, bottom, right, as in ONNX
Pair = tuple[int, int]  # (y, x)


class ShapeError(ValueError):
    """Operands or attributes that a primitive cannot take."""


@dataclass(frozen=True)
class Primitive:
    """An operation: `shape` gives the shape of its result, `macs` its multiply-accumulates."""

    name: str
    shape: Callable[..., Shape]
    macs: Callable[..., int]

    @property
    def doc(self) -> str:
        """What it computes, in a sentence."""
        return (self.shape.__doc__ or "").strip()

    @cached_property
    def attributes(self) -> frozenset[str]:
        """The names of its attributes: an operation has them all."""
        return frozenset(p.name for p in signature(self.shape).parameters.values() if p.kind is p.KEYWORD_ONLY)

    @cached_property
    def defaults(self) -> Mapping[str, Any]:
        """The attributes that need not be given."""
        return self.shape.__kwdefaults__ or {}


PRIMITIVES: dict[str, Primitive] = {}


def _no_macs(out: Shape, *inputs: Shape, **attrs: Any) -> int:
    return 0


def primitive(macs: Callable[..., int] = _no_macs) -> Callable[[Callable[..., Shape]], Callable[..., Shape]]:
    """Register the decorated shape rule as a primitive of the same name."""

    def register(rule: Callable[..., Shape]) -> Callable[..., Shape]:
        name = rule.__name__.rstrip("_")
        PRIMITIVES[name] = Primitive(name, rule, macs)
        return rule

    return register


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ShapeError(message)


def _window(size: int, before: int, after: int, kernel: int, stride: int, dilation: int = 1) -> int:
    _require(kernel > 0 and dilation > 0, f"a window of {kernel}, dilated by {dilation}")
    out = (size + before + after - dilation * (kernel - 1) - 1) // stride + 1
    _require(out > 0, f"a window of {dilation * (kernel - 1) + 1} does not fit into {size} + {before + after}")
    return out


def same_pads(size: Sequence[int], kernel: Sequence[int], strides: Pair, dilations: Sequence[int] = (1, 1)) -> Pads:
    """The padding SAME, with which a window has ceil(size / stride) places; the odd one goes after.

    >>> same_pads((5, 4), (3, 3), (1, 2))
    (1, 0, 1, 1)
    """
    totals = [max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
              for n, k, s, d in zip(size, kernel, strides, dilations, strict=True)]  # fmt: skip
    (y, x), (top, left) = totals, (n // 2 for n in totals)
    return top, left, y - top, x - left


def _image(x: Shape) -> tuple[int, int, int]:
    _require(len(x) == 3, f"wants channels, height and width, not {x}")
    return x[0], x[1], x[2]


# -- multiply and add --------------------------------------------------------------------------------------------


def _conv_macs(out: Shape, x: Shape, w: Shape, *bias: Shape, **attrs: Any) -> int:
    return math.prod(out) * math.prod(w[1:])


@primitive(_conv_macs)
def conv(
    x: Shape, w: Shape, bias: Shape = (), *, strides: Pair = (1, 1), pads: Pads = (0, 0, 0, 0),
    dilations: Pair = (1, 1), groups: int = 1,
) -> Shape:  # fmt: skip
    """Cross-correlation of (c, h, w) with weights (n, c / groups, kh, kw), plus a bias (n)."""
    c, h, width = _image(x)
    n, cg, kh, kw = w
    _require(groups > 0 and c % groups == 0 and n % groups == 0, f"{groups} groups do not divide {c} and {n} channels")
    _require(cg * groups == c, f"weights for {cg * groups} channels on an input of {c}")
    _require(bias in ((), (n,)), f"bias {bias} for {n} filters")
    return (
        n,
        _window(h, pads[0], pads[2], kh, strides[0], dilations[0]),
        _window(width, pads[1], pads[3], kw, strides[1], dilations[1]),
    )


def _conv_transpose_macs(out: Shape, x: Shape, w: Shape, *bias: Shape, **attrs: Any) -> int:
    return math.prod(x) * math.prod(w[1:])


@primitive(_conv_transpose_macs)
def conv_transpose(x: Shape, w: Shape, bias: Shape = (), *, strides: Pair = (1, 1), pads: Pads = (0, 0, 0, 0)) -> Shape:
    """The gradient of `conv`: (c, h, w) with weights (c, n, kh, kw) to (n, (h - 1) * stride + kh - pads, …)."""
    c, h, width = _image(x)
    _require(w[0] == c, f"weights for {w[0]} channels on an input of {c}")
    out_h = (h - 1) * strides[0] + w[2] - pads[0] - pads[2]
    out_w = (width - 1) * strides[1] + w[3] - pads[1] - pads[3]
    _require(out_h > 0 and out_w > 0, "the padding eats the whole output")
    return (w[1], out_h, out_w)


def _linear_macs(out: Shape, x: Shape, w: Shape, *bias: Shape, **attrs: Any) -> int:
    return math.prod(w)


@primitive(_linear_macs)
def linear(x: Shape, w: Shape, bias: Shape = ()) -> Shape:
    """A vector (k) times weights (n, k), plus a bias (n)."""
    _require(len(x) == 1 and x[0] == w[1], f"weights {w} on an input {x}")
    return (w[0],)


def _matmul_macs(out: Shape, a: Shape, b: Shape, **attrs: Any) -> int:
    return math.prod(out) * a[-1]


@primitive(_matmul_macs)
def matmul(a: Shape, b: Shape) -> Shape:
    """(l, m, k) times (l, k, n), one product for each l."""
    _require(len(a) == len(b) == 3 and a[0] == b[0] and a[2] == b[1], f"{a} times {b}")
    return (a[0], a[1], b[2])


@primitive()
def batch_norm(
    x: Shape, scale: Shape, bias: Shape, mean: Shape, variance: Shape, *, epsilon: float, outside: bool = False
) -> Shape:
    """(x - mean) / sqrt(variance + epsilon) * scale + bias for each channel; `outside`: / (sqrt(variance) +
    epsilon).
    """
    _require(all(p == x[:1] for p in (scale, bias, mean, variance)), f"{scale[0]} channels on an input {x}")
    return x


# -- element by element ------------------------------------------------------------------------------------------


def _broadcast(a: Shape, b: Shape) -> Shape:
    _require(len(a) == len(b) or min(len(a), len(b)) == 0, f"{a} with {b}")
    if not a or not b:
        return a or b
    _require(all(m == n or 1 in (m, n) for m, n in zip(a, b, strict=True)), f"{a} with {b}")
    return tuple(max(m, n) for m, n in zip(a, b, strict=True))


@primitive()
def add(a: Shape, b: Shape) -> Shape:
    """a + b, broadcasting axes of length 1."""
    return _broadcast(a, b)


@primitive()
def sub(a: Shape, b: Shape) -> Shape:
    """a - b, broadcasting axes of length 1."""
    return _broadcast(a, b)


@primitive()
def mul(a: Shape, b: Shape) -> Shape:
    """a * b, broadcasting axes of length 1."""
    return _broadcast(a, b)


@primitive()
def div(a: Shape, b: Shape) -> Shape:
    """a / b, broadcasting axes of length 1."""
    return _broadcast(a, b)


@primitive()
def maximum(a: Shape, b: Shape) -> Shape:
    """The larger of a and b, broadcasting axes of length 1."""
    return _broadcast(a, b)


@primitive()
def clip(x: Shape, *, low: float, high: float) -> Shape:
    """x, not below `low` and not above `high`."""
    return x


@primitive()
def leaky_relu(x: Shape, *, slope: float) -> Shape:
    """x where positive, slope * x elsewhere."""
    return x


@primitive()
def elu(x: Shape, *, alpha: float = 1.0) -> Shape:
    """x where positive, alpha * (exp(x) - 1) elsewhere."""
    return x


@primitive()
def power(x: Shape, *, exponent: float) -> Shape:
    """x to a constant exponent."""
    return x


@primitive()
def relu(x: Shape) -> Shape:
    """x where positive, 0 elsewhere."""
    return x


@primitive()
def sigmoid(x: Shape) -> Shape:
    """1 / (1 + exp(-x))."""
    return x


@primitive()
def tanh(x: Shape) -> Shape:
    """The hyperbolic tangent."""
    return x


@primitive()
def mish(x: Shape) -> Shape:
    """x * tanh(log(1 + exp(x)))."""
    return x


@primitive()
def swish(x: Shape) -> Shape:
    """x * sigmoid(x)."""
    return x


@primitive()
def exp(x: Shape) -> Shape:
    """e to the x."""
    return x


@primitive()
def sqrt(x: Shape) -> Shape:
    """The square root."""
    return x


@primitive()
def floor(x: Shape) -> Shape:
    """The largest integer not above x."""
    return x


@primitive()
def ceil(x: Shape) -> Shape:
    """The smallest integer not below x."""
    return x


# -- windows and reductions --------------------------------------------------------------------------------------


@primitive()
def max_pool(x: Shape, *, kernel: Pair, strides: Pair, pads: Pads) -> Shape:
    """The largest value under each window; what lies outside never wins (-FLT_MAX where nothing lies inside)."""
    c, h, w = _image(x)
    return c, _window(h, pads[0], pads[2], kernel[0], strides[0]), _window(w, pads[1], pads[3], kernel[1], strides[1])


@primitive()
def avg_pool(x: Shape, *, kernel: Pair, strides: Pair, pads: Pads) -> Shape:
    """The mean of what lies inside under each window."""
    c, h, w = _image(x)
    return c, _window(h, pads[0], pads[2], kernel[0], strides[0]), _window(w, pads[1], pads[3], kernel[1], strides[1])


def _reduced(x: Shape, axes: Sequence[int]) -> Shape:
    _require(all(0 <= a < len(x) for a in axes), f"axes {tuple(axes)} of {x}")
    return tuple(1 if i in axes else n for i, n in enumerate(x))


@primitive()
def reduce_max(x: Shape, *, axes: tuple[int, ...]) -> Shape:
    """The maximum over some axes, which keep length 1."""
    return _reduced(x, axes)


@primitive()
def reduce_mean(x: Shape, *, axes: tuple[int, ...]) -> Shape:
    """The mean over some axes, which keep length 1."""
    return _reduced(x, axes)


@primitive()
def reduce_sum(x: Shape, *, axes: tuple[int, ...]) -> Shape:
    """The sum over some axes, which keep length 1."""
    return _reduced(x, axes)


@primitive()
def softmax(x: Shape, *, axis: int) -> Shape:
    """exp(x - max) / sum along one axis."""
    _require(0 <= axis < len(x), f"axis {axis} of {x}")
    return x


# -- moving values -----------------------------------------------------------------------------------------------


@primitive()
def concat(*xs: Shape, axis: int) -> Shape:
    """Values one after another along an axis."""
    rest = {x[:axis] + x[axis + 1 :] for x in xs}
    _require(len(rest) == 1, f"{' and '.join(map(str, xs))} differ beside axis {axis}")
    return *xs[0][:axis], sum(x[axis] for x in xs), *xs[0][axis + 1 :]


@primitive()
def slice_(x: Shape, *, axes: tuple[int, ...], starts: tuple[int, ...], stops: tuple[int, ...],
           steps: tuple[int, ...]) -> Shape:  # fmt: skip
    """Every step-th element from start to stop (exclusive, within the axis) along some axes."""
    out = list(x)
    for axis, start, stop, step in zip(axes, starts, stops, steps, strict=True):
        _require(0 <= start < stop <= x[axis] and step > 0, f"{start}:{stop}:{step} of {x[axis]}")
        out[axis] = len(range(start, stop, step))
    return tuple(out)


@primitive()
def pad(x: Shape, *, pads: Pads, value: float) -> Shape:
    """(c, h, w) with a border of `value`."""
    c, h, w = _image(x)
    return c, h + pads[0] + pads[2], w + pads[1] + pads[3]


@primitive()
def reshape(x: Shape, *, shape: Shape) -> Shape:
    """The same elements in the same order under another shape."""
    _require(math.prod(x) == math.prod(shape), f"{x} as {shape}")
    return shape


@primitive()
def transpose(x: Shape, *, order: tuple[int, ...]) -> Shape:
    """The axes in another order."""
    _require(sorted(order) == list(range(len(x))), f"order {order} of {x}")
    return tuple(x[i] for i in order)


@primitive()
def gather(x: Shape, *, axis: int, indices: tuple[int, ...]) -> Shape:
    """The elements with the given indices along an axis."""
    _require(all(0 <= i < x[axis] for i in indices), f"an index is outside {x[axis]}")
    return *x[:axis], len(indices), *x[axis + 1 :]


@primitive()
def upsample(x: Shape, *, scale: Pair) -> Shape:
    """Each pixel repeated scale times down and across (nearest neighbour)."""
    c, h, w = _image(x)
    return c, h * scale[0], w * scale[1]


def _untile_macs(out: Shape, x: Shape, matrix: Shape, **attrs: Any) -> int:
    return math.prod(x) * matrix[0]


@primitive(_untile_macs)
def untile(x: Shape, matrix: Shape, *, size: Pair) -> Shape:
    """Tiles (points c, th, tw) as an image (c, h, w): a matrix (m m, points) makes m x m pixels of each tile's points,
    column by column; the image is cut to `size`.
    """
    c, th, tw = _image(x)
    pixels, points = matrix
    length = math.isqrt(pixels)
    _require(c % points == 0 and length**2 == pixels, f"a matrix {matrix} on {c} channels")
    _require(size[0] <= th * length and size[1] <= tw * length, f"{size} of {th} x {tw} tiles of {length} x {length}")
    return c // points, *size


@primitive()
def repeat_batch(x: Shape, like: Shape) -> Shape:
    """A constant, once for each sample of `like`."""
    return x
