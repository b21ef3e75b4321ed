"""How far two results for the same value are apart, relative to the largest number in the one that is right."""

from __future__ import annotations

import numpy as np

HUGE = 1e37  # what is beyond is -FLT_MAX, "no cell under the window" (maxpool_layer.c), and compared as such


def scale(array: np.ndarray) -> float:
    """The largest absolute number of an array that is neither infinite nor as good as."""
    comparable = np.abs(array[np.isfinite(array) & (np.abs(array) < HUGE)])
    return float(comparable.max(initial=0))


def difference(got: np.ndarray, wanted: np.ndarray) -> float:
    """The largest difference relative to the largest number; infinite where shapes or non-finite numbers differ."""
    if got.shape != wanted.shape:
        return float("inf")
    plain = np.isfinite(wanted) & (np.abs(wanted) < HUGE)
    if not np.array_equal(got[~plain], wanted[~plain], equal_nan=True) or not np.isfinite(got[plain]).all():
        return float("inf")
    off = float(np.abs(got[plain].astype(np.float64) - wanted[plain]).max(initial=0))
    return off / (scale(wanted) or 1.0)
