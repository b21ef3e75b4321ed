"""What may be asked of a layer: its options (its dataclass fields), the layers it reads, its lowering, how it is shown.

Decision: other rooms list no sections. What they want to know of a layer its class states here, with a default, so that
another layer is one file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, dataclass_transform

from ...errors import Code
from ..cfg.options import opt
from ..dialects import ALEXEYAB, DIALECTS
from .activations import ACTIVATIONS
from .training import Training

if TYPE_CHECKING:
    from ...contract.decoders import Decoder
    from ...ir.graph import LayerInfo, Op, Value
    from ...ir.ops import Shape
    from .channels import Channels, Flow
    from .lowering import Lowering


# What people take a layer for, whatever its section is called.
Family = Literal[
    "", "convolution", "max pool", "maxout", "average pool", "concatenation", "addition", "channel attention",
    "spatial attention",
]  # fmt: skip


class LayerError(ValueError):
    """A layer that cannot be built; reported at the option `key`, or at the section header."""

    def __init__(self, code: Code, message: str, key: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.key, self.hint = code, key, hint


@dataclass(frozen=True, eq=False)
class Decoded:
    """What lowering a head returns: its output, and how boxes come out of it."""

    output: Value
    decoder: Decoder


@dataclass(frozen=True, eq=False)
class Lowered:
    """What a layer became: the shapes it reads and gives, its operations, and its number of floats in the weights file.

    A layer that reads nothing has the image as its `first`; `constants` are the values with data that no file holds.
    """

    first: Shape
    inputs: tuple[Shape, ...]
    output: Shape
    ops: tuple[Op, ...]
    params: int
    constants: Set[Value]

    def macs(self, *kinds: str) -> int:
        """Multiply-accumulates of the operations of some kinds."""
        return sum(op.macs for op in self.ops if op.kind in kinds)

    @property
    def read(self) -> int:
        """Numbers that are read."""
        return sum(math.prod(shape) for shape in self.inputs)


@dataclass(frozen=True)
class Spelling:
    """How AlexeyAB's Darknet writes a layer: its section, '' for the one that it has, and options to write otherwise.

    An option that is None is left out. `before` names the activation that the layer before has to end in, which is a
    convolution without one.
    """

    section: str = ""
    options: Mapping[str, str | None] = field(default_factory=dict)
    before: str = ""


@dataclass(frozen=True)
class Columns:
    """The numbers of a layer that tables show; `group` is the part of its input that a [route] takes, if not all."""

    filters: int | None = None
    groups: int = 1
    size: int | None = None
    strides: tuple[int, int] | None = None
    dilation: int = 1
    group: int | None = None


T = TypeVar("T")


@dataclass_transform(frozen_default=True)
def layer(cls: type[T]) -> type[T]:
    """A frozen dataclass with the methods of `Layer`: to write them for each layer costs 30 ms of every start."""
    return dataclass(frozen=True, init=False, repr=False, eq=False)(cls)


@layer
class Layer(Training):
    """Base of all layers. A subclass registers itself under its `sections` for its `dialects`."""

    sections: ClassVar[tuple[str, ...]] = ()
    dialects: ClassVar[tuple[str, ...]] = tuple(DIALECTS)
    family: ClassVar[Family] = ""
    short: ClassVar[str] = ""  # what Darknet's table calls it, where that is not the first of `sections`
    flat: ClassVar[bool] = False  # it has no width and height, or 1, whatever it reads
    may_be_output: ClassVar[bool] = True  # False: network.c get_network_output looks for an earlier layer

    dontload: int = opt(0, "1: Darknet reads no weights for this layer and leaves it random; here they are read")

    def __init__(self, **options: Any) -> None:
        if unknown := options.keys() - self.__dataclass_fields__.keys():
            raise TypeError(f"{type(self).__name__} has no option {', '.join(sorted(unknown))}")
        vars(self).update(options)  # the other options are what the class says

    def __repr__(self) -> str:
        options = ", ".join(f"{f.name}={getattr(self, f.name)!r}" for f in fields(self) if f.repr)
        return f"{type(self).__name__}({options})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self._compared() == other._compared()

    def __hash__(self) -> int:
        return hash(self._compared())

    def _compared(self) -> tuple[Any, ...]:
        return tuple(getattr(self, f.name) for f in fields(self) if f.compare)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in cls.__dict__.get("sections", ()):
            for dialect in cls.dialects:
                assert (name, dialect) not in LAYERS, f"[{name}] is registered twice for {dialect}"
                LAYERS[name, dialect] = cls

    def has_area(self, shape: tuple[int, ...]) -> bool:
        """Whether Darknet counts this layer, which reads `shape`, in the average area that parser.c prints.

        It divides by the number of these layers, and so by zero where there is none.
        """
        return not self.flat and len(shape) == 3 and min(shape[1:]) > 1

    def references(self) -> tuple[int, ...]:
        """The layers read: negative numbers count back from this layer, others count from the first."""
        return (-1,)

    def joined(self) -> tuple[int, ...]:
        """Those of them that an option names: what is read from memory, not handed on by the layer before."""
        return ()

    def lower(self, b: Lowering, *inputs: Value) -> Value | Decoded:
        """Append the operations of this layer to `b` and return its output, a head with its decoder."""
        raise NotImplementedError  # abstract: `Layer` itself is no section

    def darknet_operations(self, x: Lowered) -> float:
        """Floating-point operations as Darknet counts them: here those of convolutions whose kernels are learned."""
        kinds = ("conv", "conv_transpose")
        return sum(2 * op.macs for op in x.ops if op.kind in kinds and op.inputs[1] not in x.constants)

    def paper_operations(self, x: Lowered) -> int:
        """Floating-point operations as the CSPNet paper counts them: of [convolutional] and of max pools only."""
        return 0

    def columns(self) -> Columns:
        """What tables show of this layer: the options that have those names."""
        stride = getattr(self, "stride", None)
        return Columns(
            getattr(self, "filters", None), getattr(self, "groups", None) or 1, getattr(self, "size", None),
            getattr(self, "strides", None if stride is None else (stride, stride)), getattr(self, "dilation", 1),
        )  # fmt: skip

    @property
    def pitch(self) -> tuple[Fraction, Fraction]:
        """How many times as far apart, (down, across), its numbers are in the image as those that it reads."""
        return Fraction(1), Fraction(1)

    def window(self) -> str:
        """Size and step as Darknet prints them, across before down."""
        size, strides = self.columns().size, self.columns().strides
        if strides is None:
            return ""
        down, across = strides
        if size is None:
            return f"      /{across:2d}"
        return f"{size:3d}x{size:2d}/{across:2d}" + (f"x{down:2d}" if down != across else "")

    def word(self) -> str:
        """What drawings call this layer; '': by the name of its section."""
        return ""

    def spelled(self, *inputs: Shape) -> Spelling:
        """How AlexeyAB's Darknet writes this layer, which reads these shapes; `LayerError` where it cannot say it."""
        if ALEXEYAB.name not in self.dialects:
            raise unspeakable("it has no layer that computes this")
        return Spelling()

    def channels(self, c: Channels, *inputs: Flow) -> Flow:
        """What this layer does with the channels that it reads; unless it says so, it needs them all."""
        why = "all channels are read here"
        for flow in inputs:
            c.stay(flow, why)
        return c.fixed(c.shapes[-1][0], why)

    def part(self) -> tuple[int, int] | None:
        """Which part (from 0) of how many it takes of the channels of one layer, and nothing else."""
        return None


