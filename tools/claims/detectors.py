"""Table 2's detectors: their names, and how quick they are."""

from __future__ import annotations

from collections.abc import Sequence

from .results import Results
from .statistics import FAILS, HOLDS, Median, median_of

EFM, PLAIN, SPP, GFM, CEM, PRN = (
    f"yolov3-csppelee-{head}" for head in ("efm", "efm-plain", "efm-spp", "gfm", "cem", "prn")
)
PAPER_FPS = {PRN: 169, GFM: 134, PLAIN: 132, EFM: 129, SPP: 128}
ONCE = {PRN: 42.3, GFM: 50.1, PLAIN: 50.6, EFM: 57.1, SPP: 55.0}
"""Milliseconds measured once before there was this program: onnxruntime, two threads."""
UNSURE = 0.03  # of a ratio of two of these, whose spread nobody wrote down
ALIKE = "too near to tell"


def times(found: Results, name: str) -> Sequence[float]:
    """Milliseconds of a picture: of each round of this program, or one that was measured before it."""
    return found.speeds["rows"][name]["rounds"] if found.speeds else (ONCE[name],)


def ratio(found: Results, name: str, other: str) -> Median:
    """How many times as long the first takes, round by round; or by the single measurement before this program."""
    if found.speeds:
        return median_of([a / b for a, b in zip(times(found, name), times(found, other), strict=True)])
    middle = ONCE[name] / ONCE[other]
    return Median(middle, middle * (1 - UNSURE), middle * (1 + UNSURE))


def slower(found: Results, name: str, other: str) -> str:
    """Whether the first is slower: the interval of the ratio lies above 1."""
    longer = ratio(found, name, other)
    if longer.low > 1:
        return HOLDS
    return FAILS if longer.high < 1 else ALIKE
