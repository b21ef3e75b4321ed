"""How far numbers of several kinds are off at most, and where."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

# How far numbers may be off: parts of the largest of an array, of a rate, of a cost.
LIMITS = {"outputs": 1e-5, "deltas": 1e-5, "gradients": 1e-4, "parameters": 1e-5, "rates": 1e-6, "costs": 1e-4}
TINY = 1e-12


@dataclass
class Errors:
    """The largest error of each kind of number, and where it is."""

    found: dict[str, tuple[float, str]] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def compare(self, kind: str, where: str, got: np.ndarray | float, wanted: np.ndarray | float) -> None:
        """Take note of the difference, in parts of the largest number that is wanted."""
        a, b = (np.asarray(x, np.float64).ravel() for x in (got, wanted))
        error = float("inf")
        if a.shape == b.shape:
            scale = max(float(np.abs(b).max(initial=0)), TINY)
            error = float(np.abs(a - b).max(initial=0)) / scale
            error = float("inf") if np.isnan(error) else error
        if error >= self.found.get(kind, (0.0, ""))[0]:
            self.found[kind] = error, where

    @property
    def off(self) -> str:
        """What is beyond its limit."""
        parts = [f"{kind} off by {e:.1e} ({at})" for kind, (e, at) in self.found.items() if e > LIMITS[kind]]
        return ", ".join([*parts, *self.missing])

    @property
    def figures(self) -> str:
        """The largest errors."""
        return ", ".join(f"{kind} {e:.0e}" for kind, (e, _) in self.found.items())
