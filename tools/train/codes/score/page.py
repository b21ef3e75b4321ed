"""`CONTESTANTS.md`: what the tables can show, the bars, and the tables of both sets."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from darknet_py.machine import cores, cpu

from . import table
from .arithmetic import SHOWN
from .bars import bars, bars_table
from .photos import CLASSES

OPENING = """# What finds and reads codes in photos

Written by `{command}`
on {cpu}, {cores} cores. It makes the environments of the contestants itself, and needs the photos in
`../shared/images`.

**What these tables can show, and what they cannot.** The {codes} photos of `codes` were *chosen by zxing-cpp*: those
that it cannot read were left out, and the boxes come from its corners. So there zxing-cpp has next to all by
construction, nobody can find more, and the set says only how many of its codes, mostly one large one in a photo, the
others miss. The {hard} photos of `codes_hard` were labelled by hand, and many are there *because zxing-cpp fails on
them*, the others because codes are small or several. So its share is low there by construction too, and that set does
not say how good a decoder is in general. Four fifths of the DataMatrix boxes there began as corners of zxing-cpp's:
they are codes that it can read somehow, which favours readers built on it. Of QR, Aztec and PDF417 there are too few
for figures of a class. All photos are 640 pixels at most on the long side: decoders do better on larger ones, and
everybody takes longer. zxing-cpp and wechat_qrcode have read what they find; OpenCV's detectors and a network have not.

How it is counted. Numbers are percent; in brackets is what 95 of 100 draws of the photos lie between (1 000 draws,
photo by photo, the same ones for all). A box that meets nothing but lies by half or more in a box of `ignore/` counts
neither as hit nor as false alarm, as COCO treats crowds. Decoders give corners, of which the upright box around them is
taken. Theirs of linear codes often span a few lines of the bars, so an overlap of half wrongs them: *centre inside*
counts a find whose centre lies in the labelled box. Shares are of all codes, also of kinds that a contestant does not
know; by kind they are below. Decoders have no confidence, so no average precision; a network counts from {conf} on.
Other kinds of codes (MaxiCode, in 4 photos of `codes_hard`) are left out where a contestant names them. Times are
medians of a photo in memory: of the processor with one thread, and by the wall, of each eighth photo, with as many
threads as a contestant takes{noise}.
"""

BUSY = "; other work kept the machine busy meanwhile (load {load:.0f}), so the latter say little"

MISSING = """
Not in the tables: YuNet-QR, which was proposed to OpenCV (pull requests 28893 and 28991) and is in none of its
versions; its model comes with no package.
"""


def page(numbers: Mapping[str, Any], failed: Mapping[str, str], command: str, network: str | None) -> str:
    """The page of the numbers of both sets, which `command` writes; `network` is the row that the bars are for."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    noise = BUSY.format(load=load) if load > cores() + 1 else ""
    text = OPENING.format(
        command=command, cpu=cpu(), cores=cores(), codes=numbers["codes"]["photos"],
        hard=numbers["codes_hard"]["photos"], noise=noise, conf=SHOWN,
    )  # fmt: skip
    text += MISSING + "".join(f"\nNot to be had here: {name}: {why}\n" for name, why in failed.items())
    if network is None:
        text += "\nOur network is not in them yet: these were made before it was trained.\n"
    else:
        text += f"\n## The bars, which were set before\n\n{bars_table(bars(numbers, network), network)}"
    return text + "".join(_section(name, of) for name, of in numbers.items()) + _versions(numbers)


def _section(name: str, numbers: Mapping[str, Any]) -> str:
    objects = numbers["objects"]
    kinds = ", ".join(f"{n} {kind}" for kind, n in zip(CLASSES, objects, strict=True) if n)
    parts = [f"## {name}: {numbers['photos']} photos, {sum(objects)} codes ({kinds})", "### Found"]
    parts += [table.finding_table(numbers["finding"])]
    for title, rule in (("an overlap of half", "IoU .5"), ("the centre inside", "centre")):
        parts += [f"### Found of each kind, right class, {title}", table.class_table(numbers["finding"], objects, rule)]
    if "precision" in numbers:
        parts += ["### Average precision", table.precision_table(numbers["precision"], objects)]
    if "mended" in numbers:
        parts += ["### With labels that were mended", table.mended_tables(numbers["mended"])]
    for network, told in numbers.get("at precision", {}).items():
        parts += [
            f"### Recall at the precision of each decoder: {network}",
            "Of the kinds that the decoder knows, right class; *more* is the difference of the recalls.",
            verdict(told), table.at_precision_table(told),
        ]  # fmt: skip
    if "reading" in numbers:
        parts += [
            "### Read",
            "Labelled codes of which the text was read, in their place and of their kind. `--decode` of the labelled "
            "boxes is what it reads if a network finds all codes: the most that it can.",
            table.reading_table(numbers["reading"]),
        ]  # fmt: skip
    return "\n" + "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def verdict(told: Mapping[str, Any]) -> str:
    """At whose precision ours surely finds more than they do, by both rules; what is not sure is not claimed."""
    behind = [name for name, rules in told.items() if not all(one["more"].low > 0 for one in rules.values())]
    if not behind:
        return "Ours finds surely more than each of them, by both rules."
    return f"Ours does not surely find more, by both rules, than: {', '.join(behind)}."


def _versions(numbers: Mapping[str, Any]) -> str:
    versions = {name: one["version"] for of in numbers.values() for name, one in of["finding"].items()}
    return "\nVersions: " + "; ".join(f"{name}: {version}" for name, version in versions.items()) + ".\n"
