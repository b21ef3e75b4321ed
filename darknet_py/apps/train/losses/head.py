"""What the losses of all heads share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ....darknet.layers.heads.tree import find_side_file
from ....darknet.layers.net import Net
from ....errors import DataError
from ....files import read_whole
from ....ir.graph import LayerInfo, Value
from .filters import LossFilters
from .result import LossResult

MAX_SIDE_FILE = 1 << 24


@dataclass(frozen=True, eq=False)
class HeadPlace:
    """Where a head stands: its layer, the value that its loss reads, [net], and the folder of the cfg.

    The input size is that of [net]: at another one the losses are others. `filters` are the loss filters of the
    network, one value for all heads.
    """

    info: LayerInfo
    source: Value
    net: Net
    folder: str | None = None
    filters: LossFilters | None = None

    def side_file(self, name: str) -> Path:
        """The path of a file that an option names: beside the cfg, in the folder above, or in the working directory."""
        found = find_side_file(self.folder, name)
        if found is None:
            raise DataError(f"there is no file {name!r} beside the cfg or in the working directory")
        return found

    def class_map(self, name: str | None, classes: int) -> Tensor | None:
        """The class that each class of the labels stands for, from the file of the option `map`."""
        if not name:
            return None
        path = self.side_file(name)
        words = read_whole(path, MAX_SIDE_FILE, "map").decode("utf-8", "replace").split()
        try:
            numbers = [int(word) for word in words]
        except ValueError as e:
            raise DataError(f"{path} is no list of class numbers: {e}") from None
        if len(numbers) < classes or not all(0 <= n < classes for n in numbers[:classes]):
            raise DataError(f"{path} wants a number from 0 to {classes - 1} for each of the {classes} classes")
        return torch.tensor(numbers[:classes])


class HeadLoss(ABC):
    """The loss of one layer. Calling it with what the head reads and the truth gives a `LossResult`.

    `source` is the value of the graph that the head reads, and that its gradient goes to.
    """

    def __init__(self, place: HeadPlace) -> None:
        self.info = place.info
        self.source = place.source
        self.net = place.net

    @abstractmethod
    def __call__(self, x: Tensor, truth: Tensor, *, seen: int = 0, iteration: int = 0) -> LossResult:
        """The loss of a mini batch.

        `x` (B, …) is what the head reads, `truth` (B, rows, 6) the objects (x, y, w, h of the centre in parts of the
        picture, class, track number), or what the class says. `seen` counts pictures, those of this mini batch
        included (Darknet's net.seen), `iteration` the updates so far (net.cur_iteration).
        """


def squares(delta: Tensor, axes: tuple[int, ...]) -> Tensor:
    """The sums of squares over some axes, without a tensor of squares."""
    return torch.linalg.vector_norm(delta, dim=axes) ** 2
