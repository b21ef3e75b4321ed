"""The parts of a training, for a loop of one's own: pictures, losses, the update and the rates."""

from __future__ import annotations

from .data.loader import Loader, MiniBatch
from .data.opening import open_loader
from .data.sizes import Sizes
from .losses import LossResult, losses_of
from .optimizer import DarknetOptimizer
from .schedule import cosine, rate

__all__ = [
    "DarknetOptimizer", "Loader", "LossResult", "MiniBatch", "Sizes", "cosine", "losses_of", "open_loader", "rate",
]  # fmt: skip
