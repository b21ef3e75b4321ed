"""What may be asked of a layer: its options (its dataclass fields), the layers it reads, and its lowering."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ...errors import Code
from ..cfg.options import opt
from ..dialects import DIALECTS
from .activations import ACTIVATIONS

if TYPE_CHECKING:
    from ...contract.decoders import Decoder
    from ...ir.graph import LayerInfo, Value
    from .lowering import Lowering

# What AlexeyAB's parser reads for every section and inference does not need (parser.c:1641-1650).
COMMON_INERT = frozenset(
    "clip onlyforward dont_update burnin_update stopbackward train_only_bn dontloadscales learning_rate".split()
)


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

    def lower(self, b: Lowering, *inputs: Value) -> Value | Decoded:
        """Append the operations of this layer to `b` and return its output, a head with its decoder."""
        raise NotImplementedError  # abstract: `Layer` itself is no section


LAYERS: dict[tuple[str, str], type[Layer]] = {}


def layer_of(info: LayerInfo) -> Layer:
    """The layer that a graph remembers: the IR itself does not know what a layer is."""
    assert isinstance(info.layer, Layer), f"{info.name} was not lowered from a layer of Darknet"
    return info.layer


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
