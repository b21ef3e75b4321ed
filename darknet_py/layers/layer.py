"""What may be asked of a layer: its options (its dataclass fields), the layers it reads, and its lowering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from ..cfg.options import opt
from ..dialects import DIALECTS, Dialect
from ..errors import Code
from ..ir.builder import Builder
from ..ir.graph import Value
from ..ir.ops import Shape
from .activations import ACTIVATIONS

# What AlexeyAB's parser reads for every section and inference does not need (parser.c:1641-1650).
COMMON_INERT = frozenset(
    "clip onlyforward dont_update burnin_update stopbackward train_only_bn dontloadscales learning_rate".split()
)


class LayerError(ValueError):
    """A layer that cannot be built; reported at the option `key`, or at the section header."""

    def __init__(self, code: Code, message: str, key: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.key, self.hint = code, key, hint


@dataclass(frozen=True)
class Warn:
    """Something odd that a layer computes anyway; `Lowering.warn` records it."""

    code: Code
    message: str
    key: str | None = None
    hint: str | None = None


class Lowering(Builder):
    """A builder that also knows the layers before this one, the dialect, and where to report.

    `outputs` holds the output of every earlier layer, and None where that layer could not be built. `read_as_numbers`
    are the layers that others, also later ones, join with something (see `Layer.joined`); `blurred` has, for each layer
    with antialiasing, the shape before the blur.
    """

    def __init__(self, dialect: Dialect, folder: str | None = None) -> None:
        super().__init__()
        self.dialect = dialect
        self.folder = folder
        self.layers: list[Layer] = []
        self.outputs: list[Value | None] = []
        self.read_as_numbers: frozenset[int] = frozenset()
        self.blurred: dict[int, Shape] = {}
        self.warnings: list[Warn] = []

    def warn(self, code: Code, message: str, key: str | None = None, hint: str | None = None) -> None:
        """Report something odd about the layer that is being lowered."""
        self.warnings.append(Warn(code, message, key, hint))


@dataclass(frozen=True)
class Layer:
    """Base of all layers. A subclass registers itself under its `sections` for its `dialects`.

    `inert` lists the options that Darknet reads and inference does not need.
    """

    sections: ClassVar[tuple[str, ...]] = ()
    inert: ClassVar[frozenset[str]] = frozenset()
    dialects: ClassVar[tuple[str, ...]] = tuple(DIALECTS)

    dontload: int = opt(0, "1: Darknet reads no weights for this layer and leaves it random; here they are read")

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in cls.__dict__.get("sections", ()):
            for dialect in cls.dialects:
                assert (name, dialect) not in LAYERS, f"[{name}] is registered twice for {dialect}"
                LAYERS[name, dialect] = cls

    def references(self) -> tuple[int, ...]:
        """The layers read: negative numbers count back from this layer, others count from the first."""
        return (-1,)

    def joined(self) -> tuple[int, ...]:
        """Those of them that an option names: what is read from memory, not handed on by the layer before."""
        return ()

    def lower(self, b: Lowering, *inputs: Value) -> Value:
        """Append the operations of this layer to `b` and return its output."""
        raise NotImplementedError  # abstract: `Layer` itself is no section


LAYERS: dict[tuple[str, str], type[Layer]] = {}


def section_names(dialect: str | None = None) -> list[str]:
    """Every section name, of one dialect or of all, sorted."""
    return sorted({name for name, d in LAYERS if dialect in (None, d)})


def activation(default: str) -> Any:
    """The option that names an activation function."""
    return opt(default, "activation function", choices=ACTIVATIONS, code=Code.UNKNOWN_ACTIVATION, fallback="relu")


def image(x: Value) -> tuple[int, int, int]:
    """The (channels, height, width) of an input; an error where Darknet says "must output image"."""
    if len(x.shape) != 3:
        message = f"an image is wanted, and the layer before gives {x.shape[0]} numbers without a shape"
        raise LayerError(Code.NOT_AN_IMAGE, message)
    return x.shape[0], x.shape[1], x.shape[2]
