"""Table 2's detectors: their names, and how quick they are."""

from __future__ import annotations

from .results import Results
from .statistics import FAILS, HOLDS

EFM, PLAIN, SPP, GFM, CEM, PRN = (
    f"yolov3-csppelee-{head}" for head in ("efm", "efm-plain", "efm-spp", "gfm", "cem", "prn")
)
PAPER_FPS = {PRN: 169, GFM: 134, PLAIN: 132, EFM: 129, SPP: 128}
ONCE = {PRN: 42.3, GFM: 50.1, PLAIN: 50.6, EFM: 57.1, SPP: 55.0}
"""Milliseconds measured once before there was this program: onnxruntime, two threads."""
UNSURE = 0.03  # of one of these, whose spread nobody wrote down
ALIKE = "too near to tell"


def milliseconds(found: Results, name: str) -> float:
    """Of a picture: measured by this program, or once before it."""
    return float(found.speeds["rows"][name]["ms"]) if found.speeds else ONCE[name]


def slower(found: Results, name: str, other: str) -> str:
    """Whether the first is slower: its quartiles, or what a single measurement is sure of, lie above the other's."""
    (low, high), (other_low, other_high) = (_between(found, n) for n in (name, other))
    if low > other_high:
        return HOLDS
    return FAILS if high < other_low else ALIKE


def _between(found: Results, name: str) -> tuple[float, float]:
    if found.speeds:
        row = found.speeds["rows"][name]
        return float(row["low"]), float(row["high"])
    return ONCE[name] * (1 - UNSURE / 2), ONCE[name] * (1 + UNSURE / 2)
