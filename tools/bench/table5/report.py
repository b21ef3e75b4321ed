"""The Markdown of the Table 5 benchmark, from its plain data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tools.markdown import table

PRICED = ("bflops", "cio", "decoded")
CAUSES = """\
A time as a sum of three causes, fitted to all networks: arithmetic (BFLOPs), memory traffic (CIO: what convolutions and
pools read and write) and decoding (the numbers that go into [yolo]). Three prices explain the paper's six times up to
the error given, and none of them is odd: on eight fast cores arithmetic is cheap beside traffic and decoding, and
the small networks, which save BFLOPs rather than CIO, gain less than their BFLOPs promise. The third scale of PRN (3l)
quadruples the numbers to decode, which is why the paper's row falls below YOLOv3-tiny.

Ours differ where these prices do. The larger the part of arithmetic, the nearer the ratios are to those of the BFLOPs,
and on few cores it is larger. Decoding is dearer in the paper too: the region layer of the OpenCV of 2019 takes every
number through `exp` on one thread and suppresses boxes class by class (`region_layer.cpp`); here a head is a few
vectorized operations of the network, and boxes are suppressed elsewhere. Where an engine is slower at 1x1 than at 3x3
convolutions (last tables), the CSP networks lose once more: about a third of their BFLOPs are 1x1, and 4 % of those of
YOLOv3-tiny."""
SWAPPED = """\
With the paper's price of arithmetic in the place of ours, and our own prices of traffic and decoding, the ratios become
these (in brackets: off the paper's):"""


def markdown(result: dict[str, Any]) -> str:
    """All of RESULTS.md."""
    return "\n\n".join([_head(result), _ratios(result), _work(result), _causes(result), *_kinds(result)]) + "\n"


def _head(result: dict[str, Any]) -> str:
    machine, engines = result["machine"], ", ".join(result["engines"])
    agreed = "; ".join(f"{pair} within {value:.0e}" for pair, value in result["differences"].items())
    threads = f"{result['threads']} thread{'s' if result['threads'] > 1 else ''}"
    load = f"load average {machine['load before']:.1f} before and {machine['load after']:.1f} after"
    return f"""\
# Table 5 on this machine

Written by `python -m tools.bench.table5 --write` (`make bench-table5`); the numbers as JSON: `results.json`.

- {machine["cpu"]}, {machine["cores"]} cores, {threads} for every engine; {load}.
- {engines}.
- Seeded random weights, float32, one image at a time, the network alone: no picture is read, no boxes are filtered.
- One run of {result["rounds"]} rounds. In every round each network runs in each engine, each time warm: the median of
  some calls after some that do not count. Numbers are medians over the rounds; ratios are taken inside a round.
- Before the timing all outputs were compared: {agreed} of the largest one.

The paper's column is an i9-9900K with the OpenCV of 2019."""


def _ratios(result: dict[str, Any]) -> str:
    engines = result["engines"]
    rows = [
        [
            row["title"], row["size"], _number(row["paper fps"], 0), *(_spread(_of(row, e, "fps"), 1) for e in engines),
            _number(row["paper ratio"], 2), *(_ratio(row, e) for e in engines),
        ]
        for row in result["rows"]
    ]  # fmt: skip
    fps, ratio = ([f"{e} {what}" for e in engines] for what in ("fps", "ratio"))
    head = ["network", "size", "paper fps", *fps, "paper ratio", *ratio]
    text = (
        "Frames per second (in brackets: quartiles), and how many times as fast as YOLOv3-tiny (in brackets: off the "
        "paper's ratio)."
    )
    return f"## Frames per second and ratios\n\n{text}\n\n{table(head, rows)}"


def _ratio(row: dict[str, Any], engine: str) -> str:
    ours, paper = _of(row, engine, "ratio"), row["paper ratio"]
    text = f"{ours['median']:.2f}"
    return text if paper is None else f"{text} ({ours['median'] / paper - 1:+.0%})"


def _work(result: dict[str, Any]) -> str:
    engines, base = result["engines"], result["rows"][0]
    rows = [
        [
            row["title"], f"{row['bflops']:.2f}", f"{row['params'] / 1e6:.2f}", f"{row['cio'] / 1e6:.1f}",
            row["layers"], f"{base['bflops'] / row['bflops']:.2f}", _number(row["paper ratio"], 2),
            _number(row["paper fps"] and row["paper fps"] * row["bflops"], 0),
            *(f"{_of(row, e, 'fps')['median'] * row['bflops']:.0f}" for e in engines),
        ]
        for row in result["rows"]
    ]  # fmt: skip
    head = [
        "network", "BFLOPs", "M params", "M CIO", "layers", "ratio by BFLOPs", "paper ratio", "paper GFLOP/s",
        *(f"{e} GFLOP/s" for e in engines),
    ]  # fmt: skip
    text = (
        "If time were BFLOPs, the ratios would be those of the column `ratio by BFLOPs`, and every network would reach "
        "the same GFLOP/s."
    )
    return f"## What the work predicts\n\n{text}\n\n{table(head, rows)}"


def _causes(result: dict[str, Any]) -> str:
    rows = []
    for who, cause in result["causes"].items():
        base = result["rows"][0]
        parts = [cause[c] * base[c] for c in PRICED]
        rows.append([
            who, f"{1 / cause['bflops']:.0f}", f"{cause['cio'] * 1e9:.2f}", f"{cause['decoded'] * 1e9:.1f}",
            *(f"{part / sum(parts):.0%}" for part in parts), f"{cause['worst']:.0%}",
        ])  # fmt: skip
    head = [
        "whose times", "GFLOP/s", "ns per element of CIO", "ns per decoded number", "YOLOv3-tiny: arithmetic",
        "traffic", "decoding", "largest error",
    ]  # fmt: skip
    return f"## Why the ratios differ\n\n{CAUSES}\n\n{table(head, rows)}\n\n{SWAPPED}\n\n{_swapped(result)}"


def _swapped(result: dict[str, Any]) -> str:
    """The ratios that each engine's fit gives when its arithmetic is as fast as the paper's."""
    price = result["causes"]["paper"]["bflops"]
    rows = []
    for row in (r for r in result["rows"] if r["paper ratio"] is not None):
        cells = []
        for engine in result["engines"]:
            own = {**result["causes"][engine], "bflops": price}
            base, time = (sum(own[c] * r[c] for c in PRICED) for r in (result["rows"][0], row))
            cells.append(f"{base / time:.2f} ({base / time / row['paper ratio'] - 1:+.0%})")
        rows.append([row["title"], f"{row['paper ratio']:.2f}", *cells])
    return table(["network", "paper ratio", *result["engines"]], rows)


def _kinds(result: dict[str, Any]) -> Iterable[str]:
    profiled = [e for e in result["engines"] if _of(result["rows"][0], e, "kinds")]
    for engine in profiled:
        rows = [[row["title"], *_kind_cells(_of(row, engine, "kinds"))] for row in result["rows"]]
        head = [
            "network", "3x3: part of BFLOPs", "part of time", "GFLOP/s", "1x1: part of BFLOPs", "part of time",
            "GFLOP/s", "rest: part of time",
        ]  # fmt: skip
        text = "Where the time goes, by the engine's own profile (on the wall; the shortest time of each layer)."
        yield f"## By kind of layer, {engine}\n\n{text}\n\n{table(head, rows)}"


def _kind_cells(kinds: dict[str, dict[str, float]]) -> list[str]:
    bflops, seconds = (sum(k[what] for k in kinds.values()) for what in ("bflops", "seconds"))
    cells = []
    for name in ("3x3", "1x1"):
        k = kinds[name]
        speed = k["bflops"] / k["seconds"] if k["seconds"] else 0
        cells += [f"{k['bflops'] / bflops:.0%}", f"{k['seconds'] / seconds:.0%}", f"{speed:.0f}"]
    return [*cells, f"{kinds['rest']['seconds'] / seconds:.0%}"]


def _of(row: dict[str, Any], engine: str, what: str) -> Any:
    return row["engines"][engine][what]


def _spread(s: dict[str, float], digits: int) -> str:
    return f"{s['median']:.{digits}f} ({s['low']:.{digits}f} to {s['high']:.{digits}f})"


def _number(value: float | None, digits: int) -> str:
    return "" if value is None else f"{value:.{digits}f}"
