"""Table 2's detectors: their names, and how quick they are."""

from __future__ import annotations

from .results import NOT_RUN, Results
from .statistics import FAILS, HOLDS, Median, median_of

EFM, PLAIN, SPP, GFM, CEM, PRN = (
    f"yolov3-csppelee-{head}" for head in ("efm", "efm-plain", "efm-spp", "gfm", "cem", "prn")
)
PAPER_FPS = {PRN: 169, GFM: 134, PLAIN: 132, EFM: 129, SPP: 128}
ALIKE = "too near to tell"


def milliseconds(found: Results, name: str) -> float:
    """Of a picture."""
    return float(found.speeds["rows"][name]["ms"])


def ratio(found: Results, name: str, other: str) -> Median:
    """How many times as long the first takes, round by round."""
    rounds, others = (found.speeds["rows"][n]["rounds"] for n in (name, other))
    return median_of([a / b for a, b in zip(rounds, others, strict=True)])


def slower(found: Results, name: str, other: str) -> str:
    """Whether the first is slower: the interval of the ratio lies above 1."""
    if not found.speeds:
        return NOT_RUN
    times = ratio(found, name, other)
    if times.low > 1:
        return HOLDS
    return FAILS if times.high < 1 else ALIKE
