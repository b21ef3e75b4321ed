"""Table 2's detectors: their names, and how quick they are."""

from __future__ import annotations

from collections.abc import Sequence

from .results import NOT_RUN, Results
from .statistics import FAILS, HOLDS, Median, median_of

EFM, PLAIN, SPP, GFM, CEM, PRN = (
    f"yolov3-csppelee-{head}" for head in ("efm", "efm-plain", "efm-spp", "gfm", "cem", "prn")
)
PAPER_FPS = {PRN: 169, GFM: 134, PLAIN: 132, EFM: 129, SPP: 128}
ALIKE = "too near to tell"


def times(found: Results, name: str) -> Sequence[float]:
    """Milliseconds of a picture, of each round; there must be some."""
    rounds: list[float] = found.speeds["rows"][name]["rounds"]
    return rounds


def ratio(found: Results, name: str, other: str) -> Median:
    """How many times as long the first takes, round by round."""
    return median_of([a / b for a, b in zip(times(found, name), times(found, other), strict=True)])


def slower(found: Results, name: str, other: str) -> str:
    """Whether the first is slower: the interval of the ratio lies above 1."""
    if not found.speeds:
        return NOT_RUN
    longer = ratio(found, name, other)
    if longer.low > 1:
        return HOLDS
    return FAILS if longer.high < 1 else ALIKE
