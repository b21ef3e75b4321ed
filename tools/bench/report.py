"""The Markdown of the Table 5 benchmark, from its plain data."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

NEAR = 0.15  # of the paper's ratio


def markdown(result: dict[str, Any]) -> str:
    """All of RESULTS.md."""
    return "\n\n".join([_head(result), _ratios(result), _work(result), *_kinds(result)]) + "\n"


def _head(result: dict[str, Any]) -> str:
    machine, engines = result["machine"], ", ".join(result["engines"])
    agreed = "; ".join(f"{pair} within {value:.0e}" for pair, value in result["differences"].items())
    return f"""\
# Table 5 on this machine

Written by `python -m tools.bench.table5 --write` (`make bench-table5`); the numbers as JSON: `table5.json`.

{machine["cpu"]}, {machine["cores"]} cores, {result["threads"]} threads for every engine, load average \
{machine["load before"]:.1f} before and {machine["load after"]:.1f} after. {engines}. Seeded random weights, float32, one image at
a time, the network alone (no picture is read, no boxes are filtered). One run of {result["rounds"]} rounds; in every round each
network runs in each engine, after a call that is not timed. Numbers are medians over the rounds, quartiles in
brackets. Before the timing all outputs were compared: {agreed} of the largest output.

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
    head = ["network", "size", "paper fps", *(f"{e} fps" for e in engines), "paper ratio", *(f"{e} ratio" for e in engines)]
    text = "Frames per second, and how many times as fast as YOLOv3-tiny (in brackets: off the paper's ratio)."
    return f"## Frames per second and ratios\n\n{text}\n\n{_table(head, rows)}"


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
    return f"## What the work predicts\n\n{text}\n\n{_table(head, rows)}"


def _kinds(result: dict[str, Any]) -> Iterable[str]:
    profiled = [e for e in result["engines"] if _of(result["rows"][0], e, "kinds")]
    for engine in profiled:
        rows = [[row["title"], *_kind_cells(_of(row, engine, "kinds"))] for row in result["rows"]]
        head = [
            "network", "3x3: part of BFLOPs", "part of time", "GFLOP/s", "1x1: part of BFLOPs", "part of time", "GFLOP/s",
            "rest: part of time",
        ]  # fmt: skip
        text = "Where the time goes, by the engine's own profile."
        yield f"## By kind of layer, {engine}\n\n{text}\n\n{_table(head, rows)}"


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


def _table(head: list[str], rows: list[list[Any]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
