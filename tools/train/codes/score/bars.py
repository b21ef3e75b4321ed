"""The bars: what our network has to reach, which was written down before it was trained, and whether it does.

Decision: a bar is met by the number that was measured, and a claim to be first only by the whole interval.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tools.markdown import table

from .table import Value

AP50 = {"barcode": 0.93, "qrcode": 0.93, "datamatrix": 0.75, "aztec": 0.75, "pdf417": 0.75}
SHIPPED = 0.6  # a class whose whole interval stays below it does not ship
ANY = {"AP50 any code": 0.93, "AP any code": 0.45}
FOUND = 0.95
FALSE = 0.1  # boxes on a photo without codes
RULES = ("IoU .5", "centre")
BY_MENDED = "by labels that were mended"
# OpenCV's own detectors of a kind, in the version that is current.
OPENCV = {
    "barcode": ("OpenCV BarcodeDetector",), "qrcode": ("OpenCV QRCodeDetector", "OpenCV QRCodeDetectorAruco"),
}  # fmt: skip


@dataclass(frozen=True)
class Bar:
    """What is measured, what it has to be, what it is, and what it is of others."""

    name: str
    needed: str
    measured: str
    is_met: bool
    beside: str = ""
    told: str = ""

    @property
    def verdict(self) -> str:
        """In words."""
        return self.told or ("met" if self.is_met else "missed")


def bars(numbers: Mapping[str, Any], network: str) -> tuple[Bar, ...]:
    """All bars of a network, by the numbers of both sets of photos."""
    codes = numbers["codes"]
    return (*_precise(codes["precision"][network], codes["mended"]["precision"][network]),
            *_found(codes["finding"], codes["mended"], network), _false(codes["finding"][network]),
            *_hard(numbers["codes_hard"], network))  # fmt: skip


def bars_table(found: Sequence[Bar], network: str) -> str:
    """The bars in Markdown."""
    head = ("", "needed", network, "beside", "")
    rows = [(bar.name, bar.needed, bar.measured, bar.beside, f"**{bar.verdict}**") for bar in found]
    return table(head, rows, words=len(head)) + "\n"


def _precise(precision: Mapping[str, Value], mended: Mapping[str, Value]) -> Iterator[Bar]:
    def by_mended(name: str) -> str:
        return "" if str(mended[name]) == str(precision[name]) else f"{BY_MENDED} {mended[name]}"

    for kind, least in AP50.items():
        value = precision.get(f"AP50 {kind}")
        if value is not None:
            told = f"missed, and not to be shipped: it stays below {100 * SHIPPED:.0f}" if value.high < SHIPPED else ""
            beside = by_mended(f"AP50 {kind}")
            yield Bar(f"AP50 {kind}", _at_least(least), str(value), value.value >= least, beside, told)
    for name, least in ANY.items():
        told_as = name.replace("AP any", "AP .5:.95 any")
        yield Bar(told_as, _at_least(least), str(precision[name]), precision[name].value >= least, by_mended(name))


def _found(finding: Mapping[str, Any], mended: Mapping[str, Any], network: str) -> Iterator[Bar]:
    """What is found above .25, of the right class at an overlap of half, and how long a photo takes."""

    def told(name: str, kind: str) -> str:
        one = finding[name]
        return f"{one['by class'][kind][RULES[0]]}, {one['milliseconds of one thread']:.1f} ms"

    for kind, names in OPENCV.items():
        if kind not in finding[network]["by class"]:
            continue
        own = finding[network]["by class"][kind][RULES[0]].value
        others = [name for name in names if name in finding]
        best = max((finding[name]["by class"][kind][RULES[0]].value for name in others), default=0.0)
        beside = [f"{name} {told(name, kind)}" for name in others]
        if mended["most"][kind] < 1:
            better = mended["finding"][network]["by class"][kind][RULES[0]]
            beside += [f"{BY_MENDED} {better}, and {_percent(mended['most'][kind])} is the most by these"]
        yield Bar(
            f"{kind} found", f"{_at_least(FOUND)}, and above OpenCV's own", told(network, kind),
            own >= FOUND and own > best, "; ".join(beside),
        )  # fmt: skip


def _false(row: Mapping[str, Any]) -> Bar:
    """On the photos of `codes`: those without a code in `codes_hard` show codes of kinds that it does not know."""
    false, photos = row["false boxes"], row["photos without codes"]
    return Bar(
        "false boxes on photos without codes", f"at most 1 in {1 / FALSE:.0f} photos", f"{false} in {photos} photos",
        false <= FALSE * photos,
    )  # fmt: skip


def _hard(numbers: Mapping[str, Any], network: str) -> Iterator[Bar]:
    """Recall on the hard photos at the precision of the decoder that finds most there, by each rule."""
    told = numbers["at precision"][network]
    for rule in RULES:
        recalls = {name: numbers["finding"][name][f"right class, {rule}"]["recall"].value for name in told}
        best = max(recalls, key=recalls.__getitem__)
        one = told[best][rule]
        is_first = one["more"].low > 0
        yield Bar(
            f"recall on codes_hard at the best decoder's precision, {rule}", "surely more",
            f"{_percent(one['our recall'])}, difference {one['more']}", is_first,
            f"{best} {_percent(one['their recall'])} at {_percent(one['precision'])}",
            "first" if is_first else "not claimed",
        )  # fmt: skip


def _at_least(value: float) -> str:
    return f"at least {100 * value:.0f}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"