LAYERS: dict[tuple[str, str], type[Layer]] = {}


def layer_of(info: LayerInfo) -> Layer:
    """The layer that a graph remembers: the IR itself does not know what a layer is."""
    assert isinstance(info.layer, Layer), f"{info.name} was not lowered from a layer of Darknet"
    return info.layer


def section_names(dialect: str | None = None) -> list[str]:
    """Every section name, of one dialect or of all, sorted."""
    return sorted({name for name, d in LAYERS if dialect in (None, d)})


def unspeakable(why: str, key: str | None = None) -> LayerError:
    """The error of a layer that AlexeyAB's Darknet has no words for."""
    return LayerError(Code.UNKNOWN_SECTION, why, key)


def activation(default: str) -> Any:
    """The option that names an activation function."""
    return opt(default, "activation function", choices=ACTIVATIONS, code=Code.UNKNOWN_ACTIVATION, fallback="relu")


def image(x: Value) -> tuple[int, int, int]:
    """The (channels, height, width) of an input; an error where Darknet says "must output image"."""
    if len(x.shape) != 3:
        message = f"an image is wanted, and the layer before gives {x.shape[0]} numbers without a shape"
        raise LayerError(Code.NOT_AN_IMAGE, message)
    return x.shape[0], x.shape[1], x.shape[2]
