"""The dialects: every difference between the programs that read Darknet files, in one place.

Truth is AlexeyAB's Darknet. The two others share the syntax and part of the meaning; what differs is a field here or a
layer class that names its dialects, never a test sprinkled through the code.
"""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import DataError
from ..spelling import did_you_mean


@dataclass(frozen=True)
class Dialect:
    """What one program computes differently."""

    name: str
    title: str
    epsilon: float  # of batch normalization
    epsilon_outside: bool  # sqrt(variance) + epsilon instead of sqrt(variance + epsilon)
    packs_bits: bool = True  # xnor=1 folds batch normalization into the weights first, and pads with -1


ALEXEYAB = Dialect("alexeyab", "AlexeyAB's Darknet", 1e-5, False)  # blas.c:292
PJREDDIE = Dialect("pjreddie", "pjreddie's Darknet", 1e-6, True, packs_bits=False)  # blas.c:154
PYTORCH = Dialect("pytorch", "WongKinYiu's PyTorch code", 1e-4, False)  # PyTorch_YOLOv4, yolor models.py

DIALECTS = {d.name: d for d in (ALEXEYAB, PJREDDIE, PYTORCH)}


def find_dialect(name: str) -> Dialect:
    """The dialect called `name`; `DataError` where there is none."""
    if name not in DIALECTS:
        hint = did_you_mean(name, DIALECTS) or f"one of {', '.join(DIALECTS)}"
        raise DataError(f"no dialect {name!r}; {hint}")
    return DIALECTS[name]
