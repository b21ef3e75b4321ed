"""The speeds of Table 2's detectors on this machine, and of their heads, layer by layer beside its roofline."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from darknet_py.apps.bench.run import bench
from darknet_py.machine import cpu
from darknet_py.zoo.find import find_network

from .claims import ONCE
from .computed import BACKBONE

BACKEND, THREADS = "onnxruntime", 2


def measure(say: Callable[[str], None], rounds: int | None = None) -> dict[str, Any]:
    """Milliseconds of each detector at its own size, of its head, and the shortest that its roofline allows."""
    rows = {}
    load = os.getloadavg()[0]
    for name in ONCE:
        cfg = find_network(name, trained=False).cfg
        result = bench(cfg, backends=(BACKEND,), threads=THREADS, layers=True, random_weights=0, rounds=rounds)
        (row,) = result.rows
        head = [s for s in row.layers if s.name.partition("_")[0].isdigit() and int(s.name.split("_")[0]) >= BACKBONE]
        rows[name] = {
            "ms": row.network.median * 1e3, "low": row.network.low * 1e3, "high": row.network.high * 1e3,
            "head_ms": sum(s.seconds for s in head) * 1e3, "bound_ms": sum(s.bound for s in head) * 1e3,
        }  # fmt: skip
        say(f"{name}: {rows[name]['ms']:.1f} ms, head {rows[name]['head_ms']:.1f}, bound {rows[name]['bound_ms']:.1f}")
    return {"rows": rows, "threads": THREADS, "cpu": str(cpu()), "load": load}
