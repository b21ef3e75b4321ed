"""What to say of numbers that are none: after which layer they come first, and of which pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ...errors import DataError
from ...torch import DarknetModule

SHOWN = 3  # pictures that are named
REMEDIES = "a lower learning rate, or a longer burn_in, usually helps; check the labels (darknet-py check)"


class NoNumberError(DataError):
    """A loss or parameters that are no numbers: the training cannot go on from there."""


def first_broken(module: DarknetModule, images: torch.Tensor, paths: Sequence[str]) -> str:
    """In words, the first layer whose output is not finite and for which pictures; or that it is the loss."""
    infos = module.graph.layers
    with torch.no_grad():
        outputs = module.values([images], [info.output for info in infos])
    for info, output in zip(infos, outputs, strict=True):
        wrong = (~torch.isfinite(output).flatten(1).all(1)).tolist()
        if any(wrong):
            whose = [path for path, bad in zip(paths, wrong, strict=True) if bad]
            return f"after layer {info.index} [{info.section}] of {_named(whose)}"
    return f"the loss of {_named(paths)}"


def broken_parameter(module: DarknetModule) -> str | None:
    """The name of a parameter with a number that is not finite; None: all are."""
    return next((name for name, p in module.named_parameters() if not bool(torch.isfinite(p).all())), None)


def _named(paths: Sequence[str]) -> str:
    more = len(paths) - SHOWN
    return ", ".join(paths[:SHOWN]) + (f" and {more} more pictures" if more > 0 else "")
