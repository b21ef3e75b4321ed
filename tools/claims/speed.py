"""The speeds of Table 2's detectors on this machine, and of their heads, layer by layer beside its roofline.

Decision: all detectors take part in every round, and two are compared round by round, so what differs between them is
not what the machine did meanwhile.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from darknet_py import load
from darknet_py.apps.bench.interleave import interleave
from darknet_py.apps.bench.process import seconds
from darknet_py.apps.bench.run import bench
from darknet_py.machine import cpu
from darknet_py.zoo.find import find_network

from .computed import BACKBONE
from .detectors import PAPER_FPS

BACKEND, THREADS = "onnxruntime", 2
ROUNDS = 25


def measure(say: Callable[[str], None], rounds: int = ROUNDS) -> dict[str, Any]:
    """Milliseconds of each detector at its own size, of its head, and the shortest that its roofline allows."""
    rows: dict[str, dict[str, Any]] = {}
    others = os.getloadavg()[0]
    cfgs = {name: find_network(name, trained=False).cfg for name in PAPER_FPS}
    for name, taken in _networks(cfgs, rounds).items():
        result = bench(cfgs[name], backends=(BACKEND,), threads=THREADS, layers=True, random_weights=0, rounds=1)
        (layers,) = (row.layers for row in result.rows)
        head = [s for s in layers if s.name.partition("_")[0].isdigit() and int(s.name.split("_")[0]) >= BACKBONE]
        rows[name] = {
            "rounds": [round(seconds * 1e3, 3) for seconds in taken],
            "head_ms": sum(s.seconds for s in head) * 1e3, "bound_ms": sum(s.bound for s in head) * 1e3,
        }  # fmt: skip
        whole, row = median(taken) * 1e3, rows[name]
        say(f"{name}: {whole:.1f} ms, head {row['head_ms']:.1f}, bound {row['bound_ms']:.1f}")
    return {"rows": rows, "threads": THREADS, "cpu": str(cpu()), "load": others}


def _networks(cfgs: Mapping[str, Path], rounds: int) -> dict[str, tuple[float, ...]]:
    """The seconds of the networks alone, side by side, round by round."""
    runs = {}
    for name, cfg in cfgs.items():
        model = load(cfg, backend=BACKEND, threads=THREADS, random_weights=0, quiet=True)
        image = np.random.default_rng(0).random((1, *model.contract.shape), np.float32)
        runs[name] = partial(seconds, partial(model.run, image))
    return {name: timing.seconds for name, timing in interleave(runs, rounds).items()}
