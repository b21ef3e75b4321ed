"""A `BenchResult` as text and as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from .interleave import Spread
from .roofline import format_layers
from .run import BackendSpeed, BenchResult

MEGA = 1 << 20


def format_result(result: BenchResult, most: int | None = None) -> str:
    """Tables: the back ends, and with layers those that lose most (`most` of each back end)."""
    m = result.machine
    head = f"{'back end':28} {'network, ms':>24} {'image, ms':>24} {'speed':>7} {'GFLOP/s':>8} {'of peak':>8} {'MB':>6}"
    lines = [
        f"{result.title}, {result.gflops:.2f} GFLOP",
        f"{m['cpu']}, {m['threads']} of {m['cores']} cores, load {m['load']:.1f}; {result.rounds} interleaved rounds, "
        "medians (and quartiles)",
        format_peaks(result.peaks),
        "", head, *(_row(row, result) for row in result.rows),
    ]  # fmt: skip
    lines += [f"{backend}: not timed: {why}" for backend, why in result.failures.items()]
    for row in (r for r in result.rows if r.layers):
        lines += ["", f"{row.version}: layers by the time that is beyond their bound", format_layers(row.layers, most)]
    return "\n".join(lines)


def format_peaks(peaks: Mapping[str, float]) -> str:
    """What the machine can do, in a line."""
    return ", ".join(f"{n} {v / 1e9:.0f} {'GB/s' if n == 'copy' else 'GFLOP/s'}" for n, v in peaks.items())


def _row(row: BackendSpeed, result: BenchResult) -> str:
    name = row.version if row.version.lower().startswith(row.backend) else f"{row.backend} ({row.version})"
    speed = f"{row.ratio.median:6.2f}x {result.gflops / row.network.median:8.1f}"
    part = f"{row.fraction.median:8.0%}" if row.fraction else f"{'':8}"
    image = _milliseconds(row.detect) if row.detect else ""
    return f"{name:28} {_milliseconds(row.network):>24} {image:>24} {speed} {part} {row.memory / MEGA:6.0f}"


def _milliseconds(s: Spread) -> str:
    return f"{s.median * 1e3:.2f} ({s.low * 1e3:.2f} to {s.high * 1e3:.2f})"


def plain(result: BenchResult) -> dict[str, Any]:
    """Everything, as JSON has it: times in seconds, peaks in operations or bytes a second."""
    data = asdict(result)
    for row, own in zip(data["rows"], result.rows, strict=True):
        row["layers"] = [{**asdict(layer), "explained": layer.explained} for layer in own.layers]
    return data
