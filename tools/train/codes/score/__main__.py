"""`python -m tools.train.codes.score`: every contestant that can be had on both sets of photos, as tables."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np

from darknet_py.errors import DarknetError
from darknet_py.machine import cores, cpu
from tools.bench.environments import NotInstalled

from . import table
from .arithmetic import SHOWN
from .contestants import OTHERS, Contestant, ours, run
from .photos import CLASSES, SETS, Photo, read_set

HERE = Path(__file__).resolve().parent
TIMED = 8  # of so many photos one is timed with all threads
PAGE = HERE.parent / "CONTESTANTS.md"

OPENING = """# What finds and reads codes in photos

Written by `python -m tools.train.codes.score{arguments}`
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


@dataclass(frozen=True)
class Result:
    """The rows of a set, and its tables."""

    name: str
    photos: tuple[Photo, ...]
    rows: tuple[table.Row, ...]


@click.command()
@click.option("--ours", "network", nargs=2, metavar="CFG WEIGHTS", help="Our network; its size is that of the cfg.")
@click.option("--size", type=int, multiple=True, help="Another size of the network's input; may be repeated.")
@click.option("--backend", default="onnxruntime", show_default=True)
@click.option("--only", multiple=True, help="Only contestants whose name has this in it; may be repeated.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all numbers here.")
@click.option("--markdown", type=click.Path(path_type=Path), help=f"Write the tables here (the page: {PAGE.name}).")
def main(
    network: tuple[str, str] | None, size: tuple[int, ...], backend: str, only: tuple[str, ...],
    json_file: Path | None, markdown: Path | None,
) -> None:  # fmt: skip
    """Score what finds codes on ../shared/images/codes and codes_hard."""
    contestants: list[Contestant] = []
    if network:
        cfg, weights = map(_absolute, network)
        contestants += [one for side in size or (None,) for one in ours(cfg, weights, backend, side)]
    contestants += [one for one in OTHERS if not only or any(word in one.name for word in only)]
    try:
        sets = {name: read_set(name) for name in SETS}
    except DarknetError as e:
        raise click.ClickException(str(e)) from None
    failed: dict[str, str] = {}
    results = [Result(name, photos, _run(name, contestants, photos, failed)) for name, photos in sets.items()]
    numbers = {result.name: _numbers(result) for result in results}
    page = _page(results, numbers, failed, network, size)
    if json_file:
        json_file.write_text(json.dumps(table.plain(numbers), indent=1) + "\n", "utf-8")
    if markdown:
        markdown.write_text(page, "utf-8")
    else:
        click.echo(page)


def _absolute(path: str) -> str:
    return str(Path(path).resolve()) if Path(path).exists() else path


def _run(
    name: str, contestants: Sequence[Contestant], photos: tuple[Photo, ...], failed: dict[str, str]
) -> tuple[table.Row, ...]:
    rows: list[table.Row] = []
    for contestant in contestants:
        if contestant.name in failed or name not in contestant.sets:
            continue
        click.echo(f"{name}: {contestant.name}", err=True)
        try:
            alone = run(contestant, photos, threads=1)
            at_once = run(contestant, photos[::TIMED]).milliseconds if contestant.finds else alone.milliseconds
            rows.append(table.Row(contestant, alone, at_once))
        except NotInstalled as e:
            failed[contestant.name] = str(e)
    return tuple(rows)


def _numbers(result: Result) -> dict[str, Any]:
    """Everything that is known of a set."""
    rows, photos = result.rows, result.photos
    numbers: dict[str, Any] = {
        "photos": len(photos), "objects": _objects(photos), "finding": table.finding(rows, photos),
    }  # fmt: skip
    networks = [row for row in rows if row.contestant.scored and row.contestant.finds]
    decoders = [row for row in rows if not row.contestant.scored and row.contestant.finds]
    if networks:
        numbers["precision"] = {row.contestant.name: table.precisions(row, photos) for row in networks}
        numbers["at precision"] = {row.contestant.name: table.at_precision(row, decoders, photos) for row in networks}
    if any(row.contestant.reads for row in rows):
        numbers["reading"] = table.reading(rows, photos)
    return numbers


def _objects(photos: Sequence[Photo]) -> list[int]:
    """How many there are of each class."""
    classes = np.concatenate([photo.labels.cls[~photo.labels.difficult] for photo in photos])
    return np.bincount(classes, minlength=len(CLASSES)).tolist()


def _page(
    results: Sequence[Result], numbers: dict[str, Any], failed: dict[str, str], network: tuple[str, str] | None,
    size: tuple[int, ...],
) -> str:  # fmt: skip
    count = {result.name: len(result.photos) for result in results}
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    noise = BUSY.format(load=load) if load > cores() + 1 else ""
    given = f" --ours {' '.join(Path(p).name for p in network)}" if network else ""
    arguments = f"{given}{''.join(f' --size {side}' for side in size)} --markdown {PAGE.name}"
    page = OPENING.format(
        arguments=arguments, cpu=cpu(), cores=cores(), codes=count["codes"], hard=count["codes_hard"],
        noise=noise, conf=SHOWN,
    )  # fmt: skip
    page += MISSING + "".join(f"\nNot to be had here: {name}: {why}\n" for name, why in failed.items())
    if not network:
        page += "\nOur network is not in them yet: these were made before it was trained.\n"
    return page + "".join(_section(name, of) for name, of in numbers.items()) + _versions(numbers)


def _section(name: str, numbers: dict[str, Any]) -> str:
    objects = numbers["objects"]
    kinds = ", ".join(f"{n} {kind}" for kind, n in zip(CLASSES, objects, strict=True) if n)
    parts = [f"## {name}: {numbers['photos']} photos, {sum(objects)} codes ({kinds})", "### Found"]
    parts += [table.finding_table(numbers["finding"])]
    for title, rule in (("an overlap of half", "IoU .5"), ("the centre inside", "centre")):
        parts += [f"### Found of each kind, right class, {title}", table.class_table(numbers["finding"], objects, rule)]
    if "precision" in numbers:
        parts += ["### Average precision", table.precision_table(numbers["precision"], objects)]
    for network, told in numbers.get("at precision", {}).items():
        parts += [
            f"### Recall at the precision of each decoder: {network}",
            "Of the kinds that the decoder knows, right class; *more* is the difference of the recalls.",
            _verdict(told), table.at_precision_table(told),
        ]  # fmt: skip
    if "reading" in numbers:
        parts += [
            "### Read",
            "Labelled codes of which the text was read, in their place and of their kind. `--decode` of the labelled "
            "boxes is what it reads if a network finds all codes: the most that it can.",
            table.reading_table(numbers["reading"]),
        ]  # fmt: skip
    return "\n" + "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def _verdict(told: dict[str, Any]) -> str:
    """At whose precision ours surely finds more than they do, by both rules; what is not sure is not claimed."""
    behind = [name for name, rules in told.items() if not all(one["more"].low > 0 for one in rules.values())]
    if not behind:
        return "Ours finds surely more than each of them, by both rules."
    return f"Ours does not surely find more, by both rules, than: {', '.join(behind)}."


def _versions(numbers: dict[str, Any]) -> str:
    versions = {name: one["version"] for of in numbers.values() for name, one in of["finding"].items()}
    return "\nVersions: " + "; ".join(f"{name}: {version}" for name, version in versions.items()) + ".\n"


if __name__ == "__main__":
    main()
