"""Where a layer is lowered to: a builder of graphs that knows the layers before, the dialect, and where to report.

Decision: apart from `Layer`, so that heads decode boxes in a process that compiles nothing and imports no graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import Code
from ...ir.builder import Builder
from ...ir.graph import Value
from ...ir.ops import Shape
from ..cfg.options import Doubt
from ..dialects import Dialect

if TYPE_CHECKING:
    from .heads.head import Head
    from .layer import Layer


@dataclass(frozen=True)
class Warn:
    """Something odd that a layer computes anyway; `Lowering.warn` records it."""

    code: Code
    message: str
    key: str | None = None
    hint: str | None = None
    note: bool = False  # worth knowing, and no reason to stop where warnings are errors


class Lowering(Builder):
    """A builder that also knows the layers before this one, the dialect, and where to report.

    `image` is the input of the network. `outputs` holds the output of every earlier layer, and None where that layer
    could not be built. `read_as_numbers` are the layers that others, also later ones, join with something (see
    `Layer.joined`); `blurred` has, for each layer with antialiasing, the shape before the blur. `heads` are the layers
    so far that give boxes, and `owners` the layer whose parameters each layer with `share_index` uses, None where there
    is none: looked up, not searched for, because a file may have thousands of them. `doubts` has the option that was
    not read whole, of each layer that depends on one (-1: of [net]); `sampled` is the first shortcut that only
    pjreddie's Darknet computes.
    """

    def __init__(self, dialect: Dialect, image: Value, folder: str | None = None) -> None:
        super().__init__()
        self.dialect = dialect
        self.image = image
        self.folder = folder
        self.layers: list[Layer] = []
        self.outputs: list[Value | None] = []
        self.read_as_numbers: frozenset[int] = frozenset()
        self.blurred: dict[int, Shape] = {}
        self.heads: list[Head] = []
        self.owners: dict[int, int | None] = {}
        self.doubts: dict[int, Doubt] = {}
        self.sampled: Warn | None = None
        self.warnings: list[Warn] = []

    def warn(self, code: Code, message: str, key: str | None = None, hint: str | None = None) -> None:
        """Report something odd about the layer that is being lowered."""
        self.warnings.append(Warn(code, message, key, hint))

    def note(self, code: Code, message: str, key: str | None = None, hint: str | None = None) -> None:
        """Report something worth knowing about the layer that is being lowered."""
        self.warnings.append(Warn(code, message, key, hint, note=True))
